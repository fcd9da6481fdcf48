//! Reading as a member of a group: what it gets of the topic, from where the group has come to.
//!
//! ```text
//!   join ──► what this member gets ──► read and print ◄──► heartbeats, commits
//!    ▲                                        │
//!    └── commit ◄── a new generation begins ──┘
//! ```
//!
//! What was printed is committed: every few seconds, before a new generation, and at the end. So nothing is missed, and after
//! a kill a few seconds' worth may come again. Ctrl-C commits and leaves; another one ends at once. While nobody takes what is
//! printed nothing else happens either: for longer than a session lasts, and the group goes on without this member.

mod member;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use cutaway::clock::Clock;
use tokio::sync::watch;

use self::member::{Member, Part, Standing};
use super::begin::Begin;
use super::follow::{Ended, Follower};
use super::options::ConsumeOptions;
use super::settings::ConsumerSettings;
use super::{LOOK_PAUSE, first_offsets, wait_for_topic};
use crate::cli::client::{Client, Failure, PATIENCE};
use crate::cli::say;

/// How often the last commit of a generation is tried while the coordinator is away.
const LAST_COMMIT_TRIES: u32 = 20;

/// The exit code to end with, once somebody wants it to end.
type Stop = watch::Receiver<Option<u8>>;

/// Why a member reads no more in its generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// As many records as were asked for, or the end.
    Done,
    /// Somebody wants it to end.
    Stopped,
    /// A new generation begins.
    Over,
    /// It is a member no more, and may not commit.
    Lost,
    /// The topic was deleted.
    TopicGone,
}

/// Reads until there is a reason to stop, and leaves the group.
pub(super) async fn run(
    options: &ConsumeOptions,
    settings: &ConsumerSettings,
    group: &str,
    stop: Stop,
) -> anyhow::Result<ExitCode> {
    let client = Client::connect(&options.broker, &settings.client_id).await?;
    // A join may take long, and fetches do meanwhile what they do.
    let coordinator = Client::connect(&options.broker, &settings.client_id).await?;
    let member = Member::new(coordinator, group, &options.topic, settings);
    let clock = client.clock().clone();
    let left = options.records.count;
    let mut reader = Reader { client, member, options, settings, group, clock, stop, left, is_noted: true };
    let read = reader.read().await;
    // If that fails, the others find out when its session is over.
    let _ = reader.member.leave().await;
    read
}

struct Reader<'a> {
    client: Client,
    member: Member,
    options: &'a ConsumeOptions,
    settings: &'a ConsumerSettings,
    group: &'a str,
    clock: Clock,
    stop: Stop,
    /// How many records are still to be printed; `None` for all.
    left: Option<u64>,
    /// What was printed in the last generation is committed.
    is_noted: bool,
}

impl Reader<'_> {
    /// Generation after generation.
    async fn read(&mut self) -> anyhow::Result<ExitCode> {
        let mut begin = self.options.records.offset;
        loop {
            let mut stop = self.stop.clone();
            let begun = tokio::select! {
                begun = self.begin(begin) => begun,
                // Whoever waits, for others or for a topic, has nothing to commit.
                Ok(code) = stop.wait_for(Option::is_some) => return Ok(code_of(*code)),
            };
            let begun = match begun {
                Ok(begun) => begun,
                // The broker went away just then; waiting for the topic waits for the broker.
                Err(error) if error.downcast_ref().is_some_and(Failure::is_passing) => {
                    self.clock.sleep(LOOK_PAUSE).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match self.turn(begun).await? {
                Turn::Done if self.is_noted => return Ok(ExitCode::SUCCESS),
                Turn::Done => return Ok(ExitCode::FAILURE),
                Turn::Stopped => return Ok(code_of(*self.stop.borrow())),
                Turn::Over => self.tell("a new generation of the group begins"),
                Turn::Lost => self.tell("the group goes on without this member, which joins again"),
                Turn::TopicGone => {
                    say(format_args!("% Topic {} is gone", self.options.topic));
                    // A topic of the same name is another topic, all of which is new.
                    begin = Begin::Beginning;
                }
            }
        }
    }

    /// Waits for the topic, joins, and finds out where to go on.
    async fn begin(&mut self, begin: Begin) -> anyhow::Result<Begun> {
        let topic = wait_for_topic(&mut self.client, self.options).await?;
        let part = self.join().await?;
        let list = |partitions: &BTreeSet<i32>| {
            let list: Vec<String> =
                partitions.iter().map(|partition| format!("{} [{partition}]", self.options.topic)).collect();
            if list.is_empty() { "nothing, there are more members than partitions".to_owned() } else { list.join(", ") }
        };
        let (group, id) = (self.group, self.member.id());
        self.tell(format_args!("Group {group} rebalanced (memberid {id}): assigned: {}", list(&part.partitions)));
        let mut committed = self.member.committed().await?;
        committed.retain(|partition, _| part.partitions.contains(partition));
        let mut rest = topic;
        rest.partitions
            .retain(|it| part.partitions.contains(&it.partition_index) && !committed.contains_key(&it.partition_index));
        let mut next = committed.clone();
        if !rest.partitions.is_empty() {
            next.extend(first_offsets(&mut self.client, self.options, self.settings, rest, begin).await?);
        }
        Ok(Begun { divided: part.divided, committed, next })
    }

    /// Joins, however long the coordinator is away.
    async fn join(&mut self) -> anyhow::Result<Part> {
        let start = self.clock.instant();
        let mut is_told = false;
        loop {
            let is_hopeless = self.options.records.exit && self.clock.elapsed_since(start) >= PATIENCE;
            match self.member.join().await {
                Err(failure) if failure.is_passing() && !is_hopeless => {
                    // While a coordinator reads its groups it says so, which is nothing to worry about.
                    if !std::mem::replace(&mut is_told, true) && self.clock.elapsed_since(start) >= LOOK_PAUSE {
                        say(format_args!("% {failure}; trying again"));
                    }
                    self.clock.sleep(LOOK_PAUSE).await;
                }
                joined => return Ok(joined?),
            }
        }
    }

    /// Reads as a member of one generation.
    async fn turn(&mut self, begun: Begun) -> anyhow::Result<Turn> {
        let Begun { divided, mut committed, next } = begun;
        let (clock, stop) = (self.clock.clone(), self.stop.clone());
        let heartbeat = Duration::from_millis(self.settings.heartbeat_interval_ms);
        let commit = Duration::from_millis(self.settings.auto_commit_interval_ms);
        let mut follower =
            Follower::new(&mut self.client, self.options, self.settings.clone(), next, self.left).of_these_alone();
        let (mut lived, mut noted) = (clock.instant(), clock.instant());
        let turn = loop {
            let ended = follower.run(|| stop.borrow().is_some() || clock.elapsed_since(lived) >= heartbeat).await?;
            match ended {
                Ended::Done => break Turn::Done,
                Ended::TopicGone => break Turn::TopicGone,
                Ended::Paused if stop.borrow().is_some() => break Turn::Stopped,
                Ended::Paused => lived = clock.instant(),
            }
            let mut standing = self.member.heartbeat().await;
            if matches!(standing, Ok(Standing::Member)) && clock.elapsed_since(noted) >= commit {
                noted = clock.instant();
                standing = note(&mut self.member, &mut committed, follower.next()).await;
            }
            match standing {
                Ok(Standing::Member) => {}
                Ok(Standing::MustJoin) => break Turn::Over,
                Ok(Standing::Lost) => break Turn::Lost,
                // The session goes on for a while; if it is over, the next heartbeat tells.
                Err(failure) if failure.is_passing() => {}
                Err(failure) => return Err(failure.into()),
            }
            // Whoever divided the partitions has to divide them anew when there are more.
            if divided.is_some_and(|count| follower.partition_count().is_some_and(|now| now != count)) {
                break Turn::Over;
            }
        };
        self.left = follower.left();
        let next = follower.next();
        if matches!(turn, Turn::Done | Turn::Stopped | Turn::Over) {
            self.is_noted = self.commit_at_last(&mut committed, &next).await;
        }
        Ok(turn)
    }

    /// Commits for the last time in a generation; a coordinator that is away for a moment is waited for. Says whether it could.
    async fn commit_at_last(&mut self, committed: &mut BTreeMap<i32, i64>, next: &BTreeMap<i32, i64>) -> bool {
        let mut tries = 0;
        let why = loop {
            tries += 1;
            match note(&mut self.member, committed, next.clone()).await {
                Ok(Standing::Member) => return true,
                Ok(Standing::MustJoin | Standing::Lost) => {
                    break "the group has gone on without this member".to_owned();
                }
                Err(failure) if failure.is_passing() && tries < LAST_COMMIT_TRIES => {
                    self.clock.sleep(LOOK_PAUSE).await;
                }
                Err(failure) => break failure.to_string(),
            }
        };
        say(format_args!("% What was read last is not committed and may come again: {why}"));
        false
    }

    fn tell(&self, line: impl Display) {
        if !self.options.records.quiet {
            say(format_args!("% {line}"));
        }
    }
}

fn code_of(stop: Option<u8>) -> ExitCode {
    stop.map_or(ExitCode::SUCCESS, ExitCode::from)
}

/// What a member begins with in a generation.
struct Begun {
    divided: Option<usize>,
    committed: BTreeMap<i32, i64>,
    next: BTreeMap<i32, i64>,
}

/// Commits how far it has come, where that is not committed yet.
async fn note(
    member: &mut Member,
    committed: &mut BTreeMap<i32, i64>,
    next: BTreeMap<i32, i64>,
) -> Result<Standing, Failure> {
    let news: BTreeMap<i32, i64> =
        next.into_iter().filter(|(partition, next)| committed.get(partition) != Some(next)).collect();
    let standing = member.commit(&news).await?;
    if standing == Standing::Member {
        committed.extend(news);
    }
    Ok(standing)
}
