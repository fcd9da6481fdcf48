//! Says once when no broker answers, and once when one does again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::talk::say;

/// Whether the broker answers, as far as is known.
#[derive(Debug)]
pub struct Health {
    broker: String,
    /// What waiting means for this program.
    meanwhile: &'static str,
    is_down: AtomicBool,
    since: Mutex<Option<Instant>>,
}

impl Health {
    /// Of the broker at that address.
    pub fn new(broker: &str, meanwhile: &'static str) -> Health {
        Health { broker: broker.to_owned(), meanwhile, is_down: AtomicBool::new(false), since: Mutex::new(None) }
    }

    /// An error of the client's own; of those only this one says that nobody is there.
    pub fn hear(&self, error: &KafkaError) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.is_gone();
        }
    }

    /// No broker answers.
    pub fn is_gone(&self) {
        if !self.is_down.swap(true, Ordering::Relaxed) {
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            say(format_args!("% no broker answers at {}; waiting for it ({})", self.broker, self.meanwhile));
        }
    }

    /// Whether that was said last.
    pub fn is_down(&self) -> bool {
        self.is_down.load(Ordering::Relaxed)
    }

    /// A broker answered.
    pub fn answered(&self) {
        // Asked for every record: no more than a look, as long as nothing is wrong.
        if self.is_down.load(Ordering::Relaxed) && self.is_down.swap(false, Ordering::Relaxed) {
            let since = self.since.lock().unwrap_or_else(PoisonError::into_inner).take();
            let lasted = since.map_or(0.0, |since| since.elapsed().as_secs_f32());
            say(format_args!("% the broker at {} answers again, after {lasted:.1} s", self.broker));
        }
    }
}
