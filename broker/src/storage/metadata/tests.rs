//! Tests of the metadata file: what survives, what is refused, what is told from damage.

use std::sync::Arc;

use super::*;
use crate::names::TopicName;
use crate::storage::disk::{Change, Script};

fn founding() -> Founding {
    Founding { cluster_id: "c".into(), next_producer_id: 0, altered: BTreeMap::new() }
}

fn topic(name: &str) -> TopicRecord {
    TopicRecord {
        name: TopicName::parse(name).expect("a good name"),
        id: TopicId::random(),
        partition_count: 3,
        overrides: BTreeMap::from([("retention.ms".into(), "60000".into())]),
        state: TopicState::Live,
        first_run: 2,
        replication: Replication { factor: 3, assigned: BTreeMap::from([(1, vec![2, 1])]) },
        adopted: false,
    }
}

#[test]
fn what_was_committed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (disk, path) = (Disk::default(), folder.path().join(METADATA_FILE));
    let (kept, gone) = (topic("kept"), topic("gone"));
    let metadata = Metadata::create(&disk, &path, &founding()).expect("created");
    assert_eq!(metadata.begin_run().expect("a run"), 1);
    metadata.put_topic(&kept).expect("put");
    metadata.put_topic(&gone).expect("put");
    metadata.remove_topics(&[gone.id]).expect("removed");
    assert_eq!(metadata.take_producer_id_block().expect("a block"), 0);
    drop(metadata);

    let metadata = Metadata::open(&disk, &path, None).expect("opened");
    assert_eq!(metadata.cluster_id().expect("read"), "c");
    assert_eq!(metadata.topics().expect("read"), vec![kept]);
    assert_eq!(metadata.begin_run().expect("a run"), 2);
    assert_eq!(metadata.take_producer_id_block().expect("a block"), 1000);
}

#[test]
fn a_newer_file_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (disk, path) = (Disk::default(), folder.path().join(METADATA_FILE));
    let metadata = Metadata::create(&disk, &path, &founding()).expect("created");
    metadata
        .change(|transaction| {
            transaction.open_table(NUMBERS)?.insert(FORMAT, FORMAT_VERSION + 1).map(drop).map_err(Into::into)
        })
        .expect("raised");
    drop(metadata);
    let before = disk.read(&path).expect("readable");
    match Metadata::open(&disk, &path, None) {
        Err(OpenError::Newer(sentence)) => assert!(sentence.contains("newer version"), "{sentence}"),
        other => panic!("{other:?}"),
    }
    assert!(disk.read(&path).expect("readable") == before);
}

#[test]
fn the_file_of_another_cluster_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (disk, path) = (Disk::default(), folder.path().join(METADATA_FILE));
    drop(Metadata::create(&disk, &path, &founding()).expect("created"));
    let before = disk.read(&path).expect("readable");
    match Metadata::open(&disk, &path, Some("other")) {
        Err(OpenError::OtherCluster(id)) => assert_eq!(id, "c"),
        other => panic!("{other:?}"),
    }
    assert!(disk.read(&path).expect("readable") == before);
    Metadata::open(&disk, &path, Some("c")).expect("opened");
}

#[test]
fn after_a_failed_write_it_works_again_and_after_a_failed_sync_it_does_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = Arc::new(Script::default());
    let (disk, path) = (Disk::scripted(script.clone()), folder.path().join(METADATA_FILE));
    let metadata = Metadata::create(&disk, &path, &founding()).expect("created");
    let kept = topic("kept");
    metadata.put_topic(&kept).expect("put");
    script.fail_when(|change| matches!(change, Change::Write(..)).then(|| std::io::ErrorKind::StorageFull.into()));
    metadata.put_topic(&topic("refused")).expect_err("no room");
    metadata.put_topic(&topic("refused-too")).expect_err("no room");
    script.heal();
    assert_eq!(metadata.topics().expect("read"), [kept]);
    metadata.put_topic(&topic("put")).expect("there is room again");

    script.fail_when(|change| matches!(change, Change::Sync(_)).then(|| std::io::ErrorKind::Other.into()));
    metadata.put_topic(&topic("lost")).expect_err("no sync");
    script.heal();
    // What the page cache says need not be on the disk.
    metadata.put_topic(&topic("lost-too")).expect_err("shut until a restart");
}

#[test]
fn damage_is_told_and_never_a_panic() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (disk, path) = (Disk::default(), folder.path().join(METADATA_FILE));
    let metadata = Metadata::create(&disk, &path, &founding()).expect("created");
    metadata.put_topic(&topic("t")).expect("put");
    drop(metadata);
    let good = disk.read(&path).expect("readable");
    let mut images: Vec<Vec<u8>> =
        vec![Vec::new(), b"garbage".to_vec(), vec![0; good.len()], good[..good.len() / 2].to_vec()];
    images.extend((0..good.len()).step_by(997).map(|at| {
        let mut image = good.clone();
        image[at] ^= 0x41;
        image
    }));
    let mut refused_count = 0;
    for image in images {
        std::fs::write(&path, &image).expect("written");
        match Metadata::open(&disk, &path, None) {
            Err(OpenError::Damaged(_)) => refused_count += 1,
            Ok(metadata) => assert_eq!(metadata.topics().expect("a file that opens is whole").len(), 1),
            other => panic!("{other:?}"),
        }
    }
    assert!(refused_count >= 4, "only {refused_count} were refused");
}

#[test]
fn a_crash_at_any_change_leaves_all_of_a_commit_or_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = Arc::new(Script::default());
    let disk = Disk::scripted(script.clone());
    let data = folder.path().join("data");
    let path = data.join(METADATA_FILE);
    disk.create_dir_all(&data).expect("made");
    let metadata = Metadata::create(&disk, &path, &founding()).expect("created");
    let created_at = script.changes().len();
    metadata.put_topic(&topic("t")).expect("put");
    let put_at = script.changes().len();
    drop(metadata);
    let changes = script.changes();
    for kept in 1..=changes.len() {
        for unsynced in [false, true] {
            let image = folder.path().join(format!("{kept}-{unsynced}"));
            std::fs::create_dir_all(&image).expect("made");
            Script::crash_image(&changes, kept, unsynced, &data, &image).expect("an image");
            let at = image.join(METADATA_FILE);
            if !at.exists() {
                assert!(kept < created_at, "lost after {kept} of {created_at}");
                continue;
            }
            let topics =
                Metadata::open(&Disk::default(), &at, Some("c")).expect("opens").topics().expect("reads").len();
            assert!(topics == 1 || kept < put_at, "an acknowledged topic is lost after {kept} of {put_at}");
        }
    }
}

#[test]
fn topics_of_a_file_that_knows_no_replicas_have_one_of_each_partition() {
    let old = r#"{"name":"t","partition_count":1,"overrides":{},"state":"live","first_run":0,"adopted":false}"#;
    let read = StoredTopic::parse(Path::new("file"), 7, old).expect("an old record");
    assert_eq!(read.replication, Replication::of(1));
}
