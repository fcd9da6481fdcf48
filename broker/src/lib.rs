//! Cutaway: a Kafka broker you can see inside.
//!
//! The rooms, from the ground up; imports point down only (`docs/architecture.md` has the whole plan):
//!
//! | room | what it is |
//! |---|---|
//! | [`config`] | every setting: Kafka's name, type, default, where its value came from |
//! | [`clock`] | the only place that reads time or sleeps |
//! | [`names`] | names that cannot be wrong: parsed once, then trusted |
//! | [`schema`] | Kafka's message schemas, and the walk that bounds a request before it is decoded |
//! | [`journal`] | what the broker just did, as plain values, for whoever looks |
//! | [`storage`] | everything that touches the disk: batches, segments, logs, recovery, metadata |
//! | [`topics`] | what exists and how far it may be read |
//! | [`coordinator`] | who consumes what: groups and their committed offsets |
//! | [`handlers`] | one file per Kafka API |
//! | [`server`] | sockets to frames and back |
//! | [`web`] | the local control socket |
//! | [`broker`] | opens the rooms bottom-up and closes them top-down |

pub mod broker;
pub mod clock;
pub mod config;
pub mod coordinator;
pub mod handlers;
pub mod journal;
pub mod names;
pub mod schema;
pub mod server;
pub mod storage;
pub mod topics;
pub mod web;

pub use broker::{Broker, StartError};
pub use config::{BrokerConfig, Settings, SettingsError};
