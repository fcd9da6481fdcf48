//! Chance with a seed: every event draws from a generator of its own, which is made of the seed and the event's number.
//!
//! So an event is the same whenever it is asked for, and none needs those before it. The generator is SplitMix64 (Steele,
//! Lea, Flood: "Fast splittable pseudorandom number generators", 2014), written out here because a library's numbers may
//! change with its version, and the streams of a seed must not.

/// A generator for one purpose.
#[derive(Debug, Clone)]
pub(crate) struct Chance {
    state: u64,
}

/// What a generator is for; different purposes draw independent numbers for the same event.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    /// The moment of an event.
    Moment,
    /// The moment of a burst.
    Burst,
    /// Which kind of event it is.
    Kind,
    /// What the event holds.
    Content,
    /// Which earlier event it refers to.
    Reference,
    /// An account, by its number among all accounts.
    Account,
    /// What a misbehaving service does.
    Fault,
}

impl Chance {
    /// The generator for one purpose of the thing with this number.
    pub(crate) fn of(seed: u64, purpose: Purpose, number: u64) -> Chance {
        let lane = (purpose as u64 + 1).wrapping_mul(0xd1b5_4a32_d192_ed03);
        Chance { state: mix(seed ^ lane).wrapping_add(mix(number.wrapping_add(lane))) }
    }

    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number from 0 up to 1, which is not included.
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // The high half of a 128-bit product; the bias is far below what anybody could count.
        ((u128::from(self.bits()) * u128::from(end)) >> 64) as u64
    }

    /// True in so many of 1000 cases.
    pub(crate) fn permille(&mut self, share: u64) -> bool {
        self.below(1000) < share
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// A number below `end` by Zipf's law with exponent 1: the first comes up most, the tenth a tenth as often.
    pub(crate) fn zipf(&mut self, end: u64) -> u64 {
        let rank = ((end as f64 + 1.0).ln() * self.fraction()).exp() as u64;
        rank.clamp(1, end) - 1
    }
}

/// SplitMix64's finaliser.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_event_draws_the_same_and_another_does_not() {
        let draw = |seed, purpose, number| Chance::of(seed, purpose, number).bits();
        assert_eq!(draw(1, Purpose::Kind, 7), draw(1, Purpose::Kind, 7));
        assert_ne!(draw(1, Purpose::Kind, 7), draw(1, Purpose::Kind, 8));
        assert_ne!(draw(1, Purpose::Kind, 7), draw(2, Purpose::Kind, 7));
        assert_ne!(draw(1, Purpose::Kind, 7), draw(1, Purpose::Content, 7));
    }

    #[test]
    fn shares_come_out_as_asked() {
        let hits = (0..100_000).filter(|number| Chance::of(3, Purpose::Kind, *number).permille(250)).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
    }

    #[test]
    fn few_accounts_do_most() {
        let mut chance = Chance::of(1, Purpose::Account, 0);
        let first = (0..10_000).filter(|_| chance.zipf(100_000) < 10).count();
        assert!((1_500..2_700).contains(&first), "{first}");
        assert!((0..10_000).all(|_| chance.zipf(3) < 3));
    }
}
