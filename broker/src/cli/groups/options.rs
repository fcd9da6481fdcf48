//! What can be written after `cutaway groups`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use cutaway::clock::TimestampMs;

use crate::cli::client::BrokerOptions;
use crate::cli::time;

const RESET_HELP: &str = "\
Without --execute it only shows what would change. The group must have no members:
those that run would go on where they are.

Examples:
  cutaway groups reset-offsets readers --all-topics --to-earliest
  cutaway groups reset-offsets readers --topic orders:0,1 --shift-by -10 --execute
  cutaway groups reset-offsets readers --topic orders --to-datetime 2026-11-23T14:05:00Z --execute
";

/// Which broker, how to answer, and what to do.
#[derive(Args, Clone, Debug)]
pub(crate) struct GroupsOptions {
    #[command(flatten)]
    pub(crate) broker: BrokerOptions,
    /// As JSON, one value a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Option<GroupsCommand>,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// List the groups; the same as no command.
    #[command(alias = "ls")]
    List,
    /// Show groups: where they stand, what they have committed, how far behind they are, who reads what.
    Describe(DescribeOptions),
    /// Set what a group has committed: to the start, the end, an offset, a time.
    #[command(after_help = RESET_HELP, aliases = ["seek", "reset"])]
    ResetOffsets(Box<ResetOptions>),
    /// Delete groups that have no members, with all that they have committed.
    Delete(DeleteOptions),
    /// Forget what a group has committed for topics that it does not read.
    #[command(alias = "offset-delete")]
    DeleteOffsets(DeleteOffsetsOptions),
}

/// What to describe.
#[derive(Args, Clone, Debug)]
pub(crate) struct DescribeOptions {
    /// Their names.
    #[arg(value_name = "GROUP", required = true)]
    pub(crate) names: Vec<String>,
    /// Who is in them, instead of what they have committed.
    #[arg(long, short, conflicts_with = "state")]
    pub(crate) members: bool,
    /// Only where they stand.
    #[arg(long, short)]
    pub(crate) state: bool,
}

/// What to delete.
#[derive(Args, Clone, Debug)]
pub(crate) struct DeleteOptions {
    /// Their names.
    #[arg(value_name = "GROUP", required = true)]
    pub(crate) names: Vec<String>,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// What to forget.
#[derive(Args, Clone, Debug)]
pub(crate) struct DeleteOffsetsOptions {
    /// Its name.
    #[arg(value_name = "GROUP")]
    pub(crate) name: String,
    /// A topic, or some of its partitions: NAME, or NAME:0,1; may be given again.
    #[arg(long, short, value_name = "TOPIC", required = true, value_parser = partitions)]
    pub(crate) topic: Vec<Wanted>,
}

/// What to reset, and to what.
#[derive(Args, Clone, Debug)]
pub(crate) struct ResetOptions {
    /// Its name; one that is not there comes to be.
    #[arg(value_name = "GROUP")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) where_to: WhereTo,
    /// A topic, or some of its partitions: NAME, or NAME:0,1; may be given again.
    #[arg(long, short, value_name = "TOPIC", value_parser = partitions, required_unless_present_any = ["all_topics", "from_file"])]
    pub(crate) topic: Vec<Wanted>,
    /// All that the group has committed.
    #[arg(long, conflicts_with = "topic")]
    pub(crate) all_topics: bool,
    /// Do it, instead of showing what would change.
    #[arg(long)]
    pub(crate) execute: bool,
}

/// One of these; the names are those of kafka-consumer-groups.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct WhereTo {
    /// The first record that there is.
    #[arg(long)]
    pub(crate) to_earliest: bool,
    /// After the last.
    #[arg(long)]
    pub(crate) to_latest: bool,
    /// An offset; one that is outside the partition becomes its nearest end.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    pub(crate) to_offset: Option<i64>,
    /// So many records on, or with a minus back.
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) shift_by: Option<i64>,
    /// The first record that is not older: RFC 3339, or milliseconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) to_datetime: Option<TimestampMs>,
    /// The first record of the last so much time: 90s, 15m, 6h, 7d, or as ISO 8601 has it, PT6H.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) by_duration: Option<Duration>,
    /// What a file says: TOPIC,PARTITION,OFFSET a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) from_file: Option<PathBuf>,
}

/// A topic, and which of its partitions; none for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) topic: String,
    pub(crate) partitions: Vec<i32>,
}

fn partitions(text: &str) -> Result<Wanted, String> {
    let Some((topic, list)) = text.rsplit_once(':') else {
        return Ok(Wanted { topic: text.to_owned(), partitions: Vec::new() });
    };
    let numbers = list.split(',').map(|number| number.trim().parse::<i32>().ok().filter(|number| *number >= 0));
    let partitions: Option<Vec<i32>> = numbers.collect();
    let partitions = partitions.ok_or("must be TOPIC, or TOPIC:0,1 for some of its partitions")?;
    Ok(Wanted { topic: topic.to_owned(), partitions })
}

fn moment(text: &str) -> Result<TimestampMs, String> {
    time::parse(text).ok_or_else(|| "must be a time as in 2026-11-23T14:05:00Z, or milliseconds since 1970".into())
}

/// `90s`, `15m`, `6h`, `7d`, `PT6H`, `P7D`.
fn duration(text: &str) -> Result<Duration, String> {
    let wanted = || "must be a duration as in 90s, 15m, 6h or 7d, or PT6H".to_owned();
    let upper = text.to_uppercase();
    // In ISO 8601 days stand before the T, and an M there is a month, which is of no certain length.
    let (plain, units) = match (upper.strip_prefix("PT"), upper.strip_prefix('P')) {
        (Some(time), _) => (time, "SMH"),
        (None, Some(date)) => (date, "D"),
        (None, None) => (upper.as_str(), "SMHD"),
    };
    let (number, unit) = plain.split_at_checked(plain.len().saturating_sub(1)).ok_or_else(wanted)?;
    let seconds = match unit {
        _ if !units.contains(unit) => return Err(wanted()),
        "S" => 1,
        "M" => 60,
        "H" => 3600,
        "D" => 24 * 3600,
        _ => return Err(wanted()),
    };
    let number: u64 = number.parse().map_err(|_| wanted())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_stand_behind_a_colon() {
        let wanted =
            |topic: &str, partitions: &[i32]| Ok(Wanted { topic: topic.into(), partitions: partitions.into() });
        assert_eq!(partitions("orders"), wanted("orders", &[]));
        assert_eq!(partitions("orders:0, 2"), wanted("orders", &[0, 2]));
        for text in ["orders:", "orders:x", "orders:-1", "orders:0,"] {
            assert!(partitions(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_short_or_iso() {
        for (text, seconds) in
            [("90s", 90), ("15m", 900), ("6h", 21_600), ("7d", 604_800), ("PT6H", 21_600), ("P7D", 604_800)]
        {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "5", "-5s", "1w", "PT", "P1M", "P6H", "PT7D", "99999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
