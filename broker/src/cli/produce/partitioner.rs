//! Which partition a record goes to: the one that was named, or the one that Java's producer would choose.

use std::hash::{BuildHasher, Hasher, RandomState};

use anyhow::bail;

/// Records without a key stay in one partition until about this much went there: Java's `batch.size`.
const STICKY_BYTES: usize = 16 * 1024;

/// Chooses partitions.
#[derive(Debug)]
pub(super) struct Partitioner {
    partitions: i32,
    fixed: Option<i32>,
    /// Where records without a key go at present, and how many bytes went there.
    sticky: i32,
    sticky_bytes: usize,
}

impl Partitioner {
    /// For a topic with so many partitions; `-1` stands for none in particular, as in kcat.
    pub(super) fn new(topic: &str, named: Option<i32>, partitions: i32) -> anyhow::Result<Partitioner> {
        let fixed = named.filter(|partition| *partition >= 0);
        if let Some(partition) = fixed.filter(|partition| *partition >= partitions) {
            bail!("{topic} has no partition {partition}: they are 0 to {}", partitions - 1);
        }
        Ok(Partitioner { partitions, fixed, sticky: any(partitions), sticky_bytes: 0 })
    }

    /// The partition of a record of this size.
    pub(super) fn partition(&mut self, key: Option<&[u8]>, size: usize) -> i32 {
        match (self.fixed, key) {
            (Some(fixed), _) => fixed,
            (None, Some(key)) => of_key(key, self.partitions),
            (None, None) => {
                if self.sticky_bytes >= STICKY_BYTES {
                    (self.sticky, self.sticky_bytes) = (any(self.partitions), 0);
                }
                self.sticky_bytes += size;
                self.sticky
            }
        }
    }
}

/// `BuiltInPartitioner.partitionForKey`.
fn of_key(key: &[u8], partitions: i32) -> i32 {
    (murmur2(key) & i32::MAX) % partitions.max(1)
}

/// One of them by chance.
fn any(partitions: i32) -> i32 {
    let chance = RandomState::new().build_hasher().finish() & 0x7fff_ffff;
    i32::try_from(chance).unwrap_or(0) % partitions.max(1)
}

/// `Utils.murmur2`: MurmurHash2 of 32 bits with Kafka's seed.
fn murmur2(bytes: &[u8]) -> i32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut hash = SEED ^ bytes.len() as u32;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u32::from(*byte));
        hash = (hash ^ last).wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    (hash ^ hash >> 15).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn hashes_are_javas() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()), hash, "{text}");
        }
    }

    #[test]
    fn keys_lie_where_java_puts_them() {
        for (key, partitions, partition) in
            [("user-0", 3, 1), ("user-1", 3, 2), ("user-2", 3, 2), ("customer-1", 6, 3), ("customer-5", 6, 0)]
        {
            assert_eq!(of_key(key.as_bytes(), partitions), partition, "{key}");
        }
    }

    #[test]
    fn records_without_a_key_stay_together_but_not_for_ever() {
        let mut partitioner = Partitioner::new("t", None, 1000).expect("legal");
        let first = partitioner.partition(None, STICKY_BYTES - 1);
        assert_eq!(partitioner.partition(None, 1), first);
        let later: Vec<i32> = (0..20).map(|_| partitioner.partition(None, STICKY_BYTES)).collect();
        assert!(later.iter().any(|partition| *partition != first), "{later:?}");
        let mut named = Partitioner::new("t", Some(2), 3).expect("legal");
        assert_eq!(named.partition(Some(b"user-0"), 1), 2);
        assert!(Partitioner::new("t", Some(3), 3).is_err());
        assert!(Partitioner::new("t", Some(-1), 3).is_ok());
    }
}
