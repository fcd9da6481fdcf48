//! Groups under chance: members join, sync, commit, leave, vanish and come back with what they knew, the log fails and is
//! compacted, the broker starts anew. Whatever happens, five things hold:
//!
//! 1. every request is answered once, and none waits for ever;
//! 2. a generation has one protocol and one leader, and generations only go up;
//! 3. in one generation everybody gets what its leader said, and nobody what somebody else got;
//! 4. what was acknowledged as committed stands, and does not go back;
//! 5. a shard that has read the log knows what the one that wrote it knew.
//!
//! A failure prints its seed; `CUTAWAY_SEED=… cargo test -p cutaway-tests group::model` repeats it.

mod invariants;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cutaway::coordinator::conversation::{Commit, Heartbeat, Identity, Join, Leave, NewOffset, Reply, Request, Sync};
use cutaway::coordinator::group::{GroupRules, Protocol, Ticket};
use cutaway::coordinator::record::Record;
use cutaway::coordinator::{Outcome, Place, Rules, Shard};
use cutaway::names::{GroupId, TopicName};
use cutaway_tests::chance::Chance;
use kafka_protocol::ResponseError;
use uuid::Uuid;

const SEEDS: u64 = 10_000;
const STEPS: usize = 80;
const GROUPS: [&str; 2] = ["g", "h"];
const CLIENTS: usize = 5;

const RULES: Rules = Rules {
    groups: GroupRules {
        initial_rebalance_delay_ms: 500,
        max_size: 4,
        min_session_timeout_ms: 1_000,
        max_session_timeout_ms: 60_000,
    },
    max_metadata_bytes: 64,
    offsets_retention_ms: i64::MAX,
    expiry_interval_ms: 60_000,
};

/// What a client believes.
#[derive(Clone, Debug, Default)]
struct Client {
    group: usize,
    member_id: String,
    instance: Option<String>,
    generation: i32,
    /// As the leader: who is in its generation.
    leads: Vec<String>,
    waits_for: Option<Ticket>,
}

struct World {
    chance: Chance,
    shard: Shard,
    log: Vec<Record>,
    now_ms: i64,
    clients: Vec<Client>,
    tickets: u64,
    waiting: BTreeMap<Ticket, usize>,
    /// Group and generation → protocol.
    protocols: BTreeMap<(usize, i32), String>,
    /// Group and generation → who got what. A static member is known by its name, whatever its id.
    parts: BTreeMap<(usize, i32), BTreeMap<String, Bytes>>,
    newest: [i32; GROUPS.len()],
    acknowledged: BTreeMap<usize, i64>,
    commits: BTreeMap<Ticket, (usize, i64)>,
    syncs: BTreeMap<Ticket, (usize, i32, String)>,
    /// What leaders said, by number: for which generation of which group.
    sayings: BTreeMap<u64, (usize, i32)>,
    next_offset: i64,
    said: u64,
    /// Groups whose last change could not be written down: they go on, and the next change is.
    unwritten: BTreeSet<GroupId>,
    /// What counts is being appended anew: the place in the log where that began, and where it goes on.
    compaction: Option<(usize, Option<Place>)>,
}

#[test]
fn whatever_happens_five_things_hold() {
    let given = std::env::var("CUTAWAY_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = given.map_or(0..SEEDS, |seed| seed..seed + 1);
    for seed in seeds {
        let run = std::panic::catch_unwind(|| World::new(seed).run());
        if let Err(broken) = run {
            eprintln!("CUTAWAY_SEED={seed}");
            std::panic::resume_unwind(broken);
        }
    }
}

impl World {
    fn new(seed: u64) -> World {
        let mut chance = Chance::new(seed);
        let client = |index: usize| Client {
            group: chance.below(GROUPS.len()),
            instance: (chance.below(4) == 0).then(|| format!("instance{index}")),
            ..Client::default()
        };
        World {
            clients: (0..CLIENTS).map(client).collect(),
            chance,
            shard: Shard::new(RULES),
            log: Vec::new(),
            now_ms: 1_700_000_000_000,
            tickets: 0,
            waiting: BTreeMap::new(),
            protocols: BTreeMap::new(),
            parts: BTreeMap::new(),
            newest: [0; GROUPS.len()],
            acknowledged: BTreeMap::new(),
            commits: BTreeMap::new(),
            syncs: BTreeMap::new(),
            sayings: BTreeMap::new(),
            next_offset: 0,
            said: 0,
            unwritten: BTreeSet::new(),
            compaction: None,
        }
    }

    fn run(mut self) {
        for _ in 0..STEPS {
            let client = self.chance.below(CLIENTS);
            match self.chance.below(23) {
                0..6 => self.join(client),
                6..11 => self.sync(client),
                11..13 => self.heartbeat(client),
                13..15 => self.commit(client),
                15 => self.leave(client),
                // It starts anew and has forgotten who it was.
                16 => self.clients[client].member_id.clear(),
                17 => self.restart(),
                18..21 => self.compact(),
                _ => {
                    let pause_ms = [1, 100, 600, 3_000, 12_000][self.chance.below(5)];
                    self.pass(self.now_ms + pause_ms);
                }
            }
            self.pass(self.now_ms);
            self.check_commits();
        }
        // Longer than all that anybody can wait for.
        self.pass(self.now_ms + 10 * 60_000);
        assert!(self.waiting.is_empty(), "nobody waits for ever: {:?}", self.waiting);
        self.check_replay();
    }

    fn ask(&mut self, client: usize, request: &Request) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, client);
        let outcome = self.shard.apply(request, ticket, self.now_ms);
        self.settle(outcome);
        ticket
    }

    fn settle(&mut self, mut outcome: Outcome) {
        while !outcome.records.is_empty() && self.chance.below(12) == 0 {
            self.unwritten.extend(outcome.records.iter().map(|record| record.group().clone()));
            outcome = self.shard.take_back(outcome, ResponseError::NotCoordinator, self.now_ms);
        }
        for record in outcome.records {
            if let Record::Group { group, .. } = &record {
                self.unwritten.remove(group);
            }
            if let Record::Group { group, metadata: None } = &record {
                self.forget_above(GROUPS.iter().position(|name| *name == group.as_str()).expect("one of ours"), -1);
            }
            self.log.push(record);
        }
        for (ticket, reply) in outcome.replies {
            let client = self.waiting.remove(&ticket).expect("every request is answered once");
            self.hear(client, ticket, &reply);
        }
    }

    fn hear(&mut self, client: usize, ticket: Ticket, reply: &Reply) {
        // Of several requests under way the client only listens to its last JoinGroup.
        let is_current = self.clients[client].waits_for.is_none_or(|awaited| awaited == ticket);
        match reply {
            Reply::Joined(joined) => {
                self.check_joined(self.clients[client].group, joined);
                if is_current {
                    let own = &mut self.clients[client];
                    own.waits_for = None;
                    own.leads = joined.members.iter().map(|member| member.id.clone()).collect();
                    match joined.error {
                        None | Some(ResponseError::MemberIdRequired) => own.member_id.clone_from(&joined.member_id),
                        Some(ResponseError::NotCoordinator | ResponseError::RebalanceInProgress) => {}
                        Some(_) => own.member_id.clear(),
                    }
                    own.generation = joined.generation;
                }
            }
            Reply::Synced(synced) if synced.error.is_none() => {
                let (group, generation, owner) = self.syncs.remove(&ticket).expect("it was a SyncGroup");
                self.check_part(group, generation, owner, &synced.assignment);
            }
            Reply::Committed(Ok(_)) => {
                let (group, offset) = self.commits.remove(&ticket).expect("it was committed");
                self.acknowledged.insert(group, offset);
            }
            _ => {}
        }
    }

    fn join(&mut self, client: usize) {
        let own = self.clients[client].clone();
        let all = ["range", "roundrobin", "sticky"];
        let first = self.chance.below(all.len());
        let protocols = (0..all.len()).map(|step| all[(first + step) % all.len()]);
        let protocols = protocols.map(|name| Protocol { name: name.into(), metadata: Bytes::new() }).collect();
        let join = Join {
            group: GroupId::new(GROUPS[own.group]),
            who: Identity { member_id: own.member_id, instance: own.instance },
            fresh_id: Uuid::from_u128(u128::from(self.chance.number())),
            client_id: format!("client{client}"),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: *self.chance.pick(&[-1, 0, 1_000, 5_000, 20_000]),
            protocol_type: "consumer".into(),
            protocols,
            takes_member_id: self.chance.below(3) > 0,
            may_skip_assignment: self.chance.below(2) == 0,
        };
        let ticket = self.ask(client, &Request::Join(join));
        if self.waiting.contains_key(&ticket) {
            self.clients[client].waits_for = Some(ticket);
        }
    }

    fn sync(&mut self, client: usize) {
        let own = self.clients[client].clone();
        if own.member_id.is_empty() {
            return;
        }
        self.said += 1;
        // What a leader says carries its number, so that it can be told from what another one says.
        let part = |(index, id): (usize, &String)| (id.clone(), Bytes::from(format!("{}/{index}", self.said)));
        let sync = Sync {
            group: GroupId::new(GROUPS[own.group]),
            who: Identity { member_id: own.member_id.clone(), instance: own.instance.clone() },
            generation: own.generation,
            protocol_type: None,
            protocol: None,
            assignments: own.leads.iter().enumerate().map(part).collect(),
        };
        self.sayings.insert(self.said, (own.group, own.generation));
        let owner = own.instance.unwrap_or(own.member_id);
        self.syncs.insert(Ticket(self.tickets + 1), (own.group, own.generation, owner));
        self.ask(client, &Request::Sync(sync));
    }

    fn heartbeat(&mut self, client: usize) {
        let own = &self.clients[client];
        let who = Identity { member_id: own.member_id.clone(), instance: own.instance.clone() };
        let (group, generation) = (GroupId::new(GROUPS[own.group]), own.generation);
        self.ask(client, &Request::Heartbeat(Heartbeat { group, who, generation }));
    }

    fn leave(&mut self, client: usize) {
        let own = &self.clients[client];
        let members = vec![Identity { member_id: own.member_id.clone(), instance: own.instance.clone() }];
        self.ask(client, &Request::Leave(Leave { group: GroupId::new(GROUPS[own.group]), members }));
    }

    fn commit(&mut self, client: usize) {
        let own = self.clients[client].clone();
        self.next_offset += 1;
        let offset = NewOffset {
            topic: TopicName::parse("t").expect("a name"),
            topic_id: None,
            partition: 0,
            offset: self.next_offset,
            leader_epoch: -1,
            metadata: String::new(),
        };
        let commit = Commit {
            group: GroupId::new(GROUPS[own.group]),
            who: Identity { member_id: own.member_id, instance: own.instance },
            generation: if self.chance.below(4) == 0 { -1 } else { own.generation },
            retention_ms: None,
            knows_missing_groups: true,
            offsets: vec![offset],
        };
        self.commits.insert(Ticket(self.tickets + 1), (own.group, self.next_offset));
        self.ask(client, &Request::Commit(commit));
    }

    /// Who waited is answered by nobody: the connections are gone, and the clients ask again, if they do. Generations that
    /// were never written down are as if they had not been, and their numbers come again.
    fn restart(&mut self) {
        self.compaction = None;
        self.shard = self.read_log();
        self.shard.begin(self.now_ms);
        self.waiting.clear();
        for (index, name) in GROUPS.iter().enumerate() {
            let written = self.log.iter().rev().find_map(|record| match record {
                Record::Group { group, metadata } if group.as_str() == *name => Some(metadata.as_ref()),
                _ => None,
            });
            self.forget_above(index, written.flatten().map_or(-1, |metadata| metadata.generation));
        }
    }

    /// A piece of the log is written anew, as the worker does between requests; after the last, what stood before is gone.
    fn compact(&mut self) {
        let (from, place) = self.compaction.take().unwrap_or((self.log.len(), None));
        let (records, next) = self.shard.projection(place.as_ref(), 1 + self.chance.below(400));
        self.log.extend(records);
        match next {
            Some(_) => self.compaction = Some((from, next)),
            None => drop(self.log.drain(..from)),
        }
    }

    fn forget_above(&mut self, group: usize, generation: i32) {
        self.protocols.retain(|(of, number), _| *of != group || *number <= generation);
        self.parts.retain(|(of, number), _| *of != group || *number <= generation);
        self.newest[group] = generation.max(0);
    }

    fn read_log(&self) -> Shard {
        let mut shard = Shard::new(RULES);
        for record in &self.log {
            let (key, value) = record.encode();
            let read = Record::decode(key.into(), value.map(Bytes::from)).expect("our own record");
            shard.replay(read, self.now_ms);
        }
        shard
    }

    fn pass(&mut self, until_ms: i64) {
        while let Some(due_ms) = self.shard.next_deadline_ms().filter(|due_ms| *due_ms <= until_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            let outcome = self.shard.pass_time(self.now_ms);
            self.settle(outcome);
        }
        self.now_ms = until_ms;
    }
}
