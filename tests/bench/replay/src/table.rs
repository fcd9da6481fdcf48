//! The comparison: every row's median and range on both sides, their ratio, and whether the mark is met.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};

/// The names under which a file of results speaks of the two sides.
const OURS: &str = "cutaway";
const THEIRS: &str = "kafka";

/// What Cutaway's median has to reach, for one measure.
#[derive(Clone, Copy)]
enum Mark {
    /// This share of Kafka's figure, or more.
    ShareOrMore(f64),
    /// This share of Kafka's figure, or less.
    ShareOrLess(f64),
    /// This value or less, whatever Kafka's is.
    ValueOrLess(f64),
}

/// Measure → its mark.
const MARKS: [(&str, Mark); 20] = [
    ("MB/s", Mark::ShareOrMore(1.0)),
    ("CPU-s per GB produced", Mark::ShareOrLess(0.5)),
    ("CPU-s per GB fetched", Mark::ShareOrLess(1.0)),
    ("p50 ms", Mark::ShareOrLess(1.0)),
    ("p99 ms", Mark::ShareOrLess(1.0)),
    ("start ms", Mark::ValueOrLess(10.0)),
    ("idle MB", Mark::ValueOrLess(12.0)),
    // One tick of the kernel's accounting in the four seconds that are watched; it cannot be told from none.
    ("idle % of a core", Mark::ValueOrLess(0.25)),
    ("peak MB", Mark::ValueOrLess(64.0)),
    ("commits/s", Mark::ShareOrMore(1.0)),
    ("KiB a member", Mark::ValueOrLess(16.0)),
    ("CPU % of a core", Mark::ValueOrLess(2.0)),
    ("ms over a heartbeat interval", Mark::ValueOrLess(100.0)),
    ("groups served s after a stop", Mark::ValueOrLess(2.0)),
    ("groups served s after kill -9", Mark::ValueOrLess(2.0)),
    ("created s", Mark::ValueOrLess(3.0)),
    ("Metadata ms", Mark::ValueOrLess(30.0)),
    ("resident MB", Mark::ValueOrLess(64.0)),
    ("start after a stop s", Mark::ValueOrLess(0.3)),
    ("start after kill -9 s", Mark::ValueOrLess(2.0)),
];

/// The values of one row and measure, smallest first.
struct Sample(Vec<f64>);

/// One line of the table, before it is laid out.
type Line = [String; 6];

/// Reads the results and lays out the comparison.
pub(crate) fn compare(results: &Path, markdown: bool) -> Result<String> {
    let text = std::fs::read_to_string(results).with_context(|| format!("cannot read {}", results.display()))?;
    let (order, samples) = parse(&text)?;
    let heading = ["what", "measure", "Cutaway", "Apache Kafka", "Cutaway / Kafka", "mark"].map(str::to_owned);
    let lines = order.iter().map(|(row, measure)| line(row, measure, &samples));
    let lines: Vec<Line> = std::iter::once(heading).chain(lines).collect();
    Ok(if markdown { as_markdown(&lines) } else { as_text(&lines) })
}

type Samples = HashMap<(String, String, String), Sample>;

/// The rows with their measures in the order of their first appearance, and the values of each side.
fn parse(text: &str) -> Result<(Vec<(String, String)>, Samples)> {
    let mut order = Vec::new();
    let mut samples = Samples::new();
    for (number, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [side, row, measure, value] = fields[..] else {
            anyhow::bail!("line {} of the results has {} fields, 4 are wanted", number + 1, fields.len());
        };
        let value = value.parse().with_context(|| format!("line {} of the results: no number: {value}", number + 1))?;
        let key = (row.to_owned(), measure.to_owned());
        if !order.contains(&key) {
            order.push(key);
        }
        let place = samples.entry((side.to_owned(), row.to_owned(), measure.to_owned()));
        place.or_insert(Sample(Vec::new())).0.push(value);
    }
    samples.values_mut().for_each(|sample| sample.0.sort_by(f64::total_cmp));
    Ok((order, samples))
}

fn line(row: &str, measure: &str, samples: &Samples) -> Line {
    let of = |side: &str| samples.get(&(side.to_owned(), row.to_owned(), measure.to_owned()));
    let shown = |sample: Option<&Sample>| sample.map_or("not measured".to_owned(), Sample::show);
    let (ours, theirs) = (of(OURS), of(THEIRS));
    let ratio = match (ours, theirs) {
        (Some(ours), Some(theirs)) if theirs.median() > 0.0 => format!("{:.2}", ours.median() / theirs.median()),
        _ => "-".to_owned(),
    };
    let verdict = verdict(measure, ours.map(Sample::median), theirs.map(Sample::median));
    [row.to_owned(), measure.to_owned(), shown(ours), shown(theirs), ratio, verdict]
}

fn verdict(measure: &str, ours: Option<f64>, theirs: Option<f64>) -> String {
    let Some((_, mark)) = MARKS.iter().find(|(name, _)| *name == measure) else {
        return String::new();
    };
    let (wanted, met) = match *mark {
        Mark::ShareOrMore(share) => {
            (format!("at least {share:.1} x Kafka"), ours.zip(theirs).map(|(o, t)| o >= t * share))
        }
        Mark::ShareOrLess(share) => {
            (format!("at most {share:.1} x Kafka"), ours.zip(theirs).map(|(o, t)| o <= t * share))
        }
        Mark::ValueOrLess(most) => (format!("at most {most}"), ours.map(|o| o <= most)),
    };
    match met {
        Some(true) => format!("pass ({wanted})"),
        Some(false) => format!("SHORT ({wanted})"),
        None => format!("open ({wanted})"),
    }
}

impl Sample {
    fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 { self.0[middle] } else { f64::midpoint(self.0[middle - 1], self.0[middle]) }
    }

    /// The median, and the range when there is one.
    fn show(&self) -> String {
        match &self.0[..] {
            [only] => number(*only),
            [least, .., most] => format!("{} ({}-{})", number(self.median()), number(*least), number(*most)),
            [] => "-".to_owned(),
        }
    }
}

/// About three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

fn as_text(lines: &[Line]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
    let mut out = String::new();
    for line in lines {
        let cells: Vec<String> =
            line.iter().enumerate().map(|(column, cell)| format!("{cell:<0$}", width(column))).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

fn as_markdown(lines: &[Line]) -> String {
    let mut out = String::new();
    for (index, line) in lines.iter().enumerate() {
        writeln!(out, "| {} |", line.join(" | ")).expect("a string takes everything");
        if index == 0 {
            writeln!(out, "|{}", "---|".repeat(line.len())).expect("a string takes everything");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(results: &str) -> Vec<Line> {
        let (order, samples) = parse(results).expect("the results are well formed");
        order.iter().map(|(row, measure)| line(row, measure, &samples)).collect()
    }

    #[test]
    fn medians_decide_and_ranges_are_shown() {
        let lines = lines_of(concat!(
            "cutaway\tfetch\tMB/s\t900\ncutaway\tfetch\tMB/s\t300\ncutaway\tfetch\tMB/s\t400\n",
            "kafka\tfetch\tMB/s\t200\nkafka\tfetch\tMB/s\t500\n",
        ));
        let expected = ["fetch", "MB/s", "400 (300-900)", "350 (200-500)", "1.14", "pass (at least 1.0 x Kafka)"];
        assert_eq!(lines, [expected.map(str::to_owned)]);
    }

    #[test]
    fn what_falls_short_says_so_and_what_is_missing_stays_open() {
        let lines = lines_of(
            "cutaway\ta\tCPU-s per GB produced\t0.6\nkafka\ta\tCPU-s per GB produced\t1.0\nkafka\tb\tp50 ms\t1\n",
        );
        assert_eq!(lines[0][5], "SHORT (at most 0.5 x Kafka)");
        assert_eq!(lines[1][5], "open (at most 1.0 x Kafka)");
        assert_eq!(lines[1][2], "not measured");
    }

    #[test]
    fn a_torn_line_is_refused() {
        assert!(parse("cutaway\ta\tMB/s\n").is_err());
        assert!(parse("cutaway\ta\tMB/s\tfast\n").is_err());
    }
}
