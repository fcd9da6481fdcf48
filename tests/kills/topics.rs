//! Kills while topics are created, extended and deleted: afterwards each is wholly there or wholly gone, and has as many
//! partitions as before or all that were wanted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::thread;

use anyhow::{Context, ensure};
use cutaway_tests::batches::Batch;
use cutaway_tests::broker::Broker;
use cutaway_tests::chance::Chance;
use cutaway_tests::client::Client;
use cutaway_tests::patience;

use super::kills;

const NAMES: usize = 6;

/// So many that making, extending and deleting a topic takes a while, in which it can be interrupted.
const MOST_PARTITIONS: usize = 20;

/// What is known of the topics.
#[derive(Debug, Default)]
struct Known {
    /// How many partitions each has.
    partitions: BTreeMap<String, i32>,
    /// What a kill left open: how many partitions a topic may have; 0 when it may be gone.
    in_doubt: Option<(String, [i32; 2])>,
}

#[test]
fn after_kills_among_changes_each_topic_is_wholly_there_or_wholly_gone() -> anyhow::Result<()> {
    let seed = Chance::seed(0x746f_7069);
    eprintln!("CUTAWAY_SEED={seed}");
    let mut chance = Chance::new(seed);
    let mut broker = Broker::start(&["--quiet"])?;
    let mut known = Known::default();
    for round in 0..kills() {
        let changes = 1 + chance.below(12);
        change_until_killed(&mut broker, &mut known, &mut chance, changes)?;
        broker.restart()?;
        let mut client = Client::connect(broker.bootstrap())?;
        known.check(&mut client, broker.data_dir()).with_context(|| format!("round {round}, seed {seed}"))?;
    }
    Ok(())
}

/// Makes, extends and deletes topics; the broker is killed after so many changes, in the middle of the next.
fn change_until_killed(
    broker: &mut Broker,
    known: &mut Known,
    chance: &mut Chance,
    changes: usize,
) -> anyhow::Result<()> {
    let mut client = Client::connect(broker.bootstrap())?;
    let done = std::sync::atomic::AtomicUsize::new(0);
    let count = || done.load(std::sync::atomic::Ordering::Relaxed);
    thread::scope(|scope| {
        let changing = scope.spawn(|| -> anyhow::Result<()> {
            while known.change(&mut client, chance)? {
                done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            Ok(())
        });
        let enough = patience::until("changes", || Ok(count() >= changes || changing.is_finished()));
        broker.kill()?;
        enough?;
        changing.join().expect("it does not panic")
    })
}

impl Known {
    /// Makes a topic that is not there, or extends or deletes one that is; false when no answer came.
    fn change(&mut self, client: &mut Client, chance: &mut Chance) -> anyhow::Result<bool> {
        let name = format!("topic-{}", chance.below(NAMES));
        let more = 1 + i32::try_from(chance.below(MOST_PARTITIONS))?;
        let before = self.partitions.get(&name).copied().unwrap_or(0);
        let deletes = before > 0 && chance.below(2) == 0;
        let after = if deletes { 0 } else { before + more };
        self.in_doubt = Some((name.clone(), [before, after]));
        let answer = match (before, after) {
            (_, 0) => client.delete_topic(&name),
            (0, _) => client.create_topic(&name, after, &[]),
            _ => client.extend_topic(&name, after),
        };
        let Ok(code) = answer else { return Ok(false) };
        ensure!(code == 0, "{name}: error {code} on the way from {before} partitions to {after}");
        self.settle(name, after);
        self.in_doubt = None;
        Ok(true)
    }

    fn settle(&mut self, name: String, partitions: i32) {
        match partitions {
            0 => self.partitions.remove(&name),
            _ => self.partitions.insert(name, partitions),
        };
    }

    /// Compares with what the broker says and with what is in its folder, and settles what was in doubt.
    fn check(&mut self, client: &mut Client, folder: &Path) -> anyhow::Result<()> {
        let found = client.topics()?;
        let found: BTreeMap<String, i32> = found
            .iter()
            .map(|topic| {
                (topic.name.as_ref().map_or_else(String::new, |name| name.to_string()), topic.partitions.len() as i32)
            })
            .collect();
        if let Some((name, may_have)) = self.in_doubt.take() {
            let has = found.get(&name).copied().unwrap_or(0);
            ensure!(may_have.contains(&has), "{name} may have {may_have:?} partitions, and has {has}");
            self.settle(name, has);
        }
        ensure!(found == self.partitions, "there should be {:?}, and there is {found:?}", self.partitions);
        let mut folders = BTreeSet::new();
        for (name, partitions) in &found {
            for partition in 0..*partitions {
                folders.insert(format!("{name}-{partition}"));
                let produced = client.produce(name, partition, Batch::default().bytes())?;
                ensure!(produced.error_code == 0, "{name}-{partition} takes no record: {produced:?}");
            }
        }
        let on_disk = folders_of_partitions(folder)?;
        ensure!(on_disk == folders, "the folders on the disk are {on_disk:?}, the partitions {folders:?}");
        Ok(())
    }
}

/// Those that are not about to be removed.
fn folders_of_partitions(folder: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !name.ends_with("-delete") {
            names.insert(name);
        }
    }
    Ok(names)
}
