//! Opens a data folder: whose it is, which topics there are, then every log on a few threads.
//!
//! The file that says that the last stop was clean is removed when all logs are open and before anything can be
//! appended. A crash while logs are opened thus leaves it in place, and rightly: nothing was appended since, and what
//! opening itself changes (cutting a torn tail, writing an index anew) is as good done twice. A crash afterwards finds
//! it gone.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use super::checkpoints::Checkpoints;
use super::findings::Findings;
use super::ownership::{self, Owned};
use super::producer_ids::{ProducerIds, highest_plausible};
use super::reconcile::{self, Reconciled};
use super::{Changes, DataFolder, log_options, parallel, refused};
use crate::clock::Clock;
use crate::config::{BrokerConfig, LiveConfig, Scope, Settings, TopicConfig};
use crate::journal::Journal;
use crate::names::TopicPartition;
use crate::storage::Result;
use crate::storage::checkpoint::identity::CLEAN_SHUTDOWN_FILE;
use crate::storage::checkpoint::offsets::{self, LOG_START_FILE, Offsets, RECOVERY_POINT_FILE};
use crate::storage::disk::{Disk, DiskFile};
use crate::storage::log::{Finding, Log, Opening};
use crate::storage::metadata::{Metadata, TopicRecord, TopicState};
use crate::topics::Topic;
use crate::topics::partition::{Partition, Unusable};
use crate::topics::registry::Registry;
use crate::topics::upkeep::Upkeep;

/// A broker holds this file's lock while it uses a data folder; the name is Kafka's.
pub const LOCK_FILE: &str = ".lock";

/// What the data folder says about all logs.
#[derive(Debug)]
struct History {
    clean: bool,
    recovery_points: Offsets,
    log_starts: Offsets,
}

/// One log to open.
struct Job<'a> {
    topic: &'a TopicRecord,
    config: &'a TopicConfig,
    id: TopicPartition,
    dir: PathBuf,
}

/// A log that was opened or found unusable, what recovery found, and the highest plausible producer id in it.
struct Outcome {
    partition: Arc<Partition>,
    findings: Vec<Finding>,
    highest_producer_id: i64,
    lacks_descriptors: bool,
}

impl DataFolder {
    /// Opens the folder and every log in it. Blocks. Also returns the folders of deleted partitions, to be removed.
    pub(in crate::topics) fn open(
        disk: Disk,
        clock: Clock,
        config: Arc<BrokerConfig>,
        journal: Journal,
    ) -> Result<(DataFolder, Vec<PathBuf>)> {
        let path = config.log_dir.clone();
        let lock = take(&disk, &path)?;
        let mut findings = Findings::default();
        let owned = ownership::claim(&disk, &path, &config, clock.now_ms(), &mut findings)?;
        let reconciled = reconcile::reconcile(&disk, &path, &owned, &mut findings)?;
        let Reconciled { topics, deleted } = reconciled;
        let history = History::read(&disk, &path, &mut findings)?;
        let Owned { metadata, cluster_id, directory_id, run, .. } = owned;
        let now = with_altered(&config, &metadata, &path, &mut findings)?;
        let folder = DataFolder {
            upkeep: Arc::new(Upkeep::new(clock.clone(), run)),
            disk,
            path,
            config: LiveConfig::new(config, now),
            journal,
            cluster_id,
            directory_id,
            metadata,
            registry: Registry::default(),
            changes: Mutex::new(Changes::default()),
            producer_ids: ProducerIds::new(),
            checkpoints: Mutex::new(Checkpoints::default()),
            is_temporary: AtomicBool::new(false),
            lock,
        };
        let highest_producer_id = folder.open_topics(&topics, &history, &mut findings);
        for topic in topics.into_iter().filter(|topic| topic.state == TopicState::Extending) {
            folder.note_extended(topic)?;
        }
        // The metadata knows which ids it gave out. One that gave out none may be the successor of a lost file: then the
        // logs tell. Later they are not asked, because clients may write any id into them.
        if highest_producer_id >= 0 && folder.metadata.next_producer_id()? == 0 {
            folder.metadata.raise_next_producer_id(highest_producer_id)?;
        }
        if history.is_stale(&folder.registry) {
            folder.write_checkpoints()?;
        }
        if history.clean {
            folder.disk.remove_file(&folder.path.join(CLEAN_SHUTDOWN_FILE))?;
            folder.disk.sync_dir(&folder.path)?;
        }
        findings.report(&folder.disk, &folder.path, &clock, &folder.journal);
        Ok((folder, deleted))
    }

    /// Opens the logs of all topics, and registers the topics. Returns the highest producer id in them.
    fn open_topics(&self, topics: &[TopicRecord], history: &History, findings: &mut Findings) -> i64 {
        let configs: Vec<TopicConfig> = topics.iter().map(|topic| self.config_of(topic, findings)).collect();
        let jobs: Vec<Job<'_>> =
            topics.iter().zip(&configs).flat_map(|(topic, config)| self.jobs(topic, config)).collect();
        let outcomes = parallel::each(jobs, |job| self.open_log(&job, history));
        let mut outcomes = outcomes.into_iter();
        let (mut highest_producer_id, mut shut_out, mut all) = (-1, 0, 0);
        for (topic, config) in topics.iter().zip(configs) {
            let mut partitions = Vec::new();
            for outcome in outcomes.by_ref().take(usize::try_from(topic.partition_count).unwrap_or(0)) {
                all += 1;
                shut_out += usize::from(outcome.lacks_descriptors);
                let id = outcome.partition.id().clone();
                outcome.findings.into_iter().for_each(|finding| findings.add_recovered(&id, finding));
                highest_producer_id = highest_producer_id.max(outcome.highest_producer_id);
                outcome.partition.see_to_what_is_found();
                partitions.push(outcome.partition);
            }
            self.registry.insert(&Arc::new(Topic::new(topic, self.config.now().nodes(), config, partitions)));
        }
        if shut_out > 0 {
            findings.add(
                &self.path,
                format!(
                    "{shut_out} of {all} partitions are not served, because this process may not open more files; \
                     nothing is lost: raise its limit (ulimit -n, LimitNOFILE=) and start again"
                ),
            );
        }
        highest_producer_id
    }

    /// Notes that a topic has all partitions that it was to have, unless the disk has no room for one, or for the note: then
    /// the next start tries again.
    fn note_extended(&self, topic: TopicRecord) -> Result<()> {
        let served = self.registry.get_by_id(topic.id);
        let is_whole = |served: Arc<Topic>| served.partitions.iter().all(|one| one.recovery_point().is_some());
        if !served.is_some_and(is_whole) {
            return Ok(());
        }
        let noted = self.metadata.put_topic(&TopicRecord { state: TopicState::Live, ..topic });
        noted.or_else(|error| if error.is_out_of_room() { Ok(()) } else { Err(error) })
    }

    fn jobs<'a>(&self, topic: &'a TopicRecord, config: &'a TopicConfig) -> impl Iterator<Item = Job<'a>> {
        (0..topic.partition_count).map(move |partition| {
            let id = TopicPartition { topic: topic.name.clone(), partition };
            Job { topic, config, dir: self.path.join(id.to_string()), id }
        })
    }

    /// Opens one log; makes an empty one where the folder is gone. What cannot be opened is registered as such.
    fn open_log(&self, job: &Job<'_>, history: &History) -> Outcome {
        let Job { topic, config, id, dir } = job;
        let leader_epoch = leader_epoch(topic, self.upkeep.run.number);
        let log_start_offset = history.log_starts.get(id).copied().unwrap_or(0);
        let upkeep = Arc::clone(&self.upkeep);
        match self.open_or_create(job, leader_epoch, history) {
            Ok((log, findings)) => {
                let highest_producer_id = highest_plausible(log.producer_ids());
                let partition = Partition::new(id.clone(), log, config, upkeep);
                Outcome { partition, findings, highest_producer_id, lacks_descriptors: false }
            }
            Err(error) => {
                let sentence = format!("the log cannot be opened and is not served: {error}");
                let finding = Finding { file: dir.clone(), position: 0, length: 0, first_offset: 0, sentence };
                let unusable = Unusable { dir: dir.clone(), leader_epoch, log_start_offset, why: error.to_string() };
                let partition = Partition::unusable(id.clone(), unusable, upkeep);
                // What befalls many logs for one reason is told once for all of them.
                let lacks_descriptors = error.is_out_of_descriptors();
                let findings = if lacks_descriptors { Vec::new() } else { vec![finding] };
                Outcome { partition, findings, highest_producer_id: -1, lacks_descriptors }
            }
        }
    }

    fn open_or_create(&self, job: &Job<'_>, leader_epoch: i32, history: &History) -> Result<(Log, Vec<Finding>)> {
        let Job { topic, config, id, dir } = job;
        let options = log_options(config, &self.config.now(), topic.adopted);
        let now_ms = self.upkeep.clock.now_ms();
        let opening = Opening {
            clean: history.clean,
            recovery_point: history.recovery_points.get(id).copied().unwrap_or(0),
            log_start_offset: history.log_starts.get(id).copied().unwrap_or(0),
            leader_epoch,
        };
        let opened = Log::open(&self.disk, dir, topic.id, opening, options.clone(), now_ms);
        if opened.is_err() && !self.disk.exists(dir) {
            let log = Log::create(&self.disk, dir, topic.id, leader_epoch, options, now_ms)?;
            self.disk.sync_dir(&self.path)?;
            if topic.state == TopicState::Extending {
                return Ok((log, Vec::new()));
            }
            let sentence = "the folder was missing; an empty log has taken its place".into();
            let finding = Finding { file: dir.clone(), position: 0, length: 0, first_offset: 0, sentence };
            return Ok((log, vec![finding]));
        }
        let (mut log, findings) = opened?;
        // Where the readable end waits for the disk, it does so from the start: what a kill left in the page cache
        // could be lost after a consumer saw it.
        if config.flush_messages < i64::MAX && log.recovery_point() < log.log_end_offset() {
            let outcome = log.begin_flush().run();
            log.end_flush(outcome)?;
        }
        Ok((log, findings))
    }

    /// A topic's settings; those that this version does not take any more must not keep the topic from being served.
    fn config_of(&self, topic: &TopicRecord, findings: &mut Findings) -> TopicConfig {
        let (config, sentences) = self.config.now().topic_defaults.with_own(&topic.overrides);
        for sentence in sentences {
            let id = TopicPartition { topic: topic.name.clone(), partition: 0 };
            let sentence = format!("a setting of topic {} is not used: {sentence}", topic.name);
            findings.add_for(&id, &self.path, sentence);
        }
        config
    }
}

impl History {
    fn read(disk: &Disk, folder: &Path, findings: &mut Findings) -> Result<History> {
        let mut offsets = |file: &str, consequence: &str| {
            let path = folder.join(file);
            let read = offsets::read(disk, &path);
            findings.or_default(&path, read, consequence)
        };
        Ok(History {
            clean: disk.exists(&folder.join(CLEAN_SHUTDOWN_FILE)),
            recovery_points: offsets(RECOVERY_POINT_FILE, "every log is checked from its beginning")?,
            log_starts: offsets(LOG_START_FILE, "records below a log's start may be readable again")?,
        })
    }

    /// Whether the checkpoints speak of logs that are gone, or claim more than a log has. A log that gets such a name
    /// later would be judged by its predecessor's offsets.
    fn is_stale(&self, registry: &Registry) -> bool {
        let is_gone = |id: &TopicPartition| {
            let topic = registry.get(id.topic.as_str());
            topic.is_none_or(|topic| !(0..topic.partition_count).contains(&id.partition))
        };
        let end_offset = |id: &TopicPartition| {
            let partition = usize::try_from(id.partition).ok()?;
            Some(registry.get(id.topic.as_str())?.partitions.get(partition)?.log_end_offset())
        };
        self.recovery_points.iter().any(|(id, offset)| end_offset(id).is_none_or(|end| end < *offset))
            || self.log_starts.keys().any(is_gone)
    }
}

/// Makes the folder if need be, and takes its lock.
fn take(disk: &Disk, folder: &Path) -> Result<DiskFile> {
    disk.create_dir_durably(folder)?;
    let lock = disk.try_lock(&folder.join(LOCK_FILE))?;
    lock.ok_or_else(|| {
        refused(folder, "another broker is using it; stop that one, or choose another folder with log.dirs")
    })
}

/// The settings with what clients altered over them. Where the two do not go together any more, because a file was
/// changed since, the broker starts without the alterations, as Kafka does; they are kept all the same.
fn with_altered(
    config: &Arc<BrokerConfig>,
    metadata: &Metadata,
    path: &Path,
    findings: &mut Findings,
) -> Result<Arc<BrokerConfig>> {
    let mut settings = Settings::clone(&config.settings);
    for scope in Scope::ALL {
        let altered = findings.or_default(
            path,
            metadata.altered(scope),
            "what clients altered in the broker's settings is lost",
        )?;
        settings = settings.with_altered(scope, &altered);
    }
    Ok(Arc::new(config.with_alterations(settings.clone()).unwrap_or_else(|error| {
        findings.add(path, format!("the settings that clients altered are not in force: {error}"));
        BrokerConfig { settings: Arc::new(settings), ..BrokerConfig::clone(config) }
    })))
}

/// The leader epoch of a topic's partitions in a run.
pub(super) fn leader_epoch(topic: &TopicRecord, run: i64) -> i32 {
    i32::try_from((run - topic.first_run).max(0)).unwrap_or(i32::MAX)
}
