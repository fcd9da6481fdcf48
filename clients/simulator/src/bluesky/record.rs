//! What stands in records: posts, likes, profiles.

use serde_json::{Map, Value, json};

use super::{Bluesky, Collection, ids};
use crate::chance::{Chance, Purpose};
use crate::words;

/// The most that a post's own words hold; with a tag behind them it is still within the network's 300.
const MAX_LETTERS: usize = 270;

impl Bluesky {
    /// The record that an event writes.
    pub(super) fn record(&self, number: u64, collection: Collection) -> Value {
        let mut chance = Chance::of(self.seed, Purpose::Content, number);
        let created = super::event::moment(self.made_us(number), 3);
        match collection {
            Collection::Post => self.post(number, &created, &mut chance),
            Collection::Like | Collection::Repost => {
                let subject = self.referred(number).map(|post| self.reference(post));
                json!({"$type": collection.name(), "createdAt": created, "subject": subject})
            }
            Collection::Follow | Collection::Block => {
                let subject = ids::did(self.seed, chance.zipf(super::ACCOUNTS));
                json!({"$type": collection.name(), "createdAt": created, "subject": subject})
            }
            Collection::Profile => {
                let name = words::ENGLISH.name(&mut chance);
                let about = words::ENGLISH.words(2 + chance.below(20), &mut chance);
                let avatar = json!({"$type": "blob", "ref": {"$link": ids::cid(self.seed, !number)}, "mimeType": "image/jpeg", "size": 20_000 + chance.below(900_000)});
                json!({"$type": collection.name(), "displayName": name, "description": about, "avatar": avatar})
            }
            Collection::Foreign => {
                json!({"$type": collection.name(), "plantedAt": created, "height": chance.below(100), "neighbours": [null, {"": []}]})
            }
        }
    }

    fn post(&self, number: u64, created: &str, chance: &mut Chance) -> Value {
        let script = words::SCRIPTS[chance.zipf(words::SCRIPTS.len() as u64) as usize];
        let mut text = script.words(3 + chance.below(30), chance);
        if chance.permille(300) {
            text.push_str(chance.pick::<&str>(&[" 🎉", " 😀", "\n\n✨", " 🇫🇷", " 👩‍👩‍👧", "…"]));
        }
        text = text.chars().take(MAX_LETTERS).collect();
        let mut post = Map::new();
        post.insert("$type".to_owned(), Collection::Post.name().into());
        post.insert("createdAt".to_owned(), created.into());
        if chance.permille(850) {
            post.insert("langs".to_owned(), json!([script.language]));
        }
        if chance.permille(150) {
            let tag = script.word(chance);
            let start = text.len() + 1;
            text = format!("{text} #{tag}");
            let facet = json!({"index": {"byteStart": start, "byteEnd": text.len()}, "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": tag}]});
            post.insert("facets".to_owned(), json!([facet]));
        }
        if chance.permille(200) {
            post.insert("embed".to_owned(), self.embed(number, script.words(4, chance), chance));
        }
        if let Some(parent) = self.parent(number) {
            let thread = json!({"root": self.reference(self.root(parent)), "parent": self.reference(parent)});
            post.insert("reply".to_owned(), thread);
        }
        post.insert("text".to_owned(), text.into());
        Value::Object(post)
    }

    fn embed(&self, number: u64, title: String, chance: &mut Chance) -> Value {
        let image = json!({"$type": "blob", "ref": {"$link": ids::cid(self.seed, !number)}, "mimeType": "image/jpeg", "size": 9_000 + chance.below(900_000)});
        match chance.permille(500) {
            true => {
                json!({"$type": "app.bsky.embed.images", "images": [{"alt": title, "image": image, "aspectRatio": {"width": 1200, "height": 800}}]})
            }
            false => {
                json!({"$type": "app.bsky.embed.external", "external": {"uri": "https://example.org/a", "title": title, "description": "", "thumb": image}})
            }
        }
    }

    /// The post that this one answers, if it is an answer.
    fn parent(&self, number: u64) -> Option<u64> {
        let is_reply = Chance::of(self.seed, Purpose::Reference, !number).permille(400);
        if is_reply { self.referred(number) } else { None }
    }

    /// Where the thread of a post began.
    fn root(&self, mut post: u64) -> u64 {
        while let Some(parent) = self.parent(post) {
            post = parent;
        }
        post
    }

    /// How records refer to a post.
    fn reference(&self, post: u64) -> Value {
        let did = ids::did(self.seed, self.account(post, super::Act::Create(Collection::Post)));
        let uri = format!("at://{did}/{}/{}", Collection::Post.name(), self.record_key(post));
        json!({"cid": ids::cid(self.seed, post), "uri": uri})
    }
}
