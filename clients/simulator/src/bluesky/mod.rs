//! Bluesky's network: who posts, likes, follows and deletes what, and when.
//!
//! Each event has a number in the order of time. [`act`](Bluesky::act) says what it is. Likes and replies go to earlier posts,
//! deletions to records that were there and are not deleted twice; and yet no event needs those before it, because whatever is
//! referred to is looked for among the neighbours by their dice alone.

mod event;
mod filter;
mod ids;
mod record;

pub(crate) use event::Version;
pub(crate) use filter::{Filter, Offence, Refused, Update};

use crate::chance::{Chance, Purpose};
use crate::timeline::Timeline;

/// How many accounts there are.
const ACCOUNTS: u64 = 300_000;

/// Records are deleted when about so many events have come after them.
const DELETED_AFTER: u64 = 20_000;

/// How far back what is referred to may lie, and how far it is looked for from there.
const REFERRED_BACK: u64 = 500_000;
const LOOKED_FOR: u64 = 20_000;

/// The number that the first event has in the order of the service (`seq`).
pub(crate) const FIRST_SEQUENCE: u64 = 25_000_000_000;

/// The kinds of records that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Collection {
    /// A post.
    Post,
    /// A like of a post.
    Like,
    /// A repost.
    Repost,
    /// Somebody follows somebody.
    Follow,
    /// Somebody blocks somebody.
    Block,
    /// What an account tells of itself.
    Profile,
    /// A record of another program in the same network.
    Foreign,
}

impl Collection {
    /// Its name in the network.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Collection::Post => "app.bsky.feed.post",
            Collection::Like => "app.bsky.feed.like",
            Collection::Repost => "app.bsky.feed.repost",
            Collection::Follow => "app.bsky.graph.follow",
            Collection::Block => "app.bsky.graph.block",
            Collection::Profile => "app.bsky.actor.profile",
            Collection::Foreign => "example.garden.seedling",
        }
    }
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// A record is made.
    Create(Collection),
    /// The record that an earlier event made is changed; a profile, of which each account has one, by itself.
    Update(Collection, Option<u64>),
    /// The record that an earlier event made is deleted.
    Delete(Collection, u64),
    /// An account's handle is told anew.
    Identity,
    /// An account comes or goes.
    Account,
    /// An account's records are to be read anew; only the newer protocol tells it.
    Sync,
}

impl Act {
    /// The kind, as the protocol names it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Act::Create(_) | Act::Update(..) | Act::Delete(..) => "commit",
            Act::Identity => "identity",
            Act::Account => "account",
            Act::Sync => "sync",
        }
    }

    /// The collection and the operation of a commit.
    pub(crate) fn commit(self) -> Option<(Collection, &'static str)> {
        match self {
            Act::Create(collection) => Some((collection, "create")),
            Act::Update(collection, _) => Some((collection, "update")),
            Act::Delete(collection, _) => Some((collection, "delete")),
            Act::Identity | Act::Account | Act::Sync => None,
        }
    }
}

/// What the dice alone say of an event. An update or a deletion without anything to change becomes a creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Throw {
    Create(Collection),
    Update(Collection),
    Delete(Collection),
    Identity,
    Account,
    Sync,
}

/// Everything that ever happens in the simulated network.
#[derive(Debug, Clone)]
pub(crate) struct Bluesky {
    seed: u64,
    timeline: Timeline,
    /// The share of events that have to do with posts, accounts or identities.
    posts_share: f64,
}

impl Bluesky {
    /// A network in which there are so many likes and the like for each event that has to do with posts.
    pub(crate) fn new(seed: u64, timeline: Timeline, others: f64) -> Bluesky {
        Bluesky { seed, timeline, posts_share: 1.0 / (1.0 + others) }
    }

    /// When events happen.
    pub(crate) fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// What an event is.
    pub(crate) fn act(&self, number: u64) -> Act {
        match self.throw(number) {
            Throw::Identity => Act::Identity,
            Throw::Account => Act::Account,
            Throw::Sync => Act::Sync,
            Throw::Create(collection) => Act::Create(collection),
            Throw::Update(Collection::Profile) => Act::Update(Collection::Profile, None),
            Throw::Update(collection) => match self.updated(collection, number) {
                Some(target) => Act::Update(collection, Some(target)),
                None => Act::Create(collection),
            },
            Throw::Delete(collection) => match self.deleted(collection, number) {
                Some(target) => Act::Delete(collection, target),
                None => Act::Create(collection),
            },
        }
    }

    fn throw(&self, number: u64) -> Throw {
        let mut chance = Chance::of(self.seed, Purpose::Kind, number);
        let has_to_do_with_posts = chance.fraction() < self.posts_share;
        let roll = chance.below(1000);
        let collection = match (has_to_do_with_posts, roll) {
            (true, 0..58) => return Throw::Identity,
            (true, 58..98) => return Throw::Account,
            (true, 98..100) => return Throw::Sync,
            (true, _) => Collection::Post,
            (false, 0..780) => Collection::Like,
            (false, 780..900) => Collection::Repost,
            (false, 900..970) => Collection::Follow,
            (false, 970..980) => Collection::Block,
            (false, 980..992) => Collection::Profile,
            (false, _) => Collection::Foreign,
        };
        match (collection, chance.below(1000)) {
            (Collection::Profile, 0..900) | (Collection::Post, 0..13) => Throw::Update(collection),
            (Collection::Profile, _) => Throw::Create(collection),
            (_, 100..127) => Throw::Delete(collection),
            _ => Throw::Create(collection),
        }
    }

    /// The record that a deletion deletes: the last one that was made long enough before, unless another deletion comes
    /// before this one to the same.
    fn deleted(&self, collection: Collection, number: u64) -> Option<u64> {
        let latest = number.checked_sub(DELETED_AFTER)?;
        let target = self.creation_before(collection, latest + 1)?;
        let is_taken = (target..latest).any(|other| self.throw(other + DELETED_AFTER) == Throw::Delete(collection));
        (!is_taken).then_some(target)
    }

    /// The record that an update changes: one that is too young to be deleted.
    fn updated(&self, collection: Collection, number: u64) -> Option<u64> {
        let back = Chance::of(self.seed, Purpose::Reference, number).below(DELETED_AFTER / 2);
        let target = self.creation_before(collection, number.checked_sub(back)?)?;
        (target + DELETED_AFTER > number).then_some(target)
    }

    /// The post that a like, a repost or a reply goes to: mostly a recent one.
    fn referred(&self, number: u64) -> Option<u64> {
        let back = Chance::of(self.seed, Purpose::Reference, number).zipf(REFERRED_BACK.min(number.max(1)));
        self.creation_before(Collection::Post, number - back.min(number))
    }

    fn creation_before(&self, collection: Collection, number: u64) -> Option<u64> {
        let earlier = number.saturating_sub(LOOKED_FOR)..number;
        earlier.rev().find(|earlier| self.throw(*earlier) == Throw::Create(collection))
    }

    /// The account that an event belongs to.
    fn account(&self, number: u64, act: Act) -> u64 {
        let owner = match act {
            Act::Update(_, Some(target)) | Act::Delete(_, target) => target,
            _ => number,
        };
        Chance::of(self.seed, Purpose::Account, owner).zipf(ACCOUNTS)
    }
}

#[cfg(test)]
mod tests;
