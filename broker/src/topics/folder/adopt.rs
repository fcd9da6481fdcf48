//! Takes over topics that another broker wrote: all of them or none.
//!
//! ```text
//! metadata "creating" → copies of the folders → logs opened and checked → names durable → metadata "live" → registry
//! ```
//!
//! The steps are those of [`create`](super::create), and a crash among them is finished by the same rule: what is not
//! live is removed by the next start. The folders that were copied are only read.

use std::path::Path;
use std::sync::Arc;

use super::open::leader_epoch;
use super::{DataFolder, log_options, unknown};
use crate::config::TopicConfig;
use crate::journal::TopicOrigin;
use crate::names::{Principal, TopicPartition};
use crate::storage::Result;
use crate::storage::checkpoint::identity::{self, PARTITION_METADATA_FILE};
use crate::storage::log::{Finding, Log, Opening};
use crate::storage::metadata::{TopicRecord, TopicState};
use crate::topics::adoption::{Adoption, Source};
use crate::topics::creation::{NewTopic, Planned};
use crate::topics::partition::Partition;
use crate::topics::{Topic, TopicError};

/// A topic that was taken over.
#[derive(Debug)]
pub struct Adopted {
    /// The topic as it is served now.
    pub topic: Arc<Topic>,
    /// What was found wrong in it, and what that means for readers.
    pub findings: Vec<(TopicPartition, Finding)>,
}

/// A topic on its way into the folder.
struct Coming<'a> {
    wanted: &'a Adoption,
    record: TopicRecord,
    config: TopicConfig,
}

impl DataFolder {
    /// Copies topics into the folder, checks every batch of them, and serves them. Blocks.
    pub(in crate::topics) fn adopt(
        &self,
        by: &Principal,
        wanted: &[Adoption],
    ) -> std::result::Result<Vec<Adopted>, TopicError> {
        let mut changes = self.changes();
        self.may_make(&changes, "adopt topics into")?;
        let mut planned = Planned::default();
        let mut coming = Vec::new();
        for one in wanted {
            self.finish_namesakes(&mut changes, &one.name)?;
            let next = self.plan_adoption(one, &planned)?;
            planned.add(&next.record.name, next.record.partition_count);
            coming.push(next);
        }
        self.metadata.put_topics(coming.iter().map(|one| &one.record))?;
        let taken = self.take_over(&coming).inspect_err(|_| {
            coming.iter().for_each(|one| self.abandon(&mut changes, &one.record));
        })?;
        let register = |Adopted { topic, findings }| {
            self.tell_findings(&findings);
            Adopted { topic: self.register(topic, by, TopicOrigin::Adopted), findings }
        };
        Ok(taken.into_iter().map(register).collect())
    }

    /// What a topic is to be here: all that is asked of a new one is asked of this one.
    fn plan_adoption<'a>(
        &self,
        wanted: &'a Adoption,
        planned: &Planned,
    ) -> std::result::Result<Coming<'a>, TopicError> {
        let folders = wanted.partitions.iter().map(|(number, source)| (*number, source.dir.clone())).collect();
        let is_taken = |id| self.registry.get_by_id(id).is_some();
        for source in wanted.partitions.values() {
            let id = identity::read_topic_id(&self.disk, &source.dir.join(PARTITION_METADATA_FILE))?;
            if let Some(other) = id.and_then(|id| self.registry.get_by_id(id)) {
                return Err(match other.name == wanted.name {
                    true => TopicError::Exists(other.name.clone()),
                    false => TopicError::InvalidRequest(format!(
                        "{} has the id of topic {}, which is here already: {}",
                        wanted.name, other.name, other.id
                    )),
                });
            }
        }
        let found = unknown::describe(&self.disk, &wanted.name, &folders, self.upkeep.run.number, is_taken);
        if !super::reconcile::is_plausible(found.partition_count, &folders) {
            let last = found.partition_count - 1;
            return Err(TopicError::InvalidPartitions(format!(
                "{}-{last} is far above the topic's other folders; adopt them together",
                wanted.name
            )));
        }
        let wish = NewTopic {
            name: wanted.name.to_string(),
            partitions: found.partition_count,
            replication_factor: 1,
            assignments: Vec::new(),
            configs: wanted.configs.clone(),
        };
        let (record, config) = self.plan(&wish, planned)?;
        let record = TopicRecord { id: found.id, first_run: found.first_run, adopted: true, ..record };
        Ok(Coming { wanted, record, config })
    }

    /// Everything between the two commits, and the second one.
    fn take_over(&self, coming: &[Coming<'_>]) -> Result<Vec<Adopted>> {
        let mut taken = Vec::new();
        for one in coming {
            let (mut partitions, mut findings) = (Vec::new(), Vec::new());
            for number in 0..one.record.partition_count {
                let id = TopicPartition { topic: one.record.name.clone(), partition: number };
                let dir = self.partition_dir(&id.topic, number);
                self.check_vacant(&dir)?;
                let made = match one.wanted.partitions.get(&number) {
                    Some(source) => self.take_over_log(one, source, &dir),
                    None => self.empty_log(one, &dir).map(|log| (log, Vec::new())),
                };
                // Until it says whose it is, nobody but us knows that this folder may be removed.
                let (log, found) = made.inspect_err(|_| drop(self.disk.remove_dir_all(&dir)))?;
                findings.extend(found.into_iter().map(|finding| (id.clone(), finding)));
                partitions.push(Partition::new(id, log, &one.config, Arc::clone(&self.upkeep)));
            }
            let topic = Topic::new(&one.record, self.config.now().nodes(), one.config.clone(), partitions);
            taken.push(Adopted { topic: Arc::new(topic), findings });
        }
        self.disk.sync_dir(&self.path)?;
        // Where the logs begin stands in a checkpoint alone, and must not be less than the topics are known.
        self.write_checkpoints_with(taken.iter().map(|one| &one.topic))?;
        let live = coming.iter().map(|one| TopicRecord { state: TopicState::Live, ..one.record.clone() });
        self.metadata.put_topics(&live.collect::<Vec<_>>())?;
        Ok(taken)
    }

    /// Copies one log, opens it as after a kill, so that every batch is checked, and makes it durable.
    fn take_over_log(&self, one: &Coming<'_>, source: &Source, dir: &Path) -> Result<(Log, Vec<Finding>)> {
        self.disk.create_dir_all(dir)?;
        identity::write_topic_id(&self.disk, &dir.join(PARTITION_METADATA_FILE), one.record.id)?;
        for name in source.files.iter().filter(|name| *name != PARTITION_METADATA_FILE) {
            self.disk.copy(&source.dir.join(name), &dir.join(name))?;
        }
        let opening = Opening {
            clean: false,
            recovery_point: 0,
            log_start_offset: source.log_start_offset,
            leader_epoch: leader_epoch(&one.record, self.upkeep.run.number),
        };
        let options = log_options(&one.config, &self.config.now(), true);
        let now_ms = self.upkeep.clock.now_ms();
        let (mut log, findings) = Log::open(&self.disk, dir, one.record.id, opening, options, now_ms)?;
        if one.wanted.abort_open {
            log.abort_open_transactions(now_ms)?;
        }
        let flushed = log.begin_flush().run();
        log.end_flush(flushed)?;
        self.disk.sync_dir(dir)?;
        Ok((log, findings))
    }

    fn empty_log(&self, one: &Coming<'_>, dir: &Path) -> Result<Log> {
        let options = log_options(&one.config, &self.config.now(), true);
        let epoch = leader_epoch(&one.record, self.upkeep.run.number);
        Log::create(&self.disk, dir, one.record.id, epoch, options, self.upkeep.clock.now_ms())
    }

    fn tell_findings(&self, findings: &[(TopicPartition, Finding)]) {
        let mut all = super::findings::Findings::default();
        findings.iter().for_each(|(id, finding)| all.add_recovered(id, finding.clone()));
        all.report(&self.disk, &self.path, &self.upkeep.clock, &self.journal);
    }
}
