//! A disk without room. Writes are refused, reads go on, nothing acknowledged is lost, and when there is room again the
//! broker writes again, without a restart.

mod groups;

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::{Broker, Launch};
use cutaway_tests::client::{Client, Produced};
use cutaway_tests::skip::skip;
use rustix::process::{Resource, Rlimit, prlimit};
use tempfile::TempDir;

const KAFKA_STORAGE_ERROR: i16 = 56;
const TOPIC: &str = "kept";
const RECORD_BYTES: usize = 10_000;

/// A file system in memory with little room.
struct SmallDisk {
    mount_point: TempDir,
}

impl SmallDisk {
    /// None where file systems cannot be mounted; the running test is then skipped by name.
    fn mount() -> anyhow::Result<Option<SmallDisk>> {
        let mount_point = tempfile::tempdir()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "cutaway-test"]).arg(mount_point.path());
        if !mount.output().is_ok_and(|output| output.status.success()) {
            skip("a file system of its own", "Run the test as root, where file systems may be mounted.")?;
            return Ok(None);
        }
        Ok(Some(SmallDisk { mount_point }))
    }

    fn data_dir(&self) -> PathBuf {
        self.mount_point.path().join("data")
    }

    fn filler(&self) -> PathBuf {
        self.mount_point.path().join("filler")
    }

    /// Takes all the room that is left.
    fn fill(&self) -> anyhow::Result<()> {
        let mut filler = File::options().append(true).create(true).open(self.filler())?;
        for size in [65_536, 4096, 1] {
            loop {
                match filler.write(&vec![0; size]) {
                    Ok(_) => {}
                    Err(full) if full.kind() == ErrorKind::StorageFull => break,
                    Err(other) => return Err(other.into()),
                }
            }
        }
        Ok(())
    }

    /// Gives the room back.
    fn make_room(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }

    fn start(&self) -> anyhow::Result<Broker> {
        launch(Some(self.data_dir()), &[])
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, since a broker that has just been killed may still hold it for a moment.
        let _ = Command::new("umount").arg("--lazy").arg(self.mount_point.path()).status();
    }
}

#[test]
fn when_the_disk_is_full_writes_are_refused_and_reads_go_on_until_there_is_room() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount()? else { return Ok(()) };
    let broker = disk.start()?;
    let mut writer = Writer::begin(&broker)?;
    for _ in 0..5 {
        writer.write(50)?;
        disk.fill()?;
        writer.write_until_refused()?;
        writer.check()?;
        disk.make_room()?;
        writer.write(10).context("there is room again")?;
        writer.check()?;
    }
    Ok(())
}

#[test]
fn on_a_full_disk_no_topic_is_half_made_and_later_it_can_be_made() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount()? else { return Ok(()) };
    let mut broker = disk.start()?;
    let mut writer = Writer::begin(&broker)?;
    writer.write(10)?;
    disk.fill()?;
    let mut client = Client::connect(broker.bootstrap())?;
    for attempt in 0..3 {
        let code = client.create_topic("too-much", 50, &[])?;
        ensure!(code == KAFKA_STORAGE_ERROR, "attempt {attempt} to create a topic: error {code}");
        ensure!(client.topic("too-much")?.error_code == 3, "a topic that could not be created is there");
        ensure!(folders_of("too-much", &disk.data_dir())? == 0, "it has folders");
        writer.check()?;
    }
    disk.make_room()?;
    let code = client.create_topic("too-much", 5, &[])?;
    ensure!(code == 0, "there is room again, but creating a topic ends with error {code}");
    writer.write(10)?;
    ensure!(client.delete_topic("too-much")? == 0, "the topic cannot be deleted");
    broker.kill()?;
    broker.restart()?;
    writer.reconnect(&broker)?;
    writer.check()
}

#[test]
fn metadata_that_found_no_room_can_be_changed_once_there_is_room() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount()? else { return Ok(()) };
    let mut broker = disk.start()?;
    let mut writer = Writer::begin(&broker)?;
    writer.write(10)?;
    fs::write(disk.filler(), vec![0; 4 << 20])?;
    // Settings as long as they may be: they fill the metadata file, and that fills the disk.
    let large = vec!["0:0"; 8000].join(",");
    let keys = ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];
    let configs = keys.map(|key| (key, large.as_str()));
    let mut created = 0;
    let code = loop {
        match writer.client.create_topic(&format!("large-{created}"), 1, &configs)? {
            0 => created += 1,
            code => break code,
        }
    };
    ensure!(code == KAFKA_STORAGE_ERROR, "creating a topic without room for its settings: error {code}");
    writer.check()?;
    disk.fill()?;
    broker.kill()?;
    broker.restart().context("with a metadata file that has no room left")?;
    writer.reconnect(&broker)?;
    writer.check()?;
    disk.make_room()?;
    let code = writer.client.create_topic("large", 1, &configs)?;
    ensure!(code == 0, "there is room again, but creating a topic ends with error {code}");
    ensure!(writer.client.delete_topic("large")? == 0, "the topic cannot be deleted");
    ensure!(writer.client.create_topic("small", 1, &[])? == 0, "the next topic cannot be created");
    broker.kill()?;
    broker.restart()?;
    writer.reconnect(&broker)?;
    ensure!(writer.client.topic("large")?.error_code == 3, "a topic that was deleted is there");
    for there in ["small".to_owned()].into_iter().chain((0..created).map(|number| format!("large-{number}"))) {
        ensure!(writer.client.topic(&there)?.error_code == 0, "a topic that was created is gone");
    }
    writer.write(10)?;
    writer.check()
}

#[test]
fn a_broker_restarted_on_a_full_disk_serves_what_it_has() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount()? else { return Ok(()) };
    for is_clean in [false, true] {
        let mut broker = disk.start()?;
        let mut writer = Writer::begin(&broker)?;
        writer.write(50)?;
        disk.fill()?;
        writer.write_until_refused()?;
        if is_clean {
            // Whether a stop without any room can be called clean is the broker's business.
            broker.stop()?;
        } else {
            broker.kill()?;
        }
        broker.restart().context("on a full disk")?;
        writer.reconnect(&broker)?;
        writer.check().context("after a restart on a full disk")?;
        disk.make_room()?;
        writer.write(10).context("there is room again")?;
        writer.check()?;
        broker.kill()?;
        fs::remove_dir_all(disk.data_dir())?;
    }
    Ok(())
}

/// All files of a log but the segments themselves are lost, and there is no room to make them anew.
#[test]
fn lost_indexes_do_not_keep_a_full_disk_from_being_read() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount()? else { return Ok(()) };
    let mut broker = disk.start()?;
    let mut writer = Writer::begin(&broker)?;
    writer.write(50)?;
    broker.kill()?;
    let folder = disk.data_dir().join(format!("{TOPIC}-0"));
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|suffix| suffix != "log") {
            fs::remove_file(path)?;
        }
    }
    disk.fill()?;
    broker.restart().context("on a full disk")?;
    writer.reconnect(&broker)?;
    writer.check().context("after a restart on a full disk")?;
    disk.make_room()?;
    writer.write(10).context("there is room again")?;
    writer.check()
}

/// The kernel's signal for this, SIGXFSZ, ends a process that does not listen to it.
#[test]
fn beyond_a_file_size_limit_the_broker_lives_refuses_and_writes_on_once_the_limit_is_raised() -> anyhow::Result<()> {
    // The metadata file needs some megabytes. The unit is that of POSIX: 512 bytes.
    let limit_bytes = 8 << 20;
    let mut broker = launch(None, &[format!("-S -f {}", limit_bytes / 512)])?;
    let mut writer = Writer::begin_with(&broker, &[])?;
    for _ in 0..3 {
        writer.write_until_refused()?;
        ensure!(broker.is_alive(), "the broker has ended");
        writer.check()?;
    }
    let unlimited = Rlimit { current: None, maximum: None };
    prlimit(Some(broker.pid()), Resource::Fsize, unlimited)?;
    writer.write(10).context("without the limit")?;
    writer.check()?;
    broker.kill()?;
    broker.restart()?;
    writer.reconnect(&broker)?;
    writer.check()
}

/// A client that writes records, and knows which ones were acknowledged.
struct Writer {
    client: Client,
    acknowledged: Vec<Vec<u8>>,
}

impl Writer {
    /// Segments are rolled all the time, so that all kinds of files are written.
    fn begin(broker: &Broker) -> anyhow::Result<Writer> {
        Writer::begin_with(broker, &[("internal.segment.bytes", "100000"), ("index.interval.bytes", "100")])
    }

    fn begin_with(broker: &Broker, configs: &[(&str, &str)]) -> anyhow::Result<Writer> {
        let mut client = Client::connect(broker.bootstrap())?;
        ensure!(client.create_topic(TOPIC, 1, configs)? == 0, "the topic cannot be created");
        Ok(Writer { client, acknowledged: Vec::new() })
    }

    fn reconnect(&mut self, broker: &Broker) -> anyhow::Result<()> {
        self.client = Client::connect(broker.bootstrap())?;
        Ok(())
    }

    fn write(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            let answer = self.write_one()?;
            ensure!(answer.error_code == 0, "a record was refused: {answer:?}");
        }
        Ok(())
    }

    fn write_until_refused(&mut self) -> anyhow::Result<()> {
        const MORE_THAN_FITS: usize = 20_000;
        for _ in 0..MORE_THAN_FITS {
            match self.write_one()?.error_code {
                0 => {}
                KAFKA_STORAGE_ERROR => return Ok(()),
                other => bail!("a record was refused with error {other}"),
            }
        }
        bail!("records were taken although there is no room for them")
    }

    fn write_one(&mut self) -> anyhow::Result<Produced> {
        let mut value = format!("record {}", self.acknowledged.len()).into_bytes();
        value.resize(RECORD_BYTES, b'.');
        let batch = Batch { records: vec![(None, Some(value))], ..Batch::default() }.bytes();
        let answer = self.client.produce(TOPIC, 0, batch.clone())?;
        if answer.error_code == 0 {
            let due = i64::try_from(self.acknowledged.len())?;
            ensure!(answer.base_offset == due, "offset {} instead of {due}", answer.base_offset);
            self.acknowledged.push(batch);
        }
        Ok(answer)
    }

    /// All that was acknowledged is there, and nothing else.
    fn check(&mut self) -> anyhow::Result<()> {
        let found = self.client.fetch_all_from(TOPIC, 0, 0)?;
        let (found_count, due) = (found.len(), self.acknowledged.len());
        ensure!(found_count == due, "{due} records were acknowledged, {found_count} are there");
        for (offset, (found, sent)) in found.iter().zip(&self.acknowledged).enumerate() {
            ensure!(found[16..] == sent[16..], "at {offset} stand other bytes than were sent");
        }
        Ok(())
    }
}

fn launch(folder: Option<PathBuf>, limits: &[String]) -> anyhow::Result<Broker> {
    let arguments = vec!["--quiet".to_owned()];
    Broker::launch(Launch { folder, limits: limits.to_vec(), arguments, ..Launch::default() })
}

fn folders_of(topic: &str, folder: &Path) -> anyhow::Result<usize> {
    let names = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    Ok(names.iter().filter(|name| name.starts_with(topic)).count())
}
