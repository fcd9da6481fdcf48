//! Who is in the group, what they have in common, and who speaks for them.

use std::collections::{BTreeSet, HashMap, HashSet};

use bytes::{Buf, Bytes};
use kafka_protocol::ResponseError;

use super::{CONSUMER, Effects, Group, GroupState, Member, Protocol};
use crate::clock::TimestampMs;
use crate::coordinator::conversation::{Identity, Joined, JoinedMember, Synced};

impl Group {
    pub(super) fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    pub(super) fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.id == id)
    }

    pub(super) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    /// Under which id a static member is known at present.
    pub(super) fn static_member_id(&self, instance: &str) -> Option<String> {
        let found = self.members.iter().find(|member| member.instance.as_deref() == Some(instance));
        found.map(|member| member.id.clone())
    }

    /// Whether somebody is a member, and a static one not its own predecessor.
    pub(super) fn check_member(&self, who: &Identity) -> Result<(), ResponseError> {
        if let Some(instance) = &who.instance {
            match self.static_member_id(instance) {
                None => return Err(ResponseError::UnknownMemberId),
                Some(current) if current != who.member_id => return Err(ResponseError::FencedInstanceId),
                Some(_) => {}
            }
        }
        self.member(&who.member_id).map(|_| ()).ok_or(ResponseError::UnknownMemberId)
    }

    /// Whether somebody who knows these protocols could work with all the others.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == GroupState::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|wanted| self.members.iter().all(|member| knows(member, &wanted.name)))
    }

    /// The protocol that all members know and most prefer. Of two with as many votes Kafka takes the one that Java's
    /// `HashMap` lists first.
    pub(super) fn preferred_protocol(&self) -> Option<&str> {
        let mut votes: HashMap<&str, usize> = HashMap::new();
        let is_common = |protocol: &&Protocol| self.members.iter().all(|member| knows(member, &protocol.name));
        for vote in self.members.iter().filter_map(|member| member.protocols.iter().find(is_common)) {
            *votes.entry(&vote.name).or_default() += 1;
        }
        let count = votes.len();
        votes
            .into_iter()
            .max_by(|(name, votes), (other, others)| {
                votes.cmp(others).then_with(|| bucket(other, count).cmp(&bucket(name, count))).then(other.cmp(name))
            })
            .map(|(name, _)| name)
    }

    /// Takes out a member or somebody who was to become one.
    pub(super) fn remove(&mut self, id: &str) {
        self.members.retain(|member| member.id != id);
        self.pending.remove(id);
        if self.is_leader(id) {
            self.leader = self.members.first().map(|member| member.id.clone());
        }
    }

    /// Puts a static member that has come back into the place of its former self, whose requests are answered that it is
    /// fenced: two run under one name.
    pub(super) fn replace(&mut self, former_id: &str, id: &str, now_ms: TimestampMs, effects: &mut Effects) {
        if self.is_leader(former_id) {
            self.leader = Some(id.to_owned());
        }
        let Some(member) = self.member_mut(former_id) else { return };
        let fenced = ResponseError::FencedInstanceId;
        if let Some(ticket) = member.awaiting_join.take() {
            effects.reply(ticket, Joined::refused(former_id, fenced));
        }
        if let Some(ticket) = member.awaiting_sync.take() {
            effects.reply(ticket, Synced::refused(fenced));
        }
        id.clone_into(&mut member.id);
        member.is_new = false;
        member.extend_session(now_ms);
    }

    /// What a member hears of the generation; the leader also who else is in it.
    pub(super) fn joined(&self, id: &str, tells_all: bool) -> Joined {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let describe = |member: &Member| JoinedMember {
            id: member.id.clone(),
            instance: member.instance.clone(),
            metadata: member.metadata(protocol),
        };
        Joined {
            error: None,
            member_id: id.to_owned(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            members: if tells_all { self.members.iter().map(describe).collect() } else { Vec::new() },
        }
    }

    /// What all members together subscribe to, if they are consumers and all of it can be read.
    pub(super) fn read_subscriptions(&self) -> Option<BTreeSet<String>> {
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let read = self.members.iter().map(|member| subscribed_topics(member.metadata(protocol)));
        read.collect::<Option<Vec<_>>>().map(|topics| topics.into_iter().flatten().collect())
    }
}

fn knows(member: &Member, protocol: &str) -> bool {
    member.protocols.iter().any(|known| known.name == protocol)
}

/// Where a text stands in a `java.util.HashMap` with this many keys.
fn bucket(text: &str, count: usize) -> u32 {
    let hash = text.encode_utf16().fold(0u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    let mut size = 16;
    while count * 4 > size * 3 {
        size *= 2;
    }
    (hash ^ (hash >> 16)) & (size as u32 - 1)
}

/// The topics of a subscription: behind its version (i16) an array of texts, in all versions that there are.
fn subscribed_topics(mut metadata: Bytes) -> Option<HashSet<String>> {
    let version = metadata.try_get_i16().ok()?;
    let count = metadata.try_get_i32().ok().filter(|_| version >= 0)?;
    let mut topics = HashSet::new();
    for _ in 0..count {
        let length = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        if metadata.len() < length {
            return None;
        }
        topics.insert(String::from_utf8(metadata.split_to(length).to_vec()).ok()?);
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscriptions_are_read_as_far_as_they_can_be() {
        let subscription = |bytes: &'static [u8]| subscribed_topics(Bytes::from_static(bytes));
        assert_eq!(subscription(b"\0\x01\0\0\0\x01\0\x02t1\xff\xff\xff\xff"), Some(HashSet::from(["t1".into()])));
        assert_eq!(subscription(b"\0\0\0\0\0\0"), Some(HashSet::new()));
        for broken in
            [&b""[..], b"\0", b"\0\0\0\0\0\x01", b"\0\0\0\0\0\x01\0\x05t", b"\0\0\x7f\xff\xff\xff", b"\xff\xff\0\0\0\0"]
        {
            assert_eq!(subscription(broken), None, "{broken:?}");
        }
    }

    #[test]
    fn texts_stand_in_a_map_where_java_puts_them() {
        let mut names = ["roundrobin", "range", "cooperative-sticky", "sticky"];
        names.sort_by_key(|name| bucket(name, 4));
        // As `new HashMap<>(…).keySet()` prints them.
        assert_eq!(names, ["sticky", "range", "roundrobin", "cooperative-sticky"]);
    }
}
