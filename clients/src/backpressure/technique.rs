//! What can be done about a source that is faster than its reader: the techniques, and what each sets.

use clap::ValueEnum;

/// A way to deal with the pressure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Technique {
    /// The baseline: reads, prints the rate every 100 events, and sends nothing
    Plain,
    /// Many events in one request: linger.ms=5, batch.size=100000
    Batching,
    /// A queue between the reader and one worker, and a rule for when it is full
    BoundedBuffer,
    /// Several workers take from the queue
    ParallelWorkers,
    /// First one send at a time, each waited for; then many at once, compressed
    TunedProducer,
    /// All of these in turn
    All,
}

/// What happens to an event when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Policy {
    /// The reader waits; the source has to slow down, or drops us
    Block,
    /// The event that comes is thrown away
    DropNewest,
    /// The event that has waited longest is thrown away
    DropOldest,
}

/// How a record is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// Not at all.
    None,
    /// Handed over; a report comes later.
    Many,
    /// Handed over and waited for.
    OneAtATime,
}

/// One round: a technique with everything it sets.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Its name in lines and in the table.
    pub(super) name: &'static str,
    /// A queue between the reader and the workers; without one the reader does all the work.
    pub(super) has_queue: bool,
    pub(super) workers: usize,
    pub(super) work_ms: u64,
    pub(super) sending: Sending,
    /// Settings of the Kafka client, by librdkafka's names.
    pub(super) settings: &'static [(&'static str, &'static str)],
}

const BATCHING: &[(&str, &str)] = &[("linger.ms", "5"), ("batch.size", "100000")];

const ONE_AT_A_TIME: &[(&str, &str)] = &[("linger.ms", "0")];

const TUNED: &[(&str, &str)] = &[
    ("linger.ms", "20"),
    ("batch.size", "1000000"),
    ("compression.type", "lz4"),
    ("queue.buffering.max.messages", "200000"),
];

impl Technique {
    /// The rounds of this technique, in order.
    pub(super) fn plans(self, workers: usize, work_ms: u64) -> Vec<Plan> {
        let plan = |name, has_queue, workers, work_ms, sending, settings| Plan {
            name,
            has_queue,
            workers,
            work_ms,
            sending,
            settings,
        };
        match self {
            Technique::Plain => vec![plan("plain", false, 0, 0, Sending::None, &[])],
            Technique::Batching => vec![plan("batching", false, 0, 0, Sending::Many, BATCHING)],
            Technique::BoundedBuffer => vec![plan("bounded-buffer", true, 1, work_ms, Sending::Many, BATCHING)],
            Technique::ParallelWorkers => {
                vec![plan("parallel-workers", true, workers, work_ms, Sending::Many, BATCHING)]
            }
            // The work is left out here: what is compared is the sending.
            Technique::TunedProducer => vec![
                plan("tuned: before", true, 1, 0, Sending::OneAtATime, ONE_AT_A_TIME),
                plan("tuned: after", true, 1, 0, Sending::Many, TUNED),
            ],
            Technique::All => [
                Technique::Plain,
                Technique::Batching,
                Technique::BoundedBuffer,
                Technique::ParallelWorkers,
                Technique::TunedProducer,
            ]
            .into_iter()
            .flat_map(|technique| technique.plans(workers, work_ms))
            .collect(),
        }
    }
}
