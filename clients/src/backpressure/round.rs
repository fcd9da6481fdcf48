//! One round: a reader, perhaps a queue and workers, and the numbers that come of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::BackpressureOptions;
use super::delivery::Delivery;
use super::figures::Figures;
use super::queue::Queue;
use super::technique::{Plan, Sending};
use crate::event::Event;
use crate::event::seen::Seen;
use crate::source::{Address, Item, Service, Source};
use crate::stop::Stop;
use crate::talk::{Pace, grouped, print};

/// How often the baseline tells its rate, in events.
const PLAIN_EVENTS: u64 = 100;

/// How long the end waits for acknowledgements.
const FLUSH_PATIENCE: Duration = Duration::from_secs(10);

/// What the tasks of a round share.
struct Shared {
    plan: Plan,
    delivery: Option<Delivery>,
    queue: Option<Queue<Box<Event>>>,
    received: AtomicU64,
    duplicates: AtomicU64,
    malformed: AtomicU64,
    connections: AtomicU64,
    /// Looked at, where nothing is sent.
    looked_at: AtomicU64,
    is_silent: bool,
}

/// Runs a round until its time is over, or somebody wants the program to end.
pub(super) async fn run(
    plan: Plan,
    options: &BackpressureOptions,
    address: &Address,
    stop: &mut Stop,
) -> anyhow::Result<Figures> {
    let delivery = match plan.sending {
        Sending::None => None,
        Sending::Many | Sending::OneAtATime => Some(Delivery::new(&options.broker, &options.topic, plan.settings)?),
    };
    let queue = plan.has_queue.then(|| Queue::new(options.buffer, options.policy));
    let shared = Arc::new(Shared {
        plan,
        delivery,
        queue,
        received: AtomicU64::new(0),
        duplicates: AtomicU64::new(0),
        malformed: AtomicU64::new(0),
        connections: AtomicU64::new(0),
        looked_at: AtomicU64::new(0),
        is_silent: options.json,
    });
    let source = Source::open(Service::Bluesky, address, &options.source, None)?;
    let mut tasks = JoinSet::new();
    tasks.spawn(read(shared.clone(), source));
    for _ in 0..shared.plan.workers {
        tasks.spawn(work(shared.clone()));
    }
    let begun = Instant::now();
    watch(&shared, options, &mut tasks, begun, stop).await?;
    // What still waits in the queue is left there: the round is over.
    tasks.shutdown().await;
    let worked = begun.elapsed();
    if let Some(delivery) = &shared.delivery {
        let _ = timeout(FLUSH_PATIENCE, delivery.settle()).await;
    }
    let mut figures = shared.figures("summary", begun);
    let totals = (figures.received, figures.processed, shared.request_count());
    figures.set_rates(totals, worked);
    Ok(figures)
}

/// Tells the numbers from time to time, until the round ends.
async fn watch(
    shared: &Shared,
    options: &BackpressureOptions,
    tasks: &mut JoinSet<anyhow::Result<()>>,
    begun: Instant,
    stop: &mut Stop,
) -> anyhow::Result<()> {
    let mut telling = interval(options.every);
    telling.set_missed_tick_behavior(MissedTickBehavior::Delay);
    telling.tick().await;
    let end = sleep(options.seconds.unwrap_or(Duration::MAX));
    tokio::pin!(end);
    let mut before = ((0, 0, 0), begun);
    loop {
        tokio::select! {
            () = stop.asked() => return Ok(()),
            () = &mut end => return Ok(()),
            // None of the tasks ends by itself, but for an error.
            Some(ended) = tasks.join_next() => ended??,
            _ = telling.tick() => {
                shared.delivery.as_ref().map_or(Ok(()), Delivery::check)?;
                let mut figures = shared.figures("progress", begun);
                let now = (figures.received, figures.processed, shared.request_count());
                let (last, at) = std::mem::replace(&mut before, (now, Instant::now()));
                figures.set_rates((now.0 - last.0, now.1 - last.1, now.2 - last.2), at.elapsed());
                figures.print(options.json)?;
            }
        }
    }
}

/// Takes events from the source, and hands them on as the technique wants it.
async fn read(shared: Arc<Shared>, mut source: Source) -> anyhow::Result<()> {
    let mut seen = Seen::default();
    let mut complaints = Pace::new(1, Duration::from_secs(10));
    let mut rate_since = Instant::now();
    loop {
        for item in source.next().await? {
            let event = match item {
                Item::Connected => {
                    shared.connections.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                Item::Skipped { .. } => continue,
                Item::Malformed(malformed) => {
                    shared.malformed.fetch_add(1, Ordering::Relaxed);
                    complaints.say(Instant::now(), format_args!("an event is malformed: {malformed}"));
                    continue;
                }
                Item::Event(event) => event,
            };
            if !seen.is_new(event.identity) {
                shared.duplicates.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let received = shared.received.fetch_add(1, Ordering::Relaxed) + 1;
            if let Some(queue) = &shared.queue {
                queue.push(event).await;
            } else if let Some(delivery) = &shared.delivery {
                delivery.send(&event).await;
            } else {
                shared.looked_at.fetch_add(1, Ordering::Relaxed);
            }
            if received.is_multiple_of(PLAIN_EVENTS) && shared.queue.is_none() && !shared.is_silent {
                shared.tell_rate(received, &mut rate_since)?;
            }
        }
    }
}

/// Takes events from the queue, works on each, and sends it.
async fn work(shared: Arc<Shared>) -> anyhow::Result<()> {
    let (Some(queue), Some(delivery)) = (&shared.queue, &shared.delivery) else { return Ok(()) };
    loop {
        let event = queue.pop().await;
        if shared.plan.work_ms > 0 {
            sleep(Duration::from_millis(shared.plan.work_ms)).await;
        }
        delivery.send(&event).await;
        if shared.plan.sending == Sending::OneAtATime {
            delivery.settle().await;
        }
    }
}

impl Shared {
    /// Tells the rate of the last hundred events, but no more than ten times a second.
    #[allow(clippy::cast_precision_loss, reason = "a rate that is shown without decimals")]
    fn tell_rate(&self, received: u64, since: &mut Instant) -> anyhow::Result<()> {
        let took = since.elapsed();
        *since = Instant::now();
        let rate = PLAIN_EVENTS as f64 / took.as_secs_f64().max(1e-6);
        print(format_args!("{:<17} {} events, {rate:.0}/s", self.plan.name, grouped(received)))?;
        Ok(())
    }

    fn request_count(&self) -> i64 {
        self.delivery.as_ref().map_or(0, |delivery| delivery.requests().count)
    }

    fn figures(&self, kind: &'static str, begun: Instant) -> Figures {
        let (queue, queue_high_water, dropped) = self.queue.as_ref().map_or((0, 0, 0), Queue::depths);
        let (processed, errors) =
            self.delivery.as_ref().map_or((self.looked_at.load(Ordering::Relaxed), 0), Delivery::counts);
        let (latency_p50_ms, latency_p99_ms) = self.delivery.as_ref().map_or((None, None), Delivery::latency_ms);
        Figures {
            kind,
            program: "backpressure",
            technique: self.plan.name,
            seconds: (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            received: self.received.load(Ordering::Relaxed),
            duplicates: self.duplicates.load(Ordering::Relaxed),
            malformed: self.malformed.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            processed,
            dropped,
            errors,
            queue,
            queue_high_water,
            rate_received: 0.0,
            rate_processed: 0.0,
            latency_p50_ms,
            latency_p99_ms,
            records_per_batch: self.delivery.as_ref().map_or(0, |delivery| delivery.requests().records_per_batch),
            requests_per_second: 0.0,
        }
    }
}
