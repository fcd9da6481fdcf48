//! Makes topics, one or a thousand of them in the same few steps, which a crash may interrupt anywhere; and gives them more
//! partitions:
//!
//! ```text
//! metadata "creating" or "extending" → folders → their names durable → metadata "live" → registry, answer
//! ```
//!
//! Each of the two commits holds all topics that are made together, and one sync makes the names of all folders durable.
//! What is in a folder is not synced here: it holds nothing yet that could not be made again (see
//! [`Log::create`]). A topic that cannot be made fails alone.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::open::leader_epoch;
use super::unknown::overrides_of_internal;
use super::{Changes, DataFolder, log_options, parallel};
use crate::config::TopicConfig;
use crate::journal::{Event, TopicOrigin};
use crate::names::{Principal, TopicId, TopicName, TopicPartition};
use crate::storage::log::Log;
use crate::storage::metadata::{TopicRecord, TopicState};
use crate::storage::{Error, Result};
use crate::topics::creation::{NewTopic, Plan, Planned};
use crate::topics::extension::MorePartitions;
use crate::topics::partition::Partition;
use crate::topics::{Topic, TopicError};

/// What became of a wish.
pub(in crate::topics) type Created = std::result::Result<Arc<Topic>, TopicError>;

/// Partitions on their way from the wish to the registry: all of a new topic, or more of one that is there.
#[derive(Debug)]
struct Coming {
    /// The topic as it is to be, in the state that a crash would leave it in.
    record: TopicRecord,
    config: Arc<TopicConfig>,
    numbers: Range<i32>,
    /// What was made, or why it could not be made.
    partitions: Result<Vec<Arc<Partition>>>,
}

impl DataFolder {
    /// Says what would come of a wish, if `planned` were there already.
    pub(in crate::topics) fn plan(
        &self,
        wanted: &NewTopic,
        planned: &Planned,
    ) -> std::result::Result<(TopicRecord, TopicConfig), TopicError> {
        let plan = Plan::of(wanted, &self.config.now(), &self.registry, planned)?;
        let topic = TopicRecord {
            name: plan.name,
            id: TopicId::random(),
            partition_count: plan.partition_count,
            overrides: plan.overrides,
            state: TopicState::Creating,
            first_run: self.upkeep.run.number,
            replication: plan.replication,
            adopted: false,
        };
        Ok((topic, plan.config))
    }

    /// Creates topics, and says of each what became of it. Blocks.
    pub(in crate::topics) fn create(&self, by: &Principal, wanted: &[NewTopic], origin: TopicOrigin) -> Vec<Created> {
        let mut changes = self.changes();
        let mut planned = Planned::default();
        let mut prepare = |wish| {
            self.may_make(&changes, "create a topic in")?;
            let (record, config) = self.plan(wish, &planned)?;
            self.finish_namesakes(&mut changes, &record.name)?;
            planned.add(&record.name, record.partition_count);
            let (config, numbers) = (Arc::new(config), 0..record.partition_count);
            Ok(Coming { record, config, numbers, partitions: Ok(Vec::new()) })
        };
        let mut wishes: Vec<std::result::Result<Coming, TopicError>> = wanted.iter().map(&mut prepare).collect();
        let mut coming: Vec<&mut Coming> = wishes.iter_mut().flatten().collect();
        self.make(&mut coming);
        let mut settle = |coming: Coming| {
            let Coming { record, config, partitions, .. } = coming;
            let partitions = partitions.inspect_err(|_| self.abandon(&mut changes, &record))?;
            let config = Arc::unwrap_or_clone(config);
            Ok(self.register(Arc::new(Topic::new(&record, self.config.now().nodes(), config, partitions)), by, origin))
        };
        wishes.into_iter().map(|wish| wish.and_then(&mut settle)).collect()
    }

    /// The topic that somebody wants to extend, if that may be.
    pub(in crate::topics) fn check_extension(
        &self,
        wanted: &MorePartitions,
    ) -> std::result::Result<Arc<Topic>, TopicError> {
        let topic = self.registry.get(&wanted.topic).ok_or(TopicError::Unknown)?;
        wanted.of(&topic, self.config.now().nodes(), self.registry.partition_count())?;
        Ok(topic)
    }

    /// Gives a topic more partitions. A crash leaves it with as many as before or with all that were wanted, for the
    /// next start finishes what it finds begun. Blocks.
    pub(in crate::topics) fn extend(&self, by: &Principal, wanted: &MorePartitions) -> Created {
        let mut changes = self.changes();
        self.may_make(&changes, "extend a topic in")?;
        let topic = self.check_extension(wanted)?;
        self.finish_namesakes(&mut changes, &topic.name)?;
        let new = topic.partition_count..wanted.count;
        // What fails below is taken back by removing folders of this topic, so that none may be there before.
        new.clone().try_for_each(|partition| self.check_vacant(&self.partition_dir(&topic.name, partition)))?;
        let replication = wanted.replication(&topic, new.clone());
        let extending = topic.record(TopicState::Extending);
        let record = TopicRecord { partition_count: wanted.count, replication: replication.clone(), ..extending };
        let config = Arc::clone(&topic.config);
        let mut coming = Coming { record, config, numbers: new, partitions: Ok(Vec::new()) };
        self.make(&mut [&mut coming]);
        let partitions = coming.partitions.inspect_err(|_| self.abandon(&mut changes, &coming.record))?;
        let extended = Arc::new(topic.extended(partitions, replication));
        self.registry.replace(&extended);
        self.upkeep.note_change();
        self.journal.record(|| Event::TopicExtended {
            topic: extended.name.to_string(),
            topic_id: extended.id.to_string(),
            partitions: extended.partition_count,
            by: by.to_string(),
        });
        Ok(extended)
    }

    pub(super) fn may_make(&self, changes: &Changes, action: &'static str) -> Result<()> {
        if changes.stopped {
            return Err(self.stopping(action));
        }
        self.check_in_place()?;
        self.upkeep.run.count()
    }

    /// Makes topics or partitions in the metadata and in the folder; each tells afterwards how that went.
    fn make(&self, coming: &mut [&mut Coming]) {
        if coming.is_empty() {
            return;
        }
        let mut failure = self.metadata.put_topics(coming.iter().map(|one| &one.record)).err();
        if failure.is_none() {
            self.create_logs(coming);
            failure = self.disk.sync_dir(&self.path).err();
        }
        if failure.is_none() {
            let made = coming.iter().filter(|one| one.partitions.is_ok());
            let live: Vec<_> = made.map(|one| TopicRecord { state: TopicState::Live, ..one.record.clone() }).collect();
            failure = self.metadata.put_topics(&live).err();
        }
        if let Some(failure) = failure {
            let made = coming.iter_mut().filter(|one| one.partitions.is_ok());
            made.for_each(|one| one.partitions = Err(befallen(&failure)));
        }
    }

    /// Makes the logs of new partitions, on a few threads.
    fn create_logs(&self, coming: &mut [&mut Coming]) {
        let (broker, now_ms) = (self.config.now(), self.upkeep.clock.now_ms());
        let jobs = coming.iter().flat_map(|one| one.numbers.clone().map(|number| (&one.record, &*one.config, number)));
        let logs = parallel::each(jobs.collect(), |(topic, config, partition)| {
            let dir = self.partition_dir(&topic.name, partition);
            self.check_vacant(&dir)?;
            let (epoch, options) =
                (leader_epoch(topic, self.upkeep.run.number), log_options(config, &broker, topic.adopted));
            let made = Log::create(&self.disk, &dir, topic.id, epoch, options, now_ms);
            // Until it says whose it is, nobody but us knows that this folder may be removed.
            let log = made.inspect_err(|_| drop(self.disk.remove_dir_all(&dir)))?;
            let id = TopicPartition { topic: topic.name.clone(), partition };
            Ok(Partition::new(id, log, config, Arc::clone(&self.upkeep)))
        });
        let mut logs = logs.into_iter();
        for one in coming {
            let own: Vec<_> = logs.by_ref().take(one.numbers.len()).collect();
            one.partitions = own.into_iter().collect();
        }
    }

    pub(super) fn check_vacant(&self, dir: &Path) -> Result<()> {
        if self.disk.exists(dir) {
            let occupied = "a folder of this name is there already; move it away, or restart the broker to serve it";
            return Err(Error::io("create", dir)(io::Error::other(occupied)));
        }
        Ok(())
    }

    pub(super) fn register(&self, topic: Arc<Topic>, by: &Principal, origin: TopicOrigin) -> Arc<Topic> {
        self.registry.insert(&topic);
        self.upkeep.note_change();
        self.journal.record(|| Event::TopicCreated {
            topic: topic.name.to_string(),
            topic_id: topic.id.to_string(),
            partitions: topic.partition_count,
            by: by.to_string(),
            origin,
        });
        topic
    }
}

/// The same failure for each of those that it befell.
fn befallen(failure: &Error) -> Error {
    match failure {
        Error::Io { action, path, source } => {
            Error::Io { action, path: path.clone(), source: io::Error::new(source.kind(), source.to_string()) }
        }
        other => Error::io("create topics in", Path::new("."))(io::Error::other(other.to_string())),
    }
}

/// The wish behind a topic that is created because somebody used its name.
pub(in crate::topics) fn automatic(name: &TopicName) -> NewTopic {
    let configs = overrides_of_internal(name).into_iter().map(|(key, value)| (key, Some(value))).collect();
    NewTopic { name: name.to_string(), partitions: -1, replication_factor: -1, assignments: Vec::new(), configs }
}
