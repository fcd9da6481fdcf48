//! The budget of `queued.max.request.bytes`: how many bytes of large frames may be in memory at once.
//!
//! A frame pays for bytes when they are about to be read, never for the length that it announces: whoever announces
//! 100 MB and falls silent holds no more than what came, and one step.
//!
//! ```text
//!    pieces:  the budget without one largest frame      a frame takes step after step of it while it grows
//!    whole:   one largest frame                         a frame that finds no piece takes its whole size here,
//!                                                       once, and gives its pieces back
//! ```
//!
//! Half-read frames do not wait for each other for ever: what has its whole size asks for nothing more, so it comes to
//! its end, and whoever waits is next. A client that could hold this up by falling silent is given up: while others
//! wait, a frame that has a share must keep growing ([`Budget::claimed`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::frames::UNBUDGETED_BYTES;
use crate::clock::Clock;

/// A frame grows by its own size each time, but by no more than this: reads that are larger are no faster.
const LARGEST_STEP: usize = 1024 * 1024;

/// What all connections share.
#[derive(Debug)]
pub(super) struct Budget {
    pieces: Arc<Semaphore>,
    pieces_bytes: usize,
    whole: Arc<Semaphore>,
    whole_bytes: usize,
    /// How many frames wait for a share.
    waiting: watch::Sender<usize>,
}

/// What one frame has of the budget; it is free again when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Share {
    permit: Option<OwnedSemaphorePermit>,
    /// So many bytes of the frame may be in memory.
    covered: usize,
}

/// Counts one who waits, until it is dropped.
struct Waiting<'a>(&'a watch::Sender<usize>);

impl Budget {
    /// A budget in bytes, of which a frame may be as large as `largest_frame`.
    pub(super) fn new(total: usize, largest_frame: usize) -> Budget {
        // A semaphore counts what is taken at once in 32 bits.
        let total = total.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        let whole_bytes = largest_frame.min(total);
        let pieces_bytes = total - whole_bytes;
        Budget {
            pieces: Arc::new(Semaphore::new(pieces_bytes)),
            pieces_bytes,
            whole: Arc::new(Semaphore::new(whole_bytes)),
            whole_bytes,
            waiting: watch::Sender::new(0),
        }
    }

    /// Makes the share of a frame of `size` bytes, of which `here` have come, large enough to read on; false when that
    /// means to wait.
    pub(super) fn try_grow(&self, share: &mut Share, here: usize, size: usize) -> bool {
        let covered = next_step(here, size);
        if covered <= share.covered {
            return true;
        }
        if covered <= self.pieces_bytes {
            let pieces = Arc::clone(&self.pieces);
            if let Ok(piece) = pieces.try_acquire_many_owned(permits(covered - share.covered)) {
                share.add(piece, covered);
                return true;
            }
        }
        match Arc::clone(&self.whole).try_acquire_many_owned(permits(size.min(self.whole_bytes))) {
            Ok(whole) => {
                *share = Share { permit: Some(whole), covered: size };
                true
            }
            Err(_) => false,
        }
    }

    /// Waits for what [`Budget::try_grow`] did not find. Cancel-safe.
    pub(super) async fn grow(&self, share: &mut Share, here: usize, size: usize) {
        let _waiting = Waiting::begin(&self.waiting);
        let covered = next_step(here, size);
        let piece = Arc::clone(&self.pieces).acquire_many_owned(permits(covered.saturating_sub(share.covered)));
        let whole = Arc::clone(&self.whole).acquire_many_owned(permits(size.min(self.whole_bytes)));
        tokio::select! {
            biased;
            // A piece that can never be there would keep the pieces of others waiting behind it.
            piece = piece, if covered <= self.pieces_bytes => {
                share.add(piece.expect("the budget is never closed"), covered);
            }
            whole = whole => {
                *share = Share { permit: Some(whole.expect("the budget is never closed")), covered: size };
            }
        }
    }

    /// Returns when a frame has not grown since `since` for as long as `patience`, and somebody waits for its share.
    pub(super) async fn claimed(&self, clock: &Clock, since: Instant, patience: Duration) {
        let mut waiting = self.waiting.subscribe();
        loop {
            // An error would mean that the budget is gone, which is borrowed here.
            let _ = waiting.wait_for(|waiting| *waiting > 0).await;
            let left = patience.saturating_sub(clock.elapsed_since(since));
            if left.is_zero() {
                return;
            }
            // Those who wait may have their share by then: that is looked at again.
            clock.sleep(left).await;
        }
    }

    /// How many frames wait for a share.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> watch::Receiver<usize> {
        self.waiting.subscribe()
    }
}

impl Share {
    /// So many bytes of the frame may be in memory.
    pub(super) fn covered(&self) -> usize {
        self.covered
    }

    /// True when the frame has taken nothing of the budget.
    pub(super) fn is_empty(&self) -> bool {
        self.permit.is_none()
    }

    fn add(&mut self, piece: OwnedSemaphorePermit, covered: usize) {
        match &mut self.permit {
            Some(pieces) => pieces.merge(piece),
            None => self.permit = Some(piece),
        }
        self.covered = covered;
    }
}

impl<'a> Waiting<'a> {
    fn begin(count: &'a watch::Sender<usize>) -> Waiting<'a> {
        count.send_modify(|count| *count += 1);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// How much of a frame may be in memory after its next step.
fn next_step(here: usize, size: usize) -> usize {
    size.min(here + here.clamp(UNBUDGETED_BYTES, LARGEST_STEP))
}

fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("neither a frame nor the budget is larger than 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;

    /// Reads a frame as a connection does, as fast as its share grows.
    async fn read_whole(budget: &Budget, size: usize) {
        let mut share = Share::default();
        let mut here = 0;
        while here < size {
            if !budget.try_grow(&mut share, here, size) {
                budget.grow(&mut share, here, size).await;
            }
            assert!(share.covered() > here, "it may not read on");
            here = share.covered();
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn a_frame_pays_for_what_came_and_one_step() {
        let budget = Budget::new(256 * MIB, 100 * MIB);
        let mut liars: Vec<Share> = (0..3).map(|_| Share::default()).collect();
        for liar in &mut liars {
            assert!(budget.try_grow(liar, 65 * KIB, 100 * MIB));
            assert_eq!(liar.covered(), 130 * KIB);
        }
        assert_eq!(budget.pieces.available_permits(), 156 * MIB - 3 * 130 * KIB);
        drop(liars);
        assert_eq!(budget.pieces.available_permits(), 156 * MIB);
    }

    #[test]
    fn a_frame_that_finds_no_piece_takes_its_whole_size_and_gives_its_pieces_back() {
        let budget = Budget::new(2 * MIB, MIB);
        let (mut growing, mut other) = (Share::default(), Share::default());
        assert!(budget.try_grow(&mut growing, 300 * KIB, MIB));
        assert!(budget.try_grow(&mut other, 200 * KIB, MIB));
        assert!(budget.try_grow(&mut growing, 600 * KIB, MIB));
        assert_eq!(growing.covered(), MIB);
        assert_eq!((budget.pieces.available_permits(), budget.whole.available_permits()), (MIB - 400 * KIB, 0));
        let mut third = Share::default();
        assert!(budget.try_grow(&mut third, 300 * KIB, MIB));
        assert!(!budget.try_grow(&mut third, 600 * KIB, MIB), "there is no room for it in either pool");
        assert_eq!(third.covered(), 600 * KIB, "it keeps what it has");
        drop(growing);
        assert!(budget.try_grow(&mut third, 600 * KIB, MIB));
    }

    #[test]
    fn a_frame_larger_than_the_pieces_or_than_all_is_not_kept_out() {
        let tight = Budget::new(MIB, MIB);
        assert!(tight.try_grow(&mut Share::default(), 65 * KIB, MIB));
        let tiny = Budget::new(100 * KIB, MIB);
        let mut share = Share::default();
        assert!(tiny.try_grow(&mut share, 65 * KIB, MIB));
        assert_eq!(share.covered(), MIB);
    }

    #[tokio::test]
    async fn frames_that_grow_side_by_side_do_not_wait_for_each_other_for_ever() {
        let (budget, clock) = (Arc::new(Budget::new(3 * MIB, 2 * MIB)), Clock::system());
        let frames = (0..50).map(|number| {
            let budget = Arc::clone(&budget);
            tokio::spawn(async move { read_whole(&budget, 700 * KIB + number * 20 * KIB).await })
        });
        let all_read = async {
            for frame in frames.collect::<Vec<_>>() {
                frame.await.expect("no panic");
            }
        };
        tokio::select! {
            () = all_read => {}
            () = clock.sleep(Duration::from_secs(20)) => panic!("they wait for each other"),
        }
        assert_eq!((budget.pieces.available_permits(), budget.whole.available_permits()), (MIB, 2 * MIB));
        assert_eq!(*budget.waiting().borrow(), 0);
    }

    #[tokio::test]
    async fn a_share_is_claimed_only_while_somebody_waits() {
        let (budget, clock) = (Budget::new(MIB, MIB), Clock::system());
        let since = clock.instant();
        let claim = budget.claimed(&clock, since, Duration::ZERO);
        tokio::select! {
            biased;
            () = claim => panic!("claimed, although nobody waits"),
            () = tokio::task::yield_now() => {}
        }
        let mut holder = Share::default();
        assert!(budget.try_grow(&mut holder, 65 * KIB, MIB));
        let mut other = Share::default();
        tokio::select! {
            biased;
            () = budget.grow(&mut other, 65 * KIB, MIB) => panic!("there is no room"),
            () = budget.claimed(&clock, since, Duration::ZERO) => {}
        }
    }
}
