//! The command of a run and what it started, found and ended without the help of the process that ran it.
//!
//! Nobody else has the broker's address in the environment, and children inherit it, also those of a run within the run. What cleans its environment is found
//! below its parent, as long as it stays in the parent's session. So a process that was handed to another parent, or that
//! began just now, is found as well; and who was found once is known from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use cutaway::clock::Clock;
use cutaway::storage::disk::Disk;
use rustix::process::{Pid, Signal, getpid, kill_process};

use super::{RUNS, VARIABLES};

/// How long processes may take to end by themselves.
const GRACE: Duration = Duration::from_secs(2);

/// How long it may take the kernel to end them.
const LAST_LOOKS: Duration = Duration::from_secs(10);

/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// So many looks in a row must find nobody: a process that is becoming another program shows no environment.
const EMPTY_LOOKS: u32 = 2;

/// What `/proc` tells of a process.
#[derive(Clone, Debug)]
struct Process {
    parent: i32,
    session: i32,
    /// When it began, since the machine did: with the id this names one process for ever.
    begun: u64,
    is_told: bool,
}

/// Those who were found, with the time at which they began.
type Known = BTreeSet<(i32, u64)>;

/// Asks them to end, and kills those that do not.
pub(super) async fn end(address: &str, clock: &Clock) {
    let mut known = Known::new();
    if !end_with(Signal::TERM, GRACE, address, clock, &mut known).await {
        end_with(Signal::KILL, LAST_LOOKS, address, clock, &mut known).await;
    }
}

/// Sends the signal to each that is found, once; false when some are still there after the limit.
async fn end_with(signal: Signal, limit: Duration, address: &str, clock: &Clock, known: &mut Known) -> bool {
    let (begun, mut told, mut empty_looks) = (clock.instant(), BTreeSet::new(), 0);
    while empty_looks < EMPTY_LOOKS {
        if clock.elapsed_since(begun) > limit {
            return false;
        }
        let found = members(&processes(address), known);
        empty_looks = if found.is_empty() { empty_looks + 1 } else { 0 };
        known.extend(&found);
        for (id, begun) in found {
            if let Some(process) = Pid::from_raw(id).filter(|_| told.insert((id, begun))) {
                // One that has ended meanwhile is as good. One that is stopped hears the signal when it goes on.
                let _ = kill_process(process, signal).and_then(|()| kill_process(process, Signal::CONT));
            }
        }
        clock.sleep(LOOK_AGAIN).await;
    }
    true
}

/// Those who were told the address or are known, and what is below them.
fn members(all: &BTreeMap<i32, Process>, known: &Known) -> Known {
    let own = getpid().as_raw_nonzero().get();
    let is_one = |(id, process): &(&i32, &Process)| process.is_told || known.contains(&(**id, process.begun));
    let mut found: BTreeSet<i32> = all.iter().filter(is_one).map(|(id, _)| *id).collect();
    loop {
        let is_below = |process: &Process| {
            found.contains(&process.parent)
                && all.get(&process.parent).is_some_and(|parent| parent.session == process.session)
        };
        let below: Vec<i32> =
            all.iter().filter(|(id, process)| !found.contains(id) && is_below(process)).map(|(id, _)| *id).collect();
        if below.is_empty() {
            found.remove(&own);
            return found.into_iter().map(|id| (id, all[&id].begun)).collect();
        }
        found.extend(below);
    }
}

/// All processes that live.
fn processes(address: &str) -> BTreeMap<i32, Process> {
    let (disk, root) = (Disk::default(), Path::new("/proc"));
    let look = |id: i32| {
        let folder = root.join(id.to_string());
        let stat = disk.read(&folder.join("stat")).ok()?;
        // That of another user cannot be read.
        let environment = disk.read(&folder.join("environ")).unwrap_or_default();
        let is_told = environment.split(|byte| *byte == 0).any(|entry| tells(entry, address));
        Some((id, Process { is_told, ..process(&String::from_utf8_lossy(&stat))? }))
    };
    let names = disk.list(root).unwrap_or_default();
    names.iter().filter_map(|name| name.parse().ok()).filter_map(look).collect()
}

/// Whether an entry of an environment, `NAME=VALUE`, tells the address.
fn tells(entry: &[u8], address: &str) -> bool {
    let Ok(entry) = str::from_utf8(entry) else { return false };
    match entry.split_once('=') {
        // Of several nodes the variables tell one address each, of runs around one another the address of each.
        Some((name, told)) if name == RUNS || VARIABLES.contains(&name) => told.split(',').any(|one| one == address),
        Some(_) => false,
        None => false,
    }
}

/// Of a line of `/proc/ID/stat`; `None` for a process that has ended and only waits for its parent to notice.
fn process(stat: &str) -> Option<Process> {
    // The name in parentheses may hold anything, also parentheses. Behind it: state, parent, group, session.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let lives = !matches!(fields.next()?, "Z" | "X");
    let (parent, session) = (fields.next()?.parse().ok()?, fields.nth(1)?.parse().ok()?);
    // The 22nd of all fields, where the session is the 6th.
    let begun = fields.nth(15)?.parse().ok()?;
    lives.then_some(Process { parent, session, begun, is_told: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_look_like_the_end_of_a_name() {
        // As the kernel wrote it, but for the name.
        let rest = "3083 3083 3083 0 -1 4194304 106 0 0 0 0 0 0 0 20 0 1 0 358129 2949120 401 18446744073709551615";
        let found = process(&format!("7 (a) Z 1 2) S {rest}")).expect("a line of /proc/7/stat");
        assert_eq!((found.parent, found.session, found.begun), (3083, 3083, 358_129));
        assert!(process(&format!("7 (a) Z {rest}")).is_none() && process("7 (a").is_none());
    }

    #[test]
    fn an_address_is_told_by_our_variables_alone() {
        let told = |entry: &str| tells(entry.as_bytes(), "h:1");
        assert!(told("KAFKA_BOOTSTRAP_SERVERS=h:1,h:2,h:3"));
        assert!(told("KAFKA_BROKER=h:1") && told("CUTAWAY_RUN=h:1") && told("CUTAWAY_RUN=h:2,h:1"));
        assert!(!told("KAFKA_BROKER=h:12") && !told("CUTAWAY_RUN=h:12") && !told("OTHER=h:1") && !told("h:1"));
    }

    #[test]
    fn children_belong_to_the_family_until_they_leave_its_session() {
        let process = |parent, session, is_told| Process { parent, session, begun: 0, is_told };
        let all = BTreeMap::from([
            (10, process(1, 3, false)),
            (11, process(10, 3, true)),
            (12, process(11, 3, false)),
            (13, process(12, 3, false)),
            (14, process(12, 14, false)),
            (15, process(1, 15, true)),
            (16, process(1, 3, false)),
        ]);
        // Number 16 is another process now than the one that was known.
        let known = Known::from([(14, 0), (16, 7)]);
        let found = members(&all, &known).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(found, [11, 12, 13, 14, 15]);
        assert!(!members(&all, &Known::new()).contains(&(14, 0)));
    }
}
