//! Where the log goes: stderr, a line to read or a JSON object for each event. The only place that sets up logging.
//!
//! What clients can provoke as often as they like ([`PROVOKED`]) must not fill a disk: of each such place in the code the
//! first few lines are written, and one more tells how many there would have been. With `--verbose` all are.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cutaway::clock::Clock;
use cutaway::config::limits::{LOG_LINES_ALIKE, LOG_WINDOW_MS};
use cutaway::journal::PROVOKED;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, registry};

use super::arguments::{LogFormat, StartOptions};
use super::pace::{Pace, Verdict};

/// Sets up logging for this process.
pub(crate) fn start(options: &StartOptions) {
    let default = match options.verbose {
        // Nobody looks on, so the log tells of starts and stops, too.
        0 if options.detached => "warn,cutaway=info",
        0 => "warn",
        1 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // Colour where people look, not in the file that a broker in the background writes.
    let ansi = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let ansi = ansi && !options.detached && std::io::stderr().is_terminal();
    let log = fmt::layer().with_writer(std::io::stderr).with_ansi(ansi).log_internal_errors(false);
    let log = match options.log_format {
        LogFormat::Human => log.with_target(false).boxed(),
        LogFormat::Json => log.json().flatten_event(true).boxed(),
    };
    let log = match options.verbose {
        0 => log.with_filter(Repetitions::new(Duration::from_millis(LOG_WINDOW_MS))).boxed(),
        _ => log,
    };
    // It fails only when it was set up before, and then it is set up.
    let _ = registry().with(filter).with(log).try_init();
}

/// Holds back what repeats itself; clones share what they know.
#[derive(Clone, Debug)]
struct Repetitions {
    window: Duration,
    clock: Clock,
    places: Arc<Mutex<HashMap<Identifier, Pace>>>,
}

impl Repetitions {
    fn new(window: Duration) -> Repetitions {
        Repetitions { window, clock: Clock::system(), places: Arc::default() }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Identifier, Pace>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, place: Identifier) -> Verdict {
        let now_ms = self.clock.now_ms();
        self.places().entry(place).or_insert_with(|| Pace::new(LOG_LINES_ALIKE, self.window)).judge(now_ms)
    }

    /// Writes the line for those that were held back, once the window is over.
    fn sum_up_after(&self, left: Duration, place: Identifier, example: String) {
        // Outside of the runtime are no clients.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let this = self.clone();
        runtime.spawn(async move {
            this.clock.sleep(left).await;
            let held_back = this.places().get_mut(&place).map_or(0, Pace::take_held_back);
            let window = this.window;
            tracing::warn!("... and {held_back} more like it in the last {window:?}, the first of them: {example}");
        });
    }
}

impl<S: Subscriber> Filter<S> for Repetitions {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if event.metadata().target() != PROVOKED {
            return true;
        }
        let place = event.metadata().callsite();
        match self.judge(place.clone()) {
            Verdict::Tell { .. } => true,
            Verdict::HoldBack { is_first, left } => {
                if is_first {
                    let mut example = Message::default();
                    event.record(&mut example);
                    self.sum_up_after(left, place, example.0);
                }
                false
            }
        }
    }
}

/// An event's sentence and its fields, as a line of the log has them.
#[derive(Debug, Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// A log in memory.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn lines(&self) -> Vec<String> {
            let bytes = self.0.lock().expect("no panic").clone();
            String::from_utf8(bytes).expect("text").lines().map(str::to_owned).collect()
        }
    }

    fn knock(number: u32) {
        tracing::warn!(target: PROVOKED, number, "knocked");
    }

    #[tokio::test]
    async fn what_clients_provoke_is_told_a_few_times_and_then_summed_up_once() {
        let kept = Kept::default();
        let writer = kept.clone();
        let log = fmt::layer().with_writer(move || writer.clone()).with_ansi(false).without_time();
        let window = Duration::from_millis(300);
        let _guard = registry().with(log.with_filter(Repetitions::new(window))).set_default();
        (0..100).for_each(knock);
        for _ in 0..20 {
            tracing::warn!("the broker's own");
        }
        let lines = kept.lines();
        let count = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
        assert_eq!(count("the broker's own"), 20);
        assert_eq!(count("knocked"), LOG_LINES_ALIKE as usize, "{lines:?}");
        while kept.lines().len() == lines.len() {
            tokio::task::yield_now().await;
        }
        let summary = kept.lines().pop().expect("a line");
        let sentence = "... and 95 more like it in the last 300ms, the first of them: knocked number=5";
        assert!(summary.ends_with(sentence), "{summary}");
        knock(7);
        assert!(kept.lines().last().is_some_and(|line| line.ends_with("knocked number=7")), "{:?}", kept.lines());
    }
}
