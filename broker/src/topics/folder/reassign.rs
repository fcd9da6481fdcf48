//! Puts replicas on other nodes while the topic is used. There is nothing to copy, so that who asks finds it done; a crash
//! leaves them where they were before or where they are after.

use std::io;
use std::sync::Arc;

use super::DataFolder;
use crate::journal::Event;
use crate::names::Principal;
use crate::storage::Error;
use crate::storage::metadata::TopicState;
use crate::topics::TopicError;
use crate::topics::replicas::Move;

impl DataFolder {
    /// Moves partitions of one topic; each succeeds or fails alone. Blocks.
    pub(in crate::topics) fn reassign(
        &self,
        by: &Principal,
        name: &str,
        moves: &[Move],
    ) -> Vec<Result<(), TopicError>> {
        let mut changes = self.changes();
        let nodes = self.config.now().nodes();
        let topic = self.registry.get(name);
        let mut outcomes: Vec<_> = moves.iter().map(|one| one.check(topic.as_deref(), name, nodes)).collect();
        let Some(topic) = topic else { return outcomes };
        let mut replication = topic.placement.replication.clone();
        let granted = moves.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).map(|(one, _)| one);
        for one in granted.filter(|one| one.moves_something(&topic)) {
            replication.assigned.extend(one.replicas.clone().map(|replicas| (one.partition, replicas)));
        }
        if replication == topic.placement.replication {
            return outcomes;
        }
        let mut put = || {
            if changes.stopped {
                return Err(self.stopping("reassign partitions in"));
            }
            self.check_in_place()?;
            // The metadata must not call live what an extension left half done.
            self.finish_namesakes(&mut changes, &topic.name)?;
            let mut record = topic.record(TopicState::Live);
            record.replication = replication.clone();
            self.metadata.put_topic(&record)
        };
        match put() {
            Ok(()) => {
                let moved = |partition: &i32| {
                    replication.assigned.get(partition) != topic.placement.replication.assigned.get(partition)
                };
                let partitions = replication.assigned.keys().copied().filter(moved).collect();
                self.journal.record(|| Event::ReplicasMoved {
                    topic: topic.name.to_string(),
                    topic_id: topic.id.to_string(),
                    partitions,
                    by: by.to_string(),
                });
                self.registry.replace(&Arc::new(topic.extended(Vec::new(), replication)));
            }
            Err(failure) => {
                // It befell all that would have succeeded.
                let why = failure.to_string();
                let failed = || Error::io("reassign partitions in", &self.path)(io::Error::other(why.clone()));
                outcomes.iter_mut().filter(|one| one.is_ok()).for_each(|one| *one = Err(failed().into()));
            }
        }
        outcomes
    }
}
