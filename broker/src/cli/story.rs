//! The broker's story on the terminal: one line for each new fact, at most a few a second.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use cutaway::clock::TimestampMs;
use cutaway::config::limits::STORY_LINES_PER_SECOND;
use cutaway::journal::{Event, Journal, News, TopicOrigin};

use super::pace::{Pace, Verdict};
use super::say;

/// Tells what has happened since the start, and what happens from now on.
pub(crate) async fn tell(journal: Journal) {
    let (past, mut live) = journal.subscribe();
    let mut story = Story::default();
    for entry in past {
        print(&story.lines(entry.time_ms, &entry.event));
    }
    loop {
        match live.next().await {
            News::Happened(entry) => print(&story.lines(entry.time_ms, &entry.event)),
            News::Missed(count) => print(&story.missed(count)),
        }
    }
}

fn print(lines: &[String]) {
    for line in lines {
        say(line);
    }
}

/// What was told already, so that only new facts are.
#[derive(Debug)]
struct Story {
    /// Where each open connection comes from; a connection that ends is taken out.
    peers: HashMap<u64, SocketAddr>,
    /// Which client each open connection belongs to.
    clients: HashMap<u64, Client>,
    pace: Pace,
}

/// Connections of one program, which are told as one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Client {
    id: String,
    software: String,
    host: Option<IpAddr>,
}

impl Default for Story {
    fn default() -> Story {
        let pace = Pace::new(STORY_LINES_PER_SECOND, Duration::from_secs(1));
        Story { peers: HashMap::new(), clients: HashMap::new(), pace }
    }
}

impl Story {
    /// The lines that an event adds.
    fn lines(&mut self, time_ms: TimestampMs, event: &Event) -> Vec<String> {
        let Some(sentence) = self.sentence(event) else { return Vec::new() };
        match self.pace.judge(time_ms) {
            Verdict::Tell { held_back: 0 } => vec![sentence],
            Verdict::Tell { held_back } => vec![format!("({held_back} more lines were not told)"), sentence],
            Verdict::HoldBack { .. } => Vec::new(),
        }
    }

    /// After a gap nothing is known of connections for certain.
    fn missed(&mut self, count: u64) -> Vec<String> {
        self.peers.clear();
        self.clients.clear();
        vec![format!("({count} events came too fast to be told)")]
    }

    fn sentence(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::ClientConnected { connection, peer, .. } => {
                self.peers.insert(*connection, *peer);
                None
            }
            Event::ClientIdentified { connection, client_id, software_name, software_version } => {
                self.identified(*connection, client_id, &format!("{software_name} {software_version}"))
            }
            Event::ClientGone { connection, requests, why, .. } => self.gone(*connection, *requests, why),
            Event::TopicCreated { topic, partitions, by, origin, .. } => {
                let how = if *origin == TopicOrigin::Automatic { ", because a client asked for it" } else { "" };
                let made = if *origin == TopicOrigin::Adopted { "adopted" } else { "created" };
                let plural = if *partitions == 1 { "" } else { "s" };
                Some(format!("topic {topic} {made} with {partitions} partition{plural} by {by}{how}"))
            }
            Event::TopicExtended { topic, partitions, by, .. } => {
                Some(format!("topic {topic} extended to {partitions} partitions by {by}"))
            }
            Event::ReplicasMoved { topic, partitions, by, .. } => {
                let count = partitions.len();
                let partitions = if count == 1 { "1 partition".to_owned() } else { format!("{count} partitions") };
                Some(format!("replicas of {partitions} of topic {topic} moved by {by}"))
            }
            Event::TopicDeleted { topic, by, .. } => Some(format!("topic {topic} deleted by {by}")),
            Event::GroupSettled { group, generation, members, protocol } => {
                let members = if *members == 1 { "1 member".to_owned() } else { format!("{members} members") };
                Some(format!("group {} in generation {generation}: {members}, by {}", plain(group), plain(protocol)))
            }
            Event::GroupEmptied { group, .. } => Some(format!("group {} has no members any more", plain(group))),
            Event::GroupDeleted { group } => Some(format!("group {} deleted", plain(group))),
            Event::SettingsAltered { of, keys, by } => Some(format!("{} of {of} altered by {by}", keys.join(", "))),
            Event::FirstRecord { topic, partition, offset, file, position, client_id } => Some(format!(
                "first record of {topic}-{partition} from {client_id}: offset {offset}, {} at byte {position}",
                file.display()
            )),
            // The log has told it, on the same terminal.
            Event::RecoveryFound { .. } | Event::RequestRefused { .. } => None,
        }
    }

    fn identified(&mut self, connection: u64, id: &str, software: &str) -> Option<String> {
        let peer = self.peers.get(&connection).copied();
        let client =
            Client { id: id.to_owned(), software: software.trim().to_owned(), host: peer.map(|peer| peer.ip()) };
        let is_new = !self.clients.values().any(|other| *other == client);
        let software = if client.software.is_empty() { String::new() } else { format!(" ({})", client.software) };
        self.clients.insert(connection, client);
        let place = peer.map(|peer| format!(" from {peer}")).unwrap_or_default();
        is_new.then(|| format!("client {id}{software} connected{place}"))
    }

    fn gone(&mut self, connection: u64, requests: u64, why: &str) -> Option<String> {
        self.peers.remove(&connection);
        let client = self.clients.remove(&connection)?;
        if self.clients.values().any(|other| *other == client) {
            return None;
        }
        let plural = if requests == 1 { "" } else { "s" };
        Some(format!("client {} gone after {requests} request{plural}: {why}", client.id))
    }
}

/// A text that clients made up, without what a terminal would obey.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(connection: u64) -> Event {
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000 + u16::try_from(connection).expect("small")));
        Event::ClientConnected { connection, peer, listener: "PLAINTEXT".into() }
    }

    fn identified(connection: u64) -> Event {
        Event::ClientIdentified {
            connection,
            client_id: "rdkafka".into(),
            software_name: "librdkafka".into(),
            software_version: "2.0.2".into(),
        }
    }

    fn gone(connection: u64) -> Event {
        Event::ClientGone { connection, client_id: "rdkafka".into(), requests: 3, why: "it closed".into() }
    }

    #[test]
    fn a_client_with_two_connections_is_one_fact() {
        let mut story = Story::default();
        let events = [connected(1), connected(2), identified(1), identified(2), gone(1), gone(2)];
        let told: Vec<String> = events.iter().flat_map(|event| story.lines(0, event)).collect();
        assert_eq!(
            told,
            [
                "client rdkafka (librdkafka 2.0.2) connected from 127.0.0.1:50001",
                "client rdkafka gone after 3 requests: it closed"
            ]
        );
        assert!(story.peers.is_empty() && story.clients.is_empty());
    }

    #[test]
    fn connections_that_say_nothing_are_not_told() {
        let mut story = Story::default();
        assert!(story.lines(0, &connected(1)).is_empty());
        assert!(story.lines(0, &gone(1)).is_empty());
    }

    #[test]
    fn what_the_log_tells_is_not_told_again() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        let refused = Event::RequestRefused { connection: 1, peer, client_id: "x".into(), why: "w".into() };
        let found = Event::RecoveryFound {
            topic: "t".into(),
            partition: 0,
            file: "f".into(),
            position: 0,
            sentence: "s".into(),
        };
        assert!([refused, found].iter().all(|event| Story::default().lines(0, event).is_empty()));
    }

    #[test]
    fn a_topic_that_grows_is_told() {
        let (topic, topic_id, by) = ("t".into(), "i".into(), "User:ANONYMOUS".into());
        let told = Story::default().lines(0, &Event::TopicExtended { topic, topic_id, partitions: 3, by });
        assert_eq!(told, ["topic t extended to 3 partitions by User:ANONYMOUS"]);
        let (topic, topic_id, by) = ("t".into(), "i".into(), "User:ANONYMOUS".into());
        let told = Story::default().lines(0, &Event::ReplicasMoved { topic, topic_id, partitions: vec![2], by });
        assert_eq!(told, ["replicas of 1 partition of topic t moved by User:ANONYMOUS"]);
    }

    #[test]
    fn the_life_of_a_group_is_told_in_plain_text() {
        let mut story = Story::default();
        let (group, protocol) = (String::from("read\u{1b}[2Jers"), String::from("range"));
        let events = [
            Event::GroupSettled { group: group.clone(), generation: 1, members: 1, protocol: protocol.clone() },
            Event::GroupSettled { group: group.clone(), generation: 2, members: 2, protocol },
            Event::GroupEmptied { group: group.clone(), generation: 3 },
            Event::GroupDeleted { group },
        ];
        let told: Vec<String> = events.iter().flat_map(|event| story.lines(0, event)).collect();
        assert_eq!(
            told,
            [
                "group read\u{fffd}[2Jers in generation 1: 1 member, by range",
                "group read\u{fffd}[2Jers in generation 2: 2 members, by range",
                "group read\u{fffd}[2Jers has no members any more",
                "group read\u{fffd}[2Jers deleted",
            ]
        );
    }

    #[test]
    fn at_most_so_many_lines_a_second() {
        let mut story = Story::default();
        let deleted = |topic: &str| Event::TopicDeleted { topic: topic.into(), topic_id: "i".into(), by: "b".into() };
        let told: usize = (0..9).map(|number| story.lines(500, &deleted(&number.to_string())).len()).sum();
        assert_eq!(told, 5);
        assert_eq!(story.lines(1500, &deleted("x")), ["(4 more lines were not told)", "topic x deleted by b"]);
    }
}
