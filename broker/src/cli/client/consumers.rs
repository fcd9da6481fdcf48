//! What the consumers of a group say to one another, through a broker that does not look into it: what each wants to read, and
//! what each gets (Kafka's `ConsumerProtocolSubscription` and `ConsumerProtocolAssignment`).

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// A topic and one of its partitions.
pub(crate) type Partition = (String, i32);

/// The version that every consumer understands: the later ones only add to it.
const VERSION: i16 = 0;

/// Says that a consumer wants to read a topic.
pub(crate) fn subscription(topic: &str) -> Bytes {
    let mut said = BytesMut::new();
    said.put_i16(VERSION);
    said.put_i32(1);
    put_text(&mut said, topic);
    put_no_user_data(&mut said);
    said.freeze()
}

/// The topics that a consumer wants to read. Of one that cannot be understood it is none.
pub(crate) fn subscribed(mut said: Bytes) -> Vec<String> {
    let mut read = || {
        said.try_get_i16().ok()?;
        let mut topics = Vec::new();
        for _ in 0..said.try_get_i32().ok()? {
            topics.push(take_text(&mut said)?);
        }
        Some(topics)
    };
    read().unwrap_or_default()
}

/// Says what a consumer gets.
pub(crate) fn assignment(partitions: &[Partition]) -> Bytes {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    partitions.iter().for_each(|(topic, partition)| by_topic.entry(topic).or_default().push(*partition));
    let mut said = BytesMut::new();
    said.put_i16(VERSION);
    put_count(&mut said, by_topic.len());
    for (topic, partitions) in by_topic {
        put_text(&mut said, topic);
        put_count(&mut said, partitions.len());
        partitions.into_iter().for_each(|partition| said.put_i32(partition));
    }
    put_no_user_data(&mut said);
    said.freeze()
}

/// What a consumer gets. Members of other kinds say otherwise what they do, and get nothing that could be read here.
pub(crate) fn assigned(mut said: Bytes) -> Vec<Partition> {
    let mut read = || {
        said.try_get_i16().ok()?;
        let mut partitions = Vec::new();
        for _ in 0..said.try_get_i32().ok()? {
            let topic = take_text(&mut said)?;
            for _ in 0..said.try_get_i32().ok()? {
                partitions.push((topic.clone(), said.try_get_i32().ok()?));
            }
        }
        Some(partitions)
    };
    read().unwrap_or_default()
}

/// Divides topics as Kafka's `RangeAssignor` does: of each topic every member gets a range of partitions, in the order of the
/// members' names, and the first ones get one more where they do not come out even.
///
/// Members are given with the name that orders them and what they want; topics with their numbers of partitions.
pub(crate) fn by_range(
    members: &[(String, Vec<String>)],
    topics: &BTreeMap<String, usize>,
) -> BTreeMap<String, Vec<Partition>> {
    let mut parts: BTreeMap<String, Vec<Partition>> =
        members.iter().map(|(name, _)| (name.clone(), Vec::new())).collect();
    for (topic, count) in topics {
        let mut readers: Vec<&String> =
            members.iter().filter(|(_, wants)| wants.contains(topic)).map(|(name, _)| name).collect();
        readers.sort();
        let mut next = 0;
        for (place, reader) in readers.iter().enumerate() {
            let size = count / readers.len() + usize::from(place < count % readers.len());
            let range = (next..next + size).filter_map(|partition| i32::try_from(partition).ok());
            let part = range.map(|partition| (topic.clone(), partition));
            parts.entry((*reader).clone()).or_default().extend(part);
            next += size;
        }
    }
    parts
}

fn put_text(said: &mut BytesMut, text: &str) {
    said.put_i16(i16::try_from(text.len()).expect("a topic's name is short"));
    said.put_slice(text.as_bytes());
}

fn put_count(said: &mut BytesMut, count: usize) {
    said.put_i32(i32::try_from(count).expect("there are not so many partitions"));
}

fn put_no_user_data(said: &mut BytesMut) {
    said.put_i32(-1);
}

fn take_text(said: &mut Bytes) -> Option<String> {
    let length = usize::try_from(said.try_get_i16().ok()?).ok().filter(|length| *length <= said.len())?;
    String::from_utf8(said.split_to(length).to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(topic: &str, range: std::ops::Range<i32>) -> Vec<Partition> {
        range.map(|partition| (topic.to_owned(), partition)).collect()
    }

    #[test]
    fn what_is_said_is_understood() {
        assert_eq!(subscribed(subscription("orders")), ["orders"]);
        let part = [partitions("a", 0..2), partitions("b", 5..6)].concat();
        assert_eq!(assigned(assignment(&part)), part);
        assert_eq!(assigned(assignment(&[])), []);
        let whole = assignment(&part);
        for end in 0..whole.len() - 4 {
            assert_eq!(assigned(whole.slice(..end)), [], "cut at {end}");
        }
        assert_eq!(subscribed(Bytes::from_static(b"\0\0\x7f\xff\xff\xff")), Vec::<String>::new());
    }

    #[test]
    fn ranges_are_kafkas() {
        let member = |name: &str, wants: &[&str]| (name.to_owned(), wants.iter().map(|&topic| topic.into()).collect());
        let members = [member("b", &["t", "u"]), member("a", &["t"]), member("c", &["t", "gone"])];
        let parts = by_range(&members, &BTreeMap::from([("t".to_owned(), 7), ("u".to_owned(), 2)]));
        assert_eq!(parts["a"], partitions("t", 0..3));
        assert_eq!(parts["b"], [partitions("t", 3..5), partitions("u", 0..2)].concat());
        assert_eq!(parts["c"], partitions("t", 5..7));
        let few = by_range(&members, &BTreeMap::from([("t".to_owned(), 2)]));
        assert_eq!((few["a"].len(), few["b"].len(), few["c"].len()), (1, 1, 0));
    }

    #[test]
    fn assignments_of_consumers_are_read_and_others_are_nothing() {
        let bytes = b"\0\x01\0\0\0\x01\0\x02t1\0\0\0\x02\0\0\0\0\0\0\0\x05\xff\xff\xff\xff";
        assert_eq!(assigned(Bytes::from_static(bytes)), [("t1".to_owned(), 0), ("t1".to_owned(), 5)]);
        for other in [&b""[..], b"\0", b"\0\0\0\0\0\x05", b"\0\0\0\0\0\x01\0\x09t", b"part"] {
            assert!(assigned(Bytes::from_static(other)).is_empty(), "{other:?}");
        }
    }
}
