//! A queue with a limit, and a rule for what happens there.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::technique::Policy;
use crate::talk::{grouped, say};

/// Events between the reader and the workers.
pub(super) struct Queue<T> {
    most: usize,
    policy: Policy,
    state: Mutex<State<T>>,
    /// Something came.
    filled: Notify,
    /// Something went.
    emptied: Notify,
}

struct State<T> {
    waiting: VecDeque<T>,
    high_water: usize,
    dropped: u64,
    /// The queue is over half full, which was said.
    is_warned: bool,
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize, policy: Policy) -> Queue<T> {
        let state = State { waiting: VecDeque::new(), high_water: 0, dropped: 0, is_warned: false };
        Queue { most, policy, state: Mutex::new(state), filled: Notify::new(), emptied: Notify::new() }
    }

    /// Puts an event at the end. With the policy `block` this waits for room; the others throw one away.
    pub(super) async fn push(&self, event: T) {
        let mut event = Some(event);
        loop {
            // The wait begins before the look, so that nothing is missed in between.
            let emptied = self.emptied.notified();
            if self.put(&mut event) {
                self.filled.notify_one();
                return;
            }
            emptied.await;
        }
    }

    /// False when the event has to wait outside.
    fn put(&self, event: &mut Option<T>) -> bool {
        let mut state = self.state();
        if state.waiting.len() >= self.most {
            match self.policy {
                Policy::Block => return false,
                Policy::DropNewest => {
                    state.dropped += 1;
                    return true;
                }
                Policy::DropOldest => {
                    state.waiting.pop_front();
                    state.dropped += 1;
                }
            }
        }
        state.waiting.extend(event.take());
        state.high_water = state.high_water.max(state.waiting.len());
        self.warn(&mut state);
        true
    }

    /// Says when the queue passes its half; again only after it was below a quarter.
    fn warn(&self, state: &mut State<T>) {
        let depth = state.waiting.len();
        if !state.is_warned && depth > self.most / 2 {
            state.is_warned = true;
            let (depth, most) = (grouped(depth as u64), grouped(self.most as u64));
            say(format_args!("% the queue is over half full ({depth} of {most}): events come faster than they go"));
        } else if depth < self.most / 4 {
            state.is_warned = false;
        }
    }

    /// Takes the first event, as soon as there is one.
    pub(super) async fn pop(&self) -> T {
        loop {
            let filled = self.filled.notified();
            let taken = {
                let mut state = self.state();
                let taken = state.waiting.pop_front();
                (taken, !state.waiting.is_empty())
            };
            if let (Some(event), has_more) = taken {
                self.emptied.notify_one();
                if has_more {
                    // Another worker may have slept through the news.
                    self.filled.notify_one();
                }
                return event;
            }
            filled.await;
        }
    }

    /// How many wait, how many were most, how many were thrown away.
    pub(super) fn depths(&self) -> (usize, usize, u64) {
        let state = self.state();
        (state.waiting.len(), state.high_water, state.dropped)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn filled(policy: Policy) -> (Queue<u32>, tokio::runtime::Runtime) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let queue = Queue::new(2, policy);
        runtime.block_on(async {
            for number in 1..=2 {
                queue.push(number).await;
            }
        });
        (queue, runtime)
    }

    #[test]
    fn drop_newest_keeps_what_is_there() {
        let (queue, runtime) = filled(Policy::DropNewest);
        let kept = runtime.block_on(async {
            queue.push(3).await;
            [queue.pop().await, queue.pop().await]
        });
        assert_eq!((kept, queue.depths()), ([1, 2], (0, 2, 1)));
    }

    #[test]
    fn drop_oldest_makes_room() {
        let (queue, runtime) = filled(Policy::DropOldest);
        let kept = runtime.block_on(async {
            queue.push(3).await;
            [queue.pop().await, queue.pop().await]
        });
        assert_eq!((kept, queue.depths()), ([2, 3], (0, 2, 1)));
    }

    #[test]
    fn block_waits_for_room_and_drops_nothing() {
        let (queue, runtime) = filled(Policy::Block);
        let kept = runtime.block_on(async {
            let pushing = tokio::time::timeout(Duration::from_millis(20), queue.push(3));
            assert!(pushing.await.is_err(), "there is no room");
            let first = queue.pop().await;
            queue.push(3).await;
            [first, queue.pop().await, queue.pop().await]
        });
        assert_eq!((kept, queue.depths()), ([1, 2, 3], (0, 2, 0)));
    }
}
