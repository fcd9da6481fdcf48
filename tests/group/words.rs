//! What a group answers, in the words of a page.

use bytes::{Buf, BufMut, Bytes};
use cutaway::coordinator::conversation::{Joined, Reply, Synced};
use cutaway::coordinator::group::GroupView;
use cutaway::coordinator::record::Record;
use kafka_protocol::ResponseError;

/// An answer in one line.
pub(super) fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Joined(joined) => self::joined(joined),
        Reply::Synced(Synced { error: Some(error), .. }) => code(*error),
        Reply::Synced(synced) => format!("gets {}", text(&synced.assignment)),
        Reply::Alive(Ok(())) => "alive".into(),
        Reply::Alive(Err(error)) => code(*error),
        Reply::Left(outcomes) => self::outcomes(outcomes, "left"),
        Reply::Committed(outcomes) => self::outcomes(outcomes, "committed"),
        Reply::OffsetsDeleted(outcomes) => self::outcomes(outcomes, "deleted"),
        Reply::Deleted(Ok(())) => "deleted".into(),
        Reply::Deleted(Err(error)) | Reply::Refused(error) => code(*error),
        Reply::Forgotten { is_all } => if *is_all { "forgotten" } else { "some is forgotten" }.into(),
        Reply::Offsets(offsets) if offsets.is_empty() => "nothing is committed".into(),
        Reply::Offsets(offsets) => {
            let one = |(topic, partition, committed): &(String, i32, Option<_>)| match committed {
                Some(committed) => format!("{topic}/{partition} at {}", offset(committed)),
                None => format!("{topic}/{partition} not committed"),
            };
            offsets.iter().map(one).collect::<Vec<_>>().join(", ")
        }
        Reply::Described(None) => "there is no such group".into(),
        Reply::Described(Some(group)) => described(group),
        Reply::Listed(groups) => {
            let mut lines: Vec<String> =
                groups.iter().map(|group| format!("{} {}", group.id, group.state.name())).collect();
            lines.sort();
            lines.join(", ")
        }
    }
}

/// What a consumer says of its wishes: topics with dots between them, or nothing.
pub(super) fn subscription(topics: &str) -> Bytes {
    if topics.is_empty() {
        return Bytes::new();
    }
    let mut metadata = Vec::new();
    metadata.put_i16(0);
    metadata.put_i32(i32::try_from(topics.split('.').count()).expect("a few"));
    for topic in topics.split('.') {
        metadata.put_i16(i16::try_from(topic.len()).expect("short"));
        metadata.put_slice(topic.as_bytes());
    }
    metadata.into()
}

/// The other way round.
fn topics(mut metadata: Bytes) -> String {
    if metadata.is_empty() {
        return "nothing".into();
    }
    metadata.advance(2);
    let count = metadata.get_i32();
    let topic = |_| {
        let length = usize::try_from(metadata.get_i16()).expect("a length");
        String::from_utf8(metadata.split_to(length).to_vec()).expect("a name")
    };
    (0..count).map(topic).collect::<Vec<_>>().join(".")
}

/// A record in one line.
pub(super) fn record(record: &Record) -> String {
    match record {
        Record::Offset { group, topic, partition, committed: Some(committed) } => {
            format!("{group}: {topic}/{partition} at {}", offset(committed))
        }
        Record::Offset { group, topic, partition, committed: None } => format!("{group}: {topic}/{partition} is gone"),
        Record::Group { group, metadata: None } => format!("{group} is gone"),
        Record::Group { group, metadata: Some(group_record) } => {
            let members = group_record.members.iter().map(|one| format!("{}={}", one.id, text(&one.assignment)));
            let members: Vec<String> = members.collect();
            format!("{group}: generation {} [{}]", group_record.generation, members.join(" "))
        }
    }
}

fn joined(joined: &Joined) -> String {
    match joined.error {
        Some(error) if joined.member_id.is_empty() => code(error),
        Some(error) => format!("{} {}", joined.member_id, code(error)),
        None => {
            let mut line = format!(
                "{} is in generation {} of {}, leader {}",
                joined.member_id,
                joined.generation,
                joined.protocol.as_deref().unwrap_or("nothing"),
                joined.leader
            );
            if joined.skip_assignment {
                line.push_str(", nothing to assign");
            }
            if !joined.members.is_empty() {
                let members = joined.members.iter().map(|one| format!("{}:{}", one.id, topics(one.metadata.clone())));
                line.push_str(&format!(", members {}", members.collect::<Vec<_>>().join(" ")));
            }
            line
        }
    }
}

fn described(group: &GroupView) -> String {
    let mut line = format!("{} {}", group.id, group.state.name());
    for (name, value) in [("type", &group.protocol_type), ("protocol", &group.protocol)] {
        if !value.is_empty() {
            line.push_str(&format!(" {name}={value}"));
        }
    }
    for member in &group.members {
        let instance = member.instance.as_deref().map(|instance| format!(" ({instance})")).unwrap_or_default();
        line.push_str(&format!("\n  {}{instance} has {}", member.id, text(&member.assignment)));
    }
    line
}

fn outcomes(outcomes: &Result<Vec<Result<(), ResponseError>>, ResponseError>, done: &str) -> String {
    match outcomes {
        Err(error) => code(*error),
        Ok(outcomes) => {
            let one = |outcome: &Result<(), ResponseError>| outcome.map_or_else(code, |()| done.to_owned());
            outcomes.iter().map(one).collect::<Vec<_>>().join(", ")
        }
    }
}

fn offset(committed: &cutaway::coordinator::record::CommittedOffset) -> String {
    match committed.metadata.as_str() {
        "" => committed.offset.to_string(),
        metadata => format!("{} ({metadata})", committed.offset),
    }
}

/// Kafka's name of an error.
fn code(error: ResponseError) -> String {
    let mut name = String::new();
    for letter in format!("{error:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn text(bytes: &Bytes) -> String {
    if bytes.is_empty() { "nothing".into() } else { String::from_utf8_lossy(bytes).into_owned() }
}
