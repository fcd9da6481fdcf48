//! A broker, services with a script, the programs, and a Redis of one's own.

pub(crate) mod broker;
pub(crate) mod program;
pub(crate) mod redis;
pub(crate) mod service;
pub(crate) mod socket;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A lock that a failed test may have left.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
