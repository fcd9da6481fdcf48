//! What holds, whatever happens.

use bytes::Bytes;
use cutaway::coordinator::Shard;
use cutaway::coordinator::conversation::{Joined, Reply, Request};
use cutaway::coordinator::group::{GroupState, Ticket};
use cutaway::names::GroupId;

use super::{GROUPS, World};

impl World {
    pub(super) fn check_joined(&mut self, group: usize, joined: &Joined) {
        if joined.error.is_some() {
            return;
        }
        assert!(joined.generation >= self.newest[group], "generations only go up: {joined:?}");
        self.newest[group] = joined.generation;
        let protocol = joined.protocol.clone().expect("a generation has a protocol");
        let known = self.protocols.entry((group, joined.generation)).or_insert_with(|| protocol.clone());
        assert_eq!(*known, protocol, "one protocol a generation");
        let is_leader = joined.members.iter().any(|member| member.id == joined.member_id);
        assert!(joined.members.is_empty() || is_leader, "only the leader hears of the others: {joined:?}");
    }

    pub(super) fn check_part(&mut self, group: usize, generation: i32, owner: String, part: &Bytes) {
        let parts = self.parts.entry((group, generation)).or_default();
        let saying = |part: &Bytes| str::from_utf8(part).ok()?.split('/').next()?.parse::<u64>().ok();
        if let Some(number) = saying(part) {
            let said_for = self.sayings[&number];
            assert_eq!(said_for, (group, generation), "{owner} gets what was said for this generation");
        }
        for (other, others) in parts.iter().filter(|(_, others)| !others.is_empty() && !part.is_empty()) {
            assert_eq!(saying(others), saying(part), "one leader speaks for a generation");
            assert!(*other == owner || others != part, "{owner} and {other} both got {part:?} in {generation}");
        }
        if let Some(before) = parts.insert(owner, part.clone()) {
            assert_eq!(before, part, "who asks again gets the same");
        }
    }

    fn committed(shard: &mut Shard, group: usize, now_ms: i64) -> Option<i64> {
        let question = Request::Offsets { group: GroupId::new(GROUPS[group]), partitions: Some(vec![("t".into(), 0)]) };
        let outcome = shard.apply(&question, Ticket(0), now_ms);
        match &outcome.replies[0].1 {
            Reply::Offsets(offsets) => offsets[0].2.as_ref().map(|committed| committed.offset),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn check_commits(&mut self) {
        for (group, offset) in &self.acknowledged {
            let stands = World::committed(&mut self.shard, *group, self.now_ms);
            assert_eq!(stands, Some(*offset), "the last commit that was acknowledged stands");
        }
    }

    /// The log tells all that lasts. In the time since the last record members may have come and gone.
    pub(super) fn check_replay(&mut self) {
        let mut read = self.read_log();
        for (index, group) in GROUPS.iter().enumerate() {
            let committed = World::committed(&mut read, index, self.now_ms);
            assert_eq!(committed, World::committed(&mut self.shard, index, self.now_ms), "commits of {group}");
            let view = |shard: &mut Shard| {
                let outcome = shard.apply(&Request::Describe(GroupId::new(group)), Ticket(0), self.now_ms);
                outcome.replies.into_iter().next().expect("an answer").1
            };
            let (Reply::Described(live), Reply::Described(read)) = (view(&mut self.shard), view(&mut read)) else {
                panic!("DescribeGroups is answered by a description")
            };
            if self.unwritten.contains(&GroupId::new(group)) {
                continue;
            }
            if live.as_ref().is_some_and(|live| matches!(live.state, GroupState::Stable | GroupState::Empty)) {
                assert_eq!(live, read, "a group at rest is as its record says");
            }
        }
    }
}
