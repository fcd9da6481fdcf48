//! Who a folder belongs to: `meta.properties` and `.kafka_cleanshutdown` of a data folder, `partition.metadata` of a
//! partition's folder.

use std::collections::HashMap;
use std::path::Path;

use super::super::Result;
use super::super::disk::Disk;
use super::{damaged, read_text};
use crate::clock::{Moment, TimestampMs};
use crate::names::TopicId;

/// Names the cluster and the node that a data folder belongs to.
pub const META_PROPERTIES_FILE: &str = "meta.properties";
/// Stands only while the broker is stopped, and only after a clean stop.
pub const CLEAN_SHUTDOWN_FILE: &str = ".kafka_cleanshutdown";
/// Names the topic that a partition's folder belongs to.
pub const PARTITION_METADATA_FILE: &str = "partition.metadata";

/// What `meta.properties` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster's id.
    pub cluster_id: String,
    /// The broker's id.
    pub node_id: i32,
    /// The folder's own id (KIP-858).
    pub directory_id: String,
}

impl MetaProperties {
    /// Reads the file; `None` when there is none.
    pub fn read(disk: &Disk, path: &Path) -> Result<Option<MetaProperties>> {
        read_text(disk, path)?.map(|text| MetaProperties::parse(path, &text)).transpose()
    }

    /// Writes the file in place of the old one.
    pub fn write(&self, disk: &Disk, path: &Path, now_ms: TimestampMs) -> Result<()> {
        disk.replace(path, self.render(now_ms).as_bytes())
    }

    /// The file's text. Java writes an empty comment, the date, and the properties in the order of its hash table,
    /// which for these four keys is always this one.
    pub fn render(&self, now_ms: TimestampMs) -> String {
        format!(
            "#\n#{}\nnode.id={}\ndirectory.id={}\nversion=1\ncluster.id={}\n",
            java_date(now_ms),
            self.node_id,
            escaped(&self.directory_id),
            escaped(&self.cluster_id)
        )
    }

    /// Reads the file's text; `path` is for the error alone.
    pub fn parse(path: &Path, text: &str) -> Result<MetaProperties> {
        let properties: HashMap<String, String> =
            java_properties::read(text.as_bytes()).map_err(|error| damaged(path, 0, error.to_string()))?;
        let wanted = |key: &str| match properties.get(key) {
            Some(value) if !value.is_empty() => Ok(value.clone()),
            _ => Err(damaged(path, 0, format!("it has no {key}"))),
        };
        let version = wanted("version")?;
        if version != "1" {
            return Err(damaged(path, 0, format!("version 1 was expected, not {version:?}")));
        }
        let node_id = wanted("node.id")?;
        let node_id = node_id.parse().map_err(|_| damaged(path, 0, format!("node.id is no number: {node_id:?}")))?;
        // Folders that Kafka made before KIP-858 have no id of their own.
        let directory_id = properties.get("directory.id").cloned().unwrap_or_default();
        Ok(MetaProperties { cluster_id: wanted("cluster.id")?, node_id, directory_id })
    }
}

/// The text of `.kafka_cleanshutdown`. That the file is there is what counts; Kafka's controller alone reads the
/// epoch, which is `-1` where there is no controller.
pub fn render_clean_shutdown(broker_epoch: i64) -> String {
    format!("{{\"version\":0,\"brokerEpoch\":{broker_epoch}}}")
}

/// Reads `partition.metadata`; `None` when there is none.
pub fn read_topic_id(disk: &Disk, path: &Path) -> Result<Option<TopicId>> {
    read_text(disk, path)?.map(|text| parse_topic_id(path, &text)).transpose()
}

/// Writes `partition.metadata` in place of the old one.
pub fn write_topic_id(disk: &Disk, path: &Path, topic_id: TopicId) -> Result<()> {
    disk.replace(path, render_topic_id(topic_id).as_bytes())
}

/// Writes `partition.metadata` into a folder that was just made, not durably.
pub fn write_first_topic_id(disk: &Disk, path: &Path, topic_id: TopicId) -> Result<()> {
    disk.put(path, render_topic_id(topic_id).as_bytes())
}

/// The text of `partition.metadata`; Kafka ends it without a line feed.
pub fn render_topic_id(topic_id: TopicId) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// Reads the text of `partition.metadata`; `path` is for the error alone.
pub fn parse_topic_id(path: &Path, text: &str) -> Result<TopicId> {
    const VERSION: &str = "version: 0\n";
    let Some(rest) = text.strip_prefix(VERSION) else {
        return Err(damaged(path, 0, "\"version: 0\" was expected"));
    };
    let id = rest.strip_prefix("topic_id: ").and_then(|id| TopicId::parse(id.strip_suffix('\n').unwrap_or(id)));
    id.ok_or_else(|| damaged(path, VERSION.len(), "\"topic_id: \" and an id of 22 characters were expected"))
}

/// A value as Java writes it, where `=`, `:`, `#`, `!` and `\` carry a backslash.
fn escaped(value: &str) -> String {
    value.chars().fold(String::new(), |mut text, character| {
        if matches!(character, '=' | ':' | '#' | '!' | '\\') {
            text.push('\\');
        }
        text.push(character);
        text
    })
}

/// A time as Java's `Date` prints it, always in UTC: `Mon Nov 23 14:05:53 UTC 2026`.
pub fn java_date(now_ms: TimestampMs) -> String {
    const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let Moment { year, month, day, weekday, hour, minute, second, .. } = Moment::of(now_ms);
    let (weekday, month) = (WEEKDAYS[weekday as usize], MONTHS[month as usize - 1]);
    format!("{weekday} {month} {day:02} {hour:02}:{minute:02}:{second:02} UTC {year}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a real broker wrote.
    const META: &str = "#\n#Mon Nov 23 14:05:53 UTC 2026\nnode.id=1\ndirectory.id=Nu6P5IPkRfCeIhaOTlY5ig\nversion=1\n\
                        cluster.id=4Zi7avZ6QbyJx70cO0fPfw\n";

    #[test]
    fn meta_properties_are_kafkas_bytes() {
        let meta = MetaProperties::parse(Path::new("f"), META).expect("a good file");
        assert_eq!((meta.node_id, meta.cluster_id.as_str()), (1, "4Zi7avZ6QbyJx70cO0fPfw"));
        assert_eq!(meta.render(1_795_442_753_000), META);
    }

    #[test]
    fn odd_cluster_ids_come_back() {
        let meta = MetaProperties { cluster_id: "a=b:c\\#!".into(), node_id: 7, directory_id: "d".into() };
        assert_eq!(MetaProperties::parse(Path::new("f"), &meta.render(0)).expect("readable"), meta);
    }

    #[test]
    fn refuses_meta_properties_that_name_no_cluster() {
        for text in [
            "",
            "version=1\nnode.id=1\n",
            "version=0\nnode.id=1\ncluster.id=x\n",
            "version=1\nnode.id=x\ncluster.id=y\n",
        ] {
            assert!(MetaProperties::parse(Path::new("f"), text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn dates_are_javas() {
        assert_eq!(java_date(0), "Thu Jan 01 00:00:00 UTC 1970");
        assert_eq!(java_date(951_782_400_000), "Tue Feb 29 00:00:00 UTC 2000");
        assert_eq!(java_date(1_709_251_199_999), "Thu Feb 29 23:59:59 UTC 2024");
        assert_eq!(java_date(-1000), "Wed Dec 31 23:59:59 UTC 1969");
    }

    #[test]
    fn partition_metadata_is_kafkas_bytes() {
        let text = "version: 0\ntopic_id: jQGz-lIMTvuwpWb98rLo-g";
        let id = parse_topic_id(Path::new("f"), text).expect("a good file");
        assert_eq!(render_topic_id(id), text);
        for bad in ["", "version: 1\ntopic_id: jQGz-lIMTvuwpWb98rLo-g", "version: 0\ntopic_id: short", "version: 0\n"] {
            assert!(parse_topic_id(Path::new("f"), bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_clean_shutdown_file_is_kafkas() {
        assert_eq!(render_clean_shutdown(14), "{\"version\":0,\"brokerEpoch\":14}");
    }
}
