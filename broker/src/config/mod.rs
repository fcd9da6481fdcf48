//! Every setting: Kafka's name, type, default, one sentence, where its value came from. Every limit lives here.
//!
//! The story: the command line fills [`Settings`] layer by layer ([`Settings::with_file`],
//! [`Settings::with_environment`], [`Settings::with_override`], [`Settings::with_flag`]); [`Settings::resolve`] reads
//! them by the [`catalogue`] and gives a [`BrokerConfig`], or one sentence for each mistake. A topic's own settings
//! go over [`BrokerConfig::topic_defaults`] with [`TopicConfig::with_overrides`]. What Kafka has no setting for
//! stands in [`limits`].
//!
//! ```
//! use cutaway::config::Settings;
//!
//! let config = Settings::default().with("log.segment.bytes", 1048576).resolve()?;
//! assert_eq!(config.topic_defaults.segment_bytes, 1048576);
//! # Ok::<(), cutaway::config::SettingsError>(())
//! ```
//!
//! This room knows nothing of the rest and touches no file: who starts the broker hands it the text.

mod alteration;
mod broker_config;
pub mod catalogue;
mod definition;
mod described;
mod effective;
mod environment;
pub mod limits;
mod listener;
mod live_config;
mod nodes;
mod settings;
mod topic_config;
mod value;

pub use alteration::{Alteration, AlterationError, Alterations, Operation};
pub use broker_config::{BrokerConfig, GroupConfig};
pub use definition::{Allowed, Definition, Difference, Effect, Kind};
pub use described::{Described, Synonym};
pub use effective::{EffectiveSetting, Source};
pub use listener::{Listener, on_free_ports};
pub use live_config::LiveConfig;
pub use nodes::Nodes;
pub use settings::{Entry, Origin, Scope, Settings, SettingsError};
pub use topic_config::{CompressionType, TimestampType, TopicConfig};
pub use value::Value;
