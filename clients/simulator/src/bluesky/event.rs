//! The text of an event, in both of the service's protocols.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Act, Bluesky, Collection, FIRST_SEQUENCE, ids};
use crate::chance::{Chance, Purpose};
use crate::words;

/// How long before the service tells of it a record was made, and its repository's revision.
const MADE_BEFORE_US: u64 = 400_000;
const REVISED_BEFORE_US: u64 = 150_000;

/// Which of the service's protocols a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// `/subscribe`
    V1,
    /// `/xrpc/network.bsky.jetstream.subscribeEvents`
    V2,
}

#[derive(Debug, Serialize)]
struct Event<'a> {
    did: String,
    time_us: u64,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<Commit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Value>,
}

#[derive(Debug, Serialize)]
struct Commit {
    rev: String,
    operation: &'static str,
    collection: &'static str,
    rkey: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cid: Option<String>,
}

#[derive(Debug, Serialize)]
struct Message {
    #[serde(rename = "$type")]
    frame: &'static str,
    payload: Payload,
}

#[derive(Debug, Serialize)]
struct Payload {
    #[serde(rename = "$type")]
    kind: String,
    seq: u64,
    did: String,
    time: String,
    #[serde(flatten)]
    commit: Option<Commit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Value>,
}

impl Bluesky {
    /// The text of an event: one line of JSON.
    pub(crate) fn event(&self, number: u64, version: Version) -> String {
        let act = self.act(number);
        let did = ids::did(self.seed, self.account(number, act));
        let commit = self.commit(number, act);
        let identity = (act == Act::Identity).then(|| self.identity(number, &did));
        let account = (act == Act::Account).then(|| self.account_status(number, &did));
        let time_us = self.timeline().time_us(number);
        let text = match version {
            Version::V1 => serde_json::to_string(&Event { did, time_us, kind: act.kind(), commit, identity, account }),
            Version::V2 => {
                let kind = format!("network.bsky.jetstream.subscribeEvents#{}", act.kind());
                let time = moment(time_us, 6);
                let payload = Payload { kind, seq: FIRST_SEQUENCE + number, did, time, commit, identity, account };
                serde_json::to_string(&Message { frame: "message", payload })
            }
        };
        text.expect("an event has only keys that are text")
    }

    /// The DID of the account that an event belongs to.
    pub(crate) fn did(&self, number: u64) -> String {
        ids::did(self.seed, self.account(number, self.act(number)))
    }

    /// The revision that a commit makes, which no other has.
    pub(crate) fn revision(&self, number: u64) -> String {
        let account = self.account(number, self.act(number));
        ids::tid(self.timeline().time_us(number) - REVISED_BEFORE_US, account)
    }

    /// The key of the record that an event made.
    pub(super) fn record_key(&self, number: u64) -> String {
        let account = Chance::of(self.seed, Purpose::Account, number).zipf(super::ACCOUNTS);
        ids::tid(self.made_us(number), account)
    }

    /// When the record of an event was made.
    pub(super) fn made_us(&self, number: u64) -> u64 {
        self.timeline().time_us(number) - MADE_BEFORE_US
    }

    fn commit(&self, number: u64, act: Act) -> Option<Commit> {
        let (collection, operation) = act.commit()?;
        let made = match act {
            Act::Update(_, Some(target)) | Act::Delete(_, target) => target,
            _ => number,
        };
        let is_gone = operation == "delete";
        Some(Commit {
            rev: self.revision(number),
            operation,
            collection: collection.name(),
            rkey: if collection == Collection::Profile { "self".to_owned() } else { self.record_key(made) },
            record: (!is_gone).then(|| self.record(number, collection)),
            cid: (!is_gone).then(|| ids::cid(self.seed, number)),
        })
    }

    /// A handle may be missing.
    fn identity(&self, number: u64, did: &str) -> Value {
        let mut chance = Chance::of(self.seed, Purpose::Content, number);
        let time = moment(self.made_us(number), 3);
        let handle = format!("{}.example.org", words::ENGLISH.word(&mut chance));
        match chance.permille(800) {
            true => json!({"did": did, "handle": handle, "seq": FIRST_SEQUENCE + number, "time": time}),
            false => json!({"did": did, "seq": FIRST_SEQUENCE + number, "time": time}),
        }
    }

    fn account_status(&self, number: u64, did: &str) -> Value {
        let mut chance = Chance::of(self.seed, Purpose::Content, number);
        let time = moment(self.made_us(number), 3);
        match chance.permille(600) {
            true => json!({"active": true, "did": did, "seq": FIRST_SEQUENCE + number, "time": time}),
            false => {
                let status = chance.pick(&["deactivated", "deleted", "suspended", "takendown"]);
                json!({"active": false, "did": did, "seq": FIRST_SEQUENCE + number, "status": status, "time": time})
            }
        }
    }
}

/// A moment as RFC 3339, with so many digits of its fraction.
pub(super) fn moment(time_us: u64, digits: usize) -> String {
    Timestamp::from_microsecond(time_us as i64).map_or_else(|_| String::new(), |moment| format!("{moment:.digits$}"))
}
