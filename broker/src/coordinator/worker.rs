//! One shard at work: a task that owns it, hears requests in their order, and appends what they decide.
//!
//! Whatever has come meanwhile is decided in one go and appended in as few batches as possible, so that many commits cost
//! little more than one. Answers go out when the records that they tell of stand in the log. While nothing is asked and
//! nothing is due, nothing runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kafka_protocol::ResponseError;
use tokio::sync::{mpsc, oneshot};

use super::compaction::Compaction;
use super::conversation::{Reply, Request};
use super::group::Ticket;
use super::loading::Loaded;
use super::record::Record;
use super::{Outcome, Shard};
use crate::clock::{Clock, TimestampMs};
use crate::journal::{Event, Journal};
use crate::names::brief;
use crate::storage::Error;
use crate::storage::batch::{BatchBuilder, Compression, RecordBatch};
use crate::topics::Partition;

/// Requests that wait for a shard; whoever comes then waits in its connection.
pub(super) const MAILBOX: usize = 1024;

/// Requests that are decided in one go.
const BATCH_REQUESTS: usize = 512;

/// A batch is appended when it has become this large.
const BATCH_BYTES: usize = 256 * 1024;

/// So much of a group's id is told; most are much shorter.
const TOLD_BYTES: usize = 256;

/// A request, and who wants the answer.
pub(super) struct Mail {
    pub(super) request: Request,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// A shard, where it writes, and who waits.
pub(super) struct Worker {
    shard: Shard,
    partition: Arc<Partition>,
    compaction: Compaction,
    clock: Clock,
    journal: Journal,
    /// No record batch of the topic may be larger.
    max_batch_bytes: usize,
    waiting: HashMap<Ticket, oneshot::Sender<Reply>>,
    tickets: u64,
}

impl Worker {
    pub(super) fn new(
        Loaded { shard, is_complete }: Loaded,
        partition: Arc<Partition>,
        clock: Clock,
        journal: Journal,
        max_batch_bytes: usize,
    ) -> Worker {
        let compaction = Compaction::new(Arc::clone(&partition), &shard, is_complete);
        Worker { shard, partition, compaction, clock, journal, max_batch_bytes, waiting: HashMap::new(), tickets: 0 }
    }

    /// Works until nobody can ask any more, after what is due first. Those who still wait then hear nothing from here.
    pub(super) async fn run(mut self, mut mailbox: mpsc::Receiver<Mail>, first: Vec<Outcome>) {
        self.append(first).await;
        let mut mail = Vec::new();
        loop {
            let due_ms = self.shard.next_deadline_ms();
            tokio::select! {
                count = mailbox.recv_many(&mut mail, BATCH_REQUESTS) => if count == 0 { return },
                () = until(&self.clock, due_ms) => {}
                () = std::future::ready(()), if self.compaction.is_appending() => {}
            }
            let now_ms = self.clock.now_ms();
            let mut outcomes: Vec<Outcome> = mail.drain(..).map(|one| self.decide(one)).collect();
            if self.shard.next_deadline_ms().is_some_and(|due_ms| due_ms <= now_ms) {
                outcomes.push(self.shard.pass_time(now_ms));
            }
            let grows = outcomes.iter().any(|outcome| !outcome.records.is_empty());
            self.append(outcomes).await;
            if grows || self.compaction.is_appending() {
                self.compact().await;
            }
        }
    }

    /// Appends a piece of what counts anew, if it is time for that. Nothing is under way now that is not in the log.
    async fn compact(&mut self) {
        let Some(place) = self.compaction.next() else { return };
        let (records, next) = self.shard.projection(place.as_ref(), BATCH_BYTES);
        let records = records.into_iter().map(Outcome::of_record).collect();
        for Pack { batch, .. } in packs(records, self.clock.now_ms()) {
            if let Some(batch) = batch
                && let Err(error) = self.partition.append(&batch).await
            {
                self.code(&error);
                return self.compaction.failed();
            }
        }
        self.compaction.appended(next);
        // An append seldom has to wait, and others shall have their turn.
        tokio::task::yield_now().await;
    }

    fn decide(&mut self, Mail { request, reply }: Mail) -> Outcome {
        self.tickets += 1;
        let (ticket, now_ms) = (Ticket(self.tickets), self.clock.now_ms());
        self.waiting.insert(ticket, reply);
        let outcome = self.shard.apply(&request, ticket, now_ms);
        if outcome.size() > self.max_batch_bytes {
            // Before anything else builds on it.
            return self.shard.take_back(outcome, ResponseError::UnknownServerError, now_ms);
        }
        outcome
    }

    /// Appends what was decided, and answers. What cannot be appended is taken back, the latest first, and with it what was
    /// decided later: it may build on what is not there.
    async fn append(&mut self, outcomes: Vec<Outcome>) {
        let mut due = outcomes;
        while !due.is_empty() {
            let (mut failure, mut failed) = (None, Vec::new());
            for Pack { outcomes, batch } in packs(due, self.clock.now_ms()) {
                if let (None, Some(batch)) = (failure, &batch) {
                    failure = self.partition.append(batch).await.err().map(|error| self.code(&error));
                }
                match failure {
                    None => outcomes.into_iter().for_each(|outcome| self.answer(outcome)),
                    Some(_) => failed.extend(outcomes),
                }
            }
            let Some(why) = failure else { return };
            let now_ms = self.clock.now_ms();
            due = failed.into_iter().rev().map(|outcome| self.shard.take_back(outcome, why, now_ms)).collect();
        }
    }

    fn answer(&mut self, outcome: Outcome) {
        outcome.records.iter().for_each(|record| self.tell(record));
        for (ticket, reply) in outcome.replies {
            if let Some(waiting) = self.waiting.remove(&ticket) {
                // Who has gone meanwhile does not hear it.
                let _ = waiting.send(reply);
            }
        }
    }

    /// Tells what befell a group, once it is written down.
    fn tell(&self, record: &Record) {
        let Record::Group { group, metadata } = record else { return };
        let group = || brief(group.as_str(), TOLD_BYTES).to_owned();
        match metadata {
            None => self.journal.record(|| Event::GroupDeleted { group: group() }),
            Some(settled) if !settled.members.is_empty() => self.journal.record(|| Event::GroupSettled {
                group: group(),
                generation: settled.generation,
                members: settled.members.len(),
                protocol: brief(settled.protocol.as_deref().unwrap_or_default(), TOLD_BYTES).to_owned(),
            }),
            // A group that has just been made had nobody yet.
            Some(made) if made.generation == 0 => {}
            Some(emptied) => {
                self.journal.record(|| Event::GroupEmptied { group: group(), generation: emptied.generation });
            }
        }
    }

    /// What clients hear of a failure to append (Kafka's `CoordinatorOperationExceptionHelper`).
    fn code(&self, error: &Error) -> ResponseError {
        if error.is_fault() {
            tracing::error!("groups and offsets cannot be written down: {error}");
        }
        match error {
            Error::Refused(_) => ResponseError::UnknownServerError,
            _ => ResponseError::NotCoordinator,
        }
    }
}

/// What is appended together.
struct Pack {
    outcomes: Vec<Outcome>,
    batch: Option<RecordBatch>,
}

/// Puts outcomes together into batches, none of which is much larger than it must be; the records of one stay together.
fn packs(outcomes: Vec<Outcome>, now_ms: TimestampMs) -> Vec<Pack> {
    let mut packs = Vec::new();
    let (mut together, mut builder) = (Vec::new(), BatchBuilder::new(Compression::None));
    for outcome in outcomes {
        if !builder.is_empty() && builder.uncompressed_size() + outcome.size() > BATCH_BYTES {
            packs.push(pack(std::mem::take(&mut together), builder));
            builder = BatchBuilder::new(Compression::None);
        }
        for record in &outcome.records {
            let (key, value) = record.encode();
            builder.push(now_ms, Some(&key), value.as_deref(), &[]);
        }
        together.push(outcome);
    }
    packs.push(pack(together, builder));
    packs
}

fn pack(outcomes: Vec<Outcome>, builder: BatchBuilder) -> Pack {
    Pack { outcomes, batch: (!builder.is_empty()).then(|| builder.build()) }
}

/// Waits until a time, or for ever.
async fn until(clock: &Clock, due_ms: Option<TimestampMs>) {
    let Some(due_ms) = due_ms else { return std::future::pending().await };
    let left_ms = due_ms.saturating_sub(clock.now_ms());
    clock.sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))).await;
}
