//! The text of an event, as the schema `mediawiki/recentchange/1.0.0` has it.

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::wikis::{self, Wiki};
use super::{Kind, TOPICS, Wikipedia};
use crate::chance::{Chance, Purpose};
use crate::words::{self, Script};

/// The id that the first event has among the recent changes.
const FIRST_ID: u64 = 1_900_000_000;

/// How many people, and how many programs, edit.
const ACCOUNTS: [u64; 2] = [200_000, 800];

/// What stays as it is in a page's address.
const IN_ADDRESSES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b':').remove(b'-').remove(b'.').remove(b'/');

#[derive(Debug, Serialize)]
struct Event<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    meta: Meta<'a>,
    #[serde(flatten)]
    change: Option<Change>,
}

#[derive(Debug, Serialize)]
struct Meta<'a> {
    uri: &'a str,
    request_id: Uuid,
    id: Uuid,
    domain: &'a str,
    stream: &'static str,
    dt: String,
    topic: &'static str,
    partition: u32,
    offset: u64,
}

#[derive(Debug, Serialize)]
struct Change {
    /// Missing, null, or there: three things.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Option<u64>>,
    r#type: &'static str,
    namespace: i32,
    title: String,
    title_url: String,
    comment: String,
    timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    bot: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify_url: Option<String>,
    #[serde(flatten)]
    edit: Option<Edit>,
    #[serde(flatten)]
    log: Option<Log>,
    server_url: String,
    server_name: &'static str,
    server_script_path: &'static str,
    wiki: &'static str,
    parsedcomment: String,
}

#[derive(Debug, Serialize)]
struct Edit {
    minor: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patrolled: Option<bool>,
    length: Before,
    revision: Before,
}

/// A number before a change and after it; a new page has none before.
#[derive(Debug, Serialize)]
struct Before {
    old: Option<u64>,
    new: u64,
}

#[derive(Debug, Serialize)]
struct Log {
    log_id: u64,
    log_type: &'static str,
    log_action: &'static str,
    log_params: Value,
    log_action_comment: String,
}

/// What an edit and the categorizations that follow from it have in common.
struct Origin {
    wiki: Wiki,
    script: &'static Script,
    user: String,
    bot: bool,
    namespace: i32,
    title: String,
}

impl Wikipedia {
    /// The text of an event: one line of JSON.
    pub(crate) fn event(&self, number: u64) -> String {
        let mut chance = Chance::of(self.seed, Purpose::Content, number);
        let kind = self.kind(number);
        let dt_us = self.written_us(number, &mut chance);
        let (change, uri, domain) = match kind {
            Kind::Canary => (None, "https://canary.invalid/".to_owned(), "canary"),
            _ => {
                let origin = self.origin(self.cause(number, kind));
                let change = self.change(number, kind, &origin, dt_us, &mut chance);
                let uri = change.title_url.clone();
                (Some(change), uri, origin.wiki.host)
            }
        };
        let event = Event {
            schema: "/mediawiki/recentchange/1.0.0",
            meta: Meta {
                uri: &uri,
                request_id: uuid(&mut chance),
                id: self.id(number),
                domain,
                stream: "mediawiki.recentchange",
                dt: moment(dt_us),
                topic: TOPICS[self.topic(number)],
                partition: 0,
                offset: self.offset(number),
            },
            change,
        };
        serde_json::to_string(&event).expect("an event has only keys that are text")
    }

    /// The `meta.id` of an event, which no other has.
    pub(crate) fn id(&self, number: u64) -> Uuid {
        let mut chance = Chance::of(self.seed, Purpose::Content, !number);
        uuid(&mut chance)
    }

    /// When an event was written by the wiki: some arrive later than their neighbours.
    fn written_us(&self, number: u64, chance: &mut Chance) -> u64 {
        let late_us = if chance.permille(23) { chance.below(5_000_000) } else { 0 };
        self.timeline.time_us(number) - late_us
    }

    /// The event that this one follows from: a page is put into a category by an edit a moment ago.
    pub(super) fn cause(&self, number: u64, kind: Kind) -> u64 {
        if kind != Kind::Categorize {
            return number;
        }
        let back = 1 + Chance::of(self.seed, Purpose::Reference, number).below(6);
        let earlier = (number.saturating_sub(40)..=number.saturating_sub(back)).rev();
        earlier.into_iter().find(|earlier| matches!(self.kind(*earlier), Kind::Edit | Kind::New)).unwrap_or(number)
    }

    fn origin(&self, number: u64) -> Origin {
        let mut chance = Chance::of(self.seed, Purpose::Reference, !number);
        let wiki = wikis::choose(&mut chance);
        let script = words::script(wiki.language);
        let bot = chance.permille(320);
        let user = self.user(chance.zipf(ACCOUNTS[usize::from(bot)]), bot, script);
        let namespace = match (self.kind(number), wiki.database, chance.below(100)) {
            (Kind::Log, _, 0..5) => -1,
            (_, "commonswiki", 0..45) => 6,
            (_, "wikidatawiki", _) | (_, _, 0..75) => 0,
            (_, _, roll) => [1, 2, 3, 4, 10][roll as usize % 5],
        };
        let title = title(namespace, wiki, script, &mut chance);
        Origin { wiki, script, user, bot, namespace, title }
    }

    fn user(&self, account: u64, bot: bool, script: &Script) -> String {
        let mut chance = Chance::of(self.seed, Purpose::Account, 2 * account + u64::from(bot));
        match (bot, chance.below(10)) {
            (true, _) => format!("{}Bot", words::ENGLISH.name(&mut chance)),
            (false, 0) => format!("~2026-{}-{:02}", 10_000 + account, chance.below(100)),
            (false, 1..4) => script.name(&mut chance),
            (false, _) => format!("{} {}", words::ENGLISH.name(&mut chance), chance.below(2000)),
        }
    }

    fn change(&self, number: u64, kind: Kind, origin: &Origin, dt_us: u64, chance: &mut Chance) -> Change {
        let Origin { wiki, script, .. } = origin;
        let (namespace, title) = match kind {
            Kind::Categorize => (14, format!("Category:{}", script.words(1 + chance.below(4), chance))),
            _ => (origin.namespace, origin.title.clone()),
        };
        let address = address(wiki, &title);
        let comment = match kind {
            Kind::Categorize => format!("[[:{}]] added to category", origin.title),
            _ => script.words(1 + chance.below(14), chance),
        };
        // What the wiki did is told one to a few seconds later.
        let lag_us = 700_000 + (900_000.0 * -(1.0 - chance.fraction()).ln()) as u64;
        let log = (kind == Kind::Log).then(|| log(number, script, chance));
        Change {
            id: match (kind, chance.below(40)) {
                (Kind::Log, 0..3) => None,
                (Kind::Log, 3) => Some(None),
                _ => Some(Some(FIRST_ID + number)),
            },
            r#type: kind.name(),
            namespace,
            parsedcomment: parsed(kind, &comment, origin),
            comment,
            timestamp: (dt_us - lag_us) as i64 / 1_000_000,
            user: (!chance.permille(1)).then(|| origin.user.clone()),
            bot: origin.bot,
            notify_url: (kind != Kind::Log).then(|| notify(wiki, number)),
            edit: matches!(kind, Kind::Edit | Kind::New | Kind::External).then(|| edit(number, kind, wiki, chance)),
            log,
            server_url: format!("https://{}", wiki.host),
            server_name: wiki.host,
            server_script_path: "/w",
            wiki: wiki.database,
            title,
            title_url: address,
        }
    }
}

fn title(namespace: i32, wiki: Wiki, script: &Script, chance: &mut Chance) -> String {
    if wiki.database == "wikidatawiki" {
        return format!("Q{}", 1 + chance.zipf(120_000_000));
    }
    let prefix = match namespace {
        -1 => "Special:",
        1 => "Talk:",
        2 => "User:",
        3 => "User talk:",
        4 => "Project:",
        6 => "File:",
        10 => "Template:",
        _ => "",
    };
    let suffix = if namespace == 6 { ".jpg" } else { "" };
    format!("{prefix}{}{suffix}", script.words(1 + chance.below(4), chance))
}

fn address(wiki: &Wiki, title: &str) -> String {
    let path = title.replace(' ', "_");
    format!("https://{}/wiki/{}", wiki.host, utf8_percent_encode(&path, IN_ADDRESSES))
}

fn notify(wiki: &Wiki, number: u64) -> String {
    let revision = revision(number);
    format!("https://{}/w/index.php?diff={revision}&oldid={}&rcid={}", wiki.host, revision - 7, FIRST_ID + number)
}

/// The number of the revision that an event makes.
fn revision(number: u64) -> u64 {
    1_200_000_000 + 3 * number
}

fn edit(number: u64, kind: Kind, wiki: &Wiki, chance: &mut Chance) -> Edit {
    let is_new = kind == Kind::New;
    let old = 200 + chance.below(60_000);
    let grown = (old + chance.below(900)).saturating_sub(chance.below(300));
    Edit {
        minor: !is_new && chance.permille(300),
        patrolled: (wiki.database != "enwiki").then(|| chance.permille(700)),
        length: Before { old: (!is_new).then_some(old), new: grown },
        revision: Before { old: (!is_new).then(|| revision(number) - 7), new: revision(number) },
    }
}

/// Parameters come in three shapes.
fn log(number: u64, script: &Script, chance: &mut Chance) -> Log {
    let name = script.name(chance);
    let (log_type, log_action, log_params) = match chance.below(5) {
        0 => (
            "upload",
            "upload",
            json!({"img_sha1": format!("{:032x}", chance.bits()), "img_timestamp": "20260101000000"}),
        ),
        1 => ("block", "block", json!({"duration": "31 hours", "flags": "anononly,nocreate", "sitewide": true})),
        2 => ("delete", "delete", json!([])),
        3 => ("move", "move", json!({"target": name, "noredir": "0"})),
        _ => ("patrol", "patrol", json!(format!("{}\n{}\n1", revision(number), revision(number) - 7))),
    };
    let log_action_comment = format!("{log_action} &quot;[[{name}]]&quot;: {}", script.words(3, chance));
    Log { log_id: 170_000_000 + number, log_type, log_action, log_params, log_action_comment }
}

/// The comment as the wiki shows it.
fn parsed(kind: Kind, comment: &str, origin: &Origin) -> String {
    let escaped = comment.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    match kind {
        Kind::Categorize => {
            let address = address(&origin.wiki, &origin.title);
            let path = address.split_once("/wiki/").map_or("", |(_, path)| path);
            format!("<a href=\"/wiki/{path}\" title=\"{0}\">{0}</a> added to category", origin.title)
        }
        _ => format!("<span class=\"autocomment\">{}: </span> {escaped}", origin.script.language),
    }
}

fn uuid(chance: &mut Chance) -> Uuid {
    uuid::Builder::from_random_bytes((u128::from(chance.bits()) << 64 | u128::from(chance.bits())).to_be_bytes())
        .into_uuid()
}

fn moment(time_us: u64) -> String {
    Timestamp::from_microsecond(time_us as i64).map_or_else(|_| String::new(), |moment| format!("{moment:.3}"))
}
