//! The same work for many logs on a few threads: opening and closing hundreds of them is waiting for the disk.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use crate::config::limits::LOG_THREADS;

/// Does `work` for each item, and returns the outcomes in the order of the items. Blocks.
pub(super) fn each<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    if items.len() <= 1 {
        return items.into_iter().map(work).collect();
    }
    let thread_count = items.len().min(LOG_THREADS);
    let queue = Mutex::new(items.into_iter().enumerate());
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let mut outcomes: Vec<(usize, R)> = thread::scope(|scope| {
        let run = || {
            let mut done = Vec::new();
            while let Some((index, item)) = take() {
                done.push((index, work(item)));
            }
            done
        };
        let threads: Vec<_> = (0..thread_count).map(|_| scope.spawn(run)).collect();
        let joined =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|bug| std::panic::resume_unwind(bug)));
        joined.flatten().collect()
    });
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_keep_the_order_of_the_items() {
        for count in [0, 1, 2, 100] {
            let doubled = each((0..count).collect(), |number: i32| number * 2);
            assert_eq!(doubled, (0..count).map(|number| number * 2).collect::<Vec<_>>());
        }
    }
}
