//! Where to begin: what `-o` says, and which offset that is in each partition.

use std::collections::BTreeMap;

use kafka_protocol::messages::metadata_response::MetadataResponseTopic;

use crate::cli::client::{Client, EARLIEST, Failure, LATEST};
use crate::cli::time;

/// `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// At the first record that there is.
    Beginning,
    /// After the last.
    End,
    /// At an offset.
    At(i64),
    /// So many before the end.
    Last(i64),
    /// At the first record that is not older than this, in milliseconds.
    Since(i64),
}

impl Begin {
    /// Reads it as kcat does.
    pub(super) fn parse(text: &str) -> Result<Begin, String> {
        let wanted = "must be beginning, end, an offset, -N for the last N, or s@TIME with a time as in \
                      2026-11-23T14:05:00Z or in milliseconds";
        match text {
            "beginning" | "start" | "earliest" => return Ok(Begin::Beginning),
            "end" | "latest" => return Ok(Begin::End),
            _ => {}
        }
        if let Some(time) = text.strip_prefix("s@") {
            return time::parse(time).map(Begin::Since).ok_or_else(|| wanted.into());
        }
        match text.parse::<i64>() {
            Ok(offset) if offset >= 0 && !text.starts_with('-') => Ok(Begin::At(offset)),
            Ok(count) if count > i64::MIN => Ok(Begin::Last(-count)),
            _ => Err(wanted.into()),
        }
    }

    /// The offset of the first record to read in each of these partitions.
    pub(super) async fn offsets(
        self,
        client: &mut Client,
        topic: &MetadataResponseTopic,
        committed: bool,
    ) -> Result<BTreeMap<i32, i64>, Failure> {
        let ends = match self {
            Begin::At(offset) => {
                return Ok(topic.partitions.iter().map(|it| (it.partition_index, offset)).collect());
            }
            Begin::Beginning => return whole(client.offsets(topic, EARLIEST, committed).await?),
            _ => whole(client.offsets(topic, LATEST, committed).await?)?,
        };
        let earlier = match self {
            Begin::Last(count) => {
                let starts = whole(client.offsets(topic, EARLIEST, committed).await?)?;
                let back = |(partition, end): (&i32, &i64)| {
                    let start = starts.get(partition).copied().unwrap_or(0);
                    (*partition, (end - count).max(start))
                };
                ends.iter().map(back).collect()
            }
            Begin::Since(time) => whole(client.offsets(topic, time, committed).await?)?,
            _ => BTreeMap::new(),
        };
        // Where no record is that late, what comes next is.
        let at = |(partition, end)| (partition, earlier.get(&partition).copied().filter(|it| *it >= 0).unwrap_or(end));
        Ok(ends.into_iter().map(at).collect())
    }
}

fn whole(offsets: crate::cli::client::Offsets) -> Result<BTreeMap<i32, i64>, Failure> {
    offsets.into_iter().map(|(partition, offset)| Ok((partition, offset?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_kcats() {
        for (text, begin) in [
            ("beginning", Begin::Beginning),
            ("end", Begin::End),
            ("0", Begin::At(0)),
            ("17", Begin::At(17)),
            ("-5", Begin::Last(5)),
            ("-0", Begin::Last(0)),
            ("s@1700000000000", Begin::Since(1_700_000_000_000)),
            ("s@1970-01-02", Begin::Since(86_400_000)),
        ] {
            assert_eq!(Begin::parse(text), Ok(begin), "{text}");
        }
        for text in ["", "x", "s@", "s@x", "1.5", "stored", "9223372036854775808", "-9223372036854775808"] {
            assert!(Begin::parse(text).is_err(), "{text}");
        }
    }
}
