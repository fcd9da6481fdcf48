//! Commits of groups on a disk without room: refused, never half done, and taken again when there is room; compaction too.

use anyhow::{Context, ensure};
use cutaway_tests::broker::{Broker, Launch};
use cutaway_tests::client::Client;

use super::SmallDisk;
use crate::offsets_topic::{PARTITIONS, commit, committed, first_segment};

const READ: &str = "read";
const GROUPS: usize = 10;
/// NOT_COORDINATOR, by which clients know that they have to look for their coordinator again.
const REFUSED: i16 = 16;

#[test]
fn what_is_committed_stands_and_what_is_refused_does_not() -> anyhow::Result<()> {
    let Some(disk) = SmallDisk::mount()? else { return Ok(()) };
    let settings = ["offsets.topic.num.partitions=1", "offsets.topic.segment.bytes=1048576"];
    let settings = settings.iter().flat_map(|setting| ["--override".to_owned(), (*setting).to_owned()]);
    let arguments = std::iter::once("--quiet".to_owned()).chain(settings).collect();
    let mut broker = Broker::launch(Launch { folder: Some(disk.data_dir()), arguments, ..Launch::default() })?;
    let mut client = Client::connect(broker.bootstrap())?;
    ensure!(client.create_topic(READ, PARTITIONS, &[])? == 0, "no topic");
    let mut groups = Groups([0; GROUPS]);
    for _ in 0..4 {
        // Enough for the log to be compacted now and then, with and without room for that.
        for _ in 0..20 {
            ensure!(groups.commit(&mut client)?, "there is room");
        }
        disk.fill()?;
        let mut tries = 0;
        while groups.commit(&mut client)? {
            tries += 1;
            ensure!(tries < 1000, "commits are taken although there is no room for them");
        }
        groups.check(&mut client).context("on a full disk")?;
        disk.make_room()?;
    }
    for _ in 0..30 {
        ensure!(groups.commit(&mut client)?, "there is room again");
    }
    groups.check(&mut client)?;
    ensure!(first_segment(&disk.data_dir().join("__consumer_offsets-0"))? > 0, "nothing was compacted");
    broker.kill()?;
    broker.restart()?;
    groups.check(&mut Client::connect(broker.bootstrap())?).context("after a kill")
}

/// What was acknowledged last for each group.
struct Groups([i64; GROUPS]);

impl Groups {
    /// Each group commits the next offset; false when one is refused.
    fn commit(&mut self, client: &mut Client) -> anyhow::Result<bool> {
        for (group, acknowledged) in self.0.iter_mut().enumerate() {
            match commit(client, READ, group, *acknowledged + 1)? {
                0 => *acknowledged += 1,
                code => {
                    ensure!(code == REFUSED, "refused with error {code}");
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn check(&self, client: &mut Client) -> anyhow::Result<()> {
        for (group, acknowledged) in self.0.iter().enumerate() {
            let found = committed(client, group)?;
            ensure!(found.iter().all(|offset| offset == acknowledged), "group {group}: {found:?}, not {acknowledged}");
        }
        Ok(())
    }
}
