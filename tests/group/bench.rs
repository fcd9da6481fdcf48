//! A shard on a bench: whoever asks it has a name, and its log is a list.

use std::collections::BTreeMap;
use std::error::Error;

use bytes::Bytes;
use cutaway::coordinator::conversation::{Commit, Heartbeat, Identity, Join, Leave, NewOffset, Reply, Request, Sync};
use cutaway::coordinator::group::{GroupRules, Protocol, Ticket};
use cutaway::coordinator::record::Record;
use cutaway::coordinator::{Outcome, Rules, Shard};
use cutaway::names::{GroupId, TopicId, TopicName};
use goldenscript::{ArgumentConsumer, Command, Context};
use kafka_protocol::ResponseError;
use uuid::Uuid;

use super::words;

const START_MS: i64 = 1_700_000_000_000;

type Answer = Result<String, Box<dyn Error>>;

/// One shard, its log, and those who wait.
pub(super) struct Bench {
    rules: Rules,
    shard: Shard,
    log: Vec<Record>,
    /// What of the log was told.
    told: usize,
    now_ms: i64,
    /// Who sent what, for as long as the answer is to come.
    waiting: BTreeMap<Ticket, String>,
    tickets: u64,
    clients: u128,
    /// Appends fail.
    is_failing: bool,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let rules = Rules {
            groups: GroupRules {
                initial_rebalance_delay_ms: 0,
                max_size: usize::MAX,
                min_session_timeout_ms: 6_000,
                max_session_timeout_ms: 1_800_000,
            },
            max_metadata_bytes: 16,
            offsets_retention_ms: 7 * 24 * 3_600_000,
            expiry_interval_ms: 600_000,
        };
        Bench {
            rules,
            shard: Shard::new(rules),
            log: Vec::new(),
            told: 0,
            now_ms: START_MS,
            waiting: BTreeMap::new(),
            tickets: 0,
            clients: 0,
            is_failing: false,
        }
    }

    /// Sends a request; tells what came of it, and who waits.
    fn ask(&mut self, who: &str, request: Request) -> String {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        self.waiting.insert(ticket, who.to_owned());
        let outcome = self.shard.apply(&request, ticket, self.now_ms);
        let mut lines = self.settle(outcome);
        let (due, _): (Vec<String>, Vec<i64>) = self.pass(self.now_ms).into_iter().unzip();
        lines.extend(due);
        if self.waiting.contains_key(&ticket) {
            lines.push(format!("{who} waits"));
        }
        lines.join("\n")
    }

    /// Appends what has to be, or fails to, and sends the answers.
    fn settle(&mut self, mut outcome: Outcome) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let fails = self.is_failing && !outcome.records.is_empty();
            if !fails {
                break;
            }
            lines.push("(nothing could be appended)".to_owned());
            self.is_failing = false;
            outcome = self.shard.take_back(outcome, ResponseError::NotCoordinator, self.now_ms);
        }
        self.log.append(&mut outcome.records);
        for (ticket, reply) in outcome.replies {
            let who = self.waiting.remove(&ticket).expect("each request is answered once");
            lines.push(format!("{who}: {}", words::reply(&reply)));
        }
        lines
    }

    /// Lets time pass, deadline by deadline; tells what happened, and after how many seconds.
    fn pass(&mut self, until_ms: i64) -> Vec<(String, i64)> {
        let (mut lines, began_ms) = (Vec::new(), self.now_ms);
        while let Some(due_ms) = self.shard.next_deadline_ms().filter(|due_ms| *due_ms <= until_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            let outcome = self.shard.pass_time(self.now_ms);
            let after_s = (self.now_ms - began_ms) / 1000;
            lines.extend(self.settle(outcome).into_iter().map(|line| (line, after_s)));
        }
        self.now_ms = until_ms;
        lines
    }

    /// `join g a` lets client a join group g for the first time, `join g a-1` the member a-1 again.
    fn join(&mut self, mut args: ArgumentConsumer<'_>) -> Answer {
        let (group, name) = (text(&mut args)?, text(&mut args)?);
        let is_member = name.contains('-');
        let version: i16 = number(&mut args, "version", 9)?;
        let protocols = args.take_key("protocols").unwrap_or("range");
        let metadata = words::subscription(args.take_key("topics").unwrap_or_default());
        let protocol = |name: &str| Protocol { name: name.to_owned(), metadata: metadata.clone() };
        // Only strangers are numbered: a page can foretell their ids.
        self.clients += u128::from(!is_member);
        let join = Join {
            group: GroupId::new(group),
            who: Identity {
                member_id: if is_member { self.long(name) } else { String::new() },
                instance: args.take_key("instance").map(str::to_owned),
            },
            fresh_id: Uuid::from_u128(self.clients),
            client_id: name.to_owned(),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: seconds(&mut args, "session", 10)?,
            rebalance_timeout_ms: seconds(&mut args, "rebalance", 60)?,
            protocol_type: args.take_key("type").unwrap_or("consumer").to_owned(),
            protocols: protocols.split('.').filter(|name| !name.is_empty()).map(protocol).collect(),
            takes_member_id: version >= 4,
            may_skip_assignment: version >= 9,
        };
        args.reject_next()?;
        Ok(self.ask(&format!("join {name}"), Request::Join(join)))
    }

    /// `sync g a-1 1 a-1=p0 b-2=p1` brings the assignments of generation 1.
    fn sync(&mut self, mut args: ArgumentConsumer<'_>) -> Answer {
        let (group, name) = (text(&mut args)?, text(&mut args)?);
        let generation = text(&mut args)?.parse()?;
        let protocol_type = args.take_key("type").map(str::to_owned);
        let protocol = args.take_key("protocol").map(str::to_owned);
        let instance = args.take_key("instance").map(str::to_owned);
        let mut assignments = Vec::new();
        while let Some((member, assignment)) = args.next_key() {
            assignments.push((self.long(member), Bytes::copy_from_slice(assignment.as_bytes())));
        }
        args.reject_next()?;
        let who = Identity { member_id: self.long(name), instance };
        let sync = Sync { group: GroupId::new(group), who, generation, protocol_type, protocol, assignments };
        Ok(self.ask(&format!("sync {name}"), Request::Sync(sync)))
    }

    fn heartbeat(&mut self, mut args: ArgumentConsumer<'_>) -> Answer {
        let (group, name) = (text(&mut args)?, text(&mut args)?);
        let generation = text(&mut args)?.parse()?;
        let who = Identity { member_id: self.long(name), instance: args.take_key("instance").map(str::to_owned) };
        args.reject_next()?;
        let heartbeat = Heartbeat { group: GroupId::new(group), who, generation };
        Ok(self.ask(&format!("heartbeat {name}"), Request::Heartbeat(heartbeat)))
    }

    /// A member lives for some time; tells what else happened.
    fn keep(&mut self, group: &str, name: &str, generation: i32, seconds: i64) -> String {
        let (mut lines, until_ms) = (Vec::new(), self.now_ms + seconds * 1000);
        while self.now_ms < until_ms {
            let passed = self.pass(until_ms.min(self.now_ms + 1_000_000));
            lines.extend(passed.into_iter().map(|(line, _)| line));
            let who = Identity { member_id: self.long(name), instance: None };
            let heartbeat = Heartbeat { group: GroupId::new(group), who, generation };
            let answer = self.ask("heartbeat", Request::Heartbeat(heartbeat));
            lines.extend(Some(answer).filter(|answer| answer != "heartbeat: alive"));
        }
        lines.join("\n")
    }

    /// `leave g a-1 instance=i` lets a member leave, and takes out a static one by its name.
    fn leave(&mut self, mut args: ArgumentConsumer<'_>) -> Answer {
        let group = text(&mut args)?;
        let mut members = Vec::new();
        while let Some(name) = args.next_pos() {
            members.push(Identity { member_id: self.long(name), instance: None });
        }
        let named = args.take_key("instance");
        members.extend(named.map(|name| Identity { member_id: String::new(), instance: Some(name.to_owned()) }));
        args.reject_next()?;
        Ok(self.ask("leave", Request::Leave(Leave { group: GroupId::new(group), members })))
    }

    /// `commit g t/0=5 member=a-1 generation=1`
    fn commit(&mut self, mut args: ArgumentConsumer<'_>) -> Answer {
        let group = GroupId::new(text(&mut args)?);
        let generation = number(&mut args, "generation", -1)?;
        let member = args.take_key("member").unwrap_or_default();
        let who = Identity { member_id: self.long(member), instance: args.take_key("instance").map(str::to_owned) };
        let metadata = args.take_key("metadata").unwrap_or_default().to_owned();
        let retention_s: i64 = number(&mut args, "retention", -1)?;
        let topic_id: u128 = number(&mut args, "id", 0)?;
        let mut offsets = Vec::new();
        while let Some((partition, offset)) = args.next_key() {
            let (topic, partition) = partition_of(partition)?;
            offsets.push(NewOffset {
                topic: TopicName::parse(&topic)?,
                topic_id: TopicId::from_uuid(Uuid::from_u128(topic_id)),
                partition,
                offset: offset.parse()?,
                leader_epoch: -1,
                metadata: metadata.clone(),
            });
        }
        args.reject_next()?;
        let retention_ms = (retention_s >= 0).then_some(retention_s * 1000);
        let commit = Commit { group, who, generation, retention_ms, knows_missing_groups: true, offsets };
        Ok(self.ask("commit", Request::Commit(commit)))
    }

    fn offsets(&mut self, mut args: ArgumentConsumer<'_>) -> Answer {
        let group = GroupId::new(text(&mut args)?);
        let mut partitions = Vec::new();
        while let Some(partition) = args.next_pos() {
            partitions.push(partition_of(partition)?);
        }
        args.reject_next()?;
        let partitions = (!partitions.is_empty()).then_some(partitions);
        Ok(self.ask("offsets", Request::Offsets { group, partitions }))
    }

    fn delete_offsets(&mut self, mut args: ArgumentConsumer<'_>) -> Answer {
        let group = GroupId::new(text(&mut args)?);
        let mut partitions = Vec::new();
        while let Some(partition) = args.next_pos() {
            let (topic, partition) = partition_of(partition)?;
            partitions.push((TopicName::parse(&topic)?, partition));
        }
        args.reject_next()?;
        Ok(self.ask("delete-offsets", Request::DeleteOffsets { group, partitions }))
    }

    fn delete_topic(&mut self, mut args: ArgumentConsumer<'_>) -> Answer {
        let topic = TopicName::parse(text(&mut args)?)?;
        let id = TopicId::from_uuid(Uuid::from_u128(number(&mut args, "id", 1)?)).ok_or("an id is not 0")?;
        args.reject_next()?;
        Ok(self.ask("delete-topic", Request::TopicDeleted(topic, id)))
    }

    /// A new shard that has read the log; those who waited are gone with the old one.
    fn restart(&mut self) -> String {
        self.shard = Shard::new(self.rules);
        for record in &self.log {
            let (key, value) = record.encode();
            let read = Record::decode(key.into(), value.map(Bytes::from)).expect("our own record");
            self.shard.replay(read, self.now_ms);
        }
        self.shard.begin(self.now_ms);
        let lost: Vec<String> = std::mem::take(&mut self.waiting).into_values().collect();
        if lost.is_empty() { String::new() } else { format!("without an answer: {}", lost.join(", ")) }
    }

    /// The log becomes what counts of it.
    fn compact(&mut self) -> String {
        (self.log, self.told) = (self.shard.projection(None, usize::MAX).0, 0);
        self.records()
    }

    fn set(&mut self, mut args: ArgumentConsumer<'_>) -> Answer {
        let groups = &mut self.rules.groups;
        groups.initial_rebalance_delay_ms =
            seconds(&mut args, "initial_delay", groups.initial_rebalance_delay_ms / 1000)?;
        groups.max_size = number(&mut args, "max_size", groups.max_size)?;
        args.reject_next()?;
        self.shard.set_rules(self.rules);
        Ok(String::new())
    }

    /// The log's records that were not told yet.
    fn records(&mut self) -> String {
        let lines: Vec<String> = self.log[self.told..].iter().map(words::record).collect();
        self.told = self.log.len();
        lines.join("\n")
    }

    fn view(&mut self, request: Request) -> Answer {
        self.tickets += 1;
        let outcome = self.shard.apply(&request, Ticket(self.tickets), self.now_ms);
        let replies: Vec<String> = outcome.replies.iter().map(|(_, reply): &(_, Reply)| words::reply(reply)).collect();
        Ok(replies.join("\n"))
    }

    /// A member's id as a page writes it, `a-1`, in full.
    fn long(&self, name: &str) -> String {
        match name.rsplit_once('-').map(|(client, number)| (client, number.parse())) {
            Some((client, Ok(number))) => format!("{client}-{}", Uuid::from_u128(number)),
            _ => name.to_owned(),
        }
    }
}

impl goldenscript::Runner for Bench {
    type Command = Command;

    fn run(&mut self, command: &Command, _: &Context) -> Answer {
        let mut args = command.consume_args();
        let output = match command.name.as_str() {
            "join" => self.join(args)?,
            "sync" => self.sync(args)?,
            "heartbeat" => self.heartbeat(args)?,
            "leave" => self.leave(args)?,
            "commit" => self.commit(args)?,
            "offsets" => self.offsets(args)?,
            "delete-offsets" => self.delete_offsets(args)?,
            "delete-topic" => self.delete_topic(args)?,
            "delete" => {
                let group = GroupId::new(text(&mut args)?);
                self.ask("delete", Request::Delete(group))
            }
            "describe" => self.view(Request::Describe(GroupId::new(text(&mut args)?)))?,
            "list" => self.view(Request::List)?,
            "wait" => {
                let seconds: i64 = text(&mut args)?.parse()?;
                let passed = self.pass(self.now_ms + seconds * 1000).into_iter();
                passed.map(|(line, after_s)| format!("after {after_s} s: {line}")).collect::<Vec<_>>().join("\n")
            }
            // `keep g a-1 1 3600`: heartbeats of a member, for so many seconds.
            "keep" => {
                let (group, name) = (text(&mut args)?, text(&mut args)?);
                let (generation, seconds): (i32, i64) = (text(&mut args)?.parse()?, text(&mut args)?.parse()?);
                self.keep(group, name, generation, seconds)
            }
            "restart" => self.restart(),
            "compact" => self.compact(),
            "fail" => {
                self.is_failing = true;
                String::new()
            }
            "set" => self.set(args)?,
            "records" => self.records(),
            other => return Err(format!("there is no command {other}").into()),
        };
        Ok(short(&output))
    }
}

/// Member ids as a page writes them.
fn short(output: &str) -> String {
    let mut shown = String::new();
    let mut rest = output;
    while let Some(at) = rest.find("00000000-0000-0000-0000-") {
        let (before, id) = rest.split_at(at);
        let (id, after) = id.split_at(36);
        shown.push_str(before);
        shown.push_str(&u64::from_str_radix(&id[24..], 16).map_or_else(|_| id.to_owned(), |number| number.to_string()));
        rest = after;
    }
    shown.push_str(rest);
    shown
}

fn text<'a>(args: &mut ArgumentConsumer<'a>) -> Result<&'a str, Box<dyn Error>> {
    args.next_pos().ok_or_else(|| "something is missing".into())
}

fn number<T>(args: &mut ArgumentConsumer<'_>, key: &str, default: T) -> Result<T, Box<dyn Error>>
where
    T: std::str::FromStr,
    T::Err: Error + 'static,
{
    args.take_key(key).map_or(Ok(default), |text| text.parse().map_err(Into::into))
}

fn seconds(args: &mut ArgumentConsumer<'_>, key: &str, default: i32) -> Result<i32, Box<dyn Error>> {
    number(args, key, default).map(|seconds: i32| seconds.saturating_mul(1000))
}

/// `t/0`
fn partition_of(text: &str) -> Result<(String, i32), Box<dyn Error>> {
    let (topic, partition) = text.split_once('/').ok_or("a partition is written as topic/0")?;
    Ok((topic.to_owned(), partition.parse()?))
}
