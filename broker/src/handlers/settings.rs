//! What settings and their owners are called on the wire, and what is the same in both APIs that alter them.

use std::collections::HashSet;

use kafka_protocol::ResponseError;
use kafka_protocol::protocol::StrBytes;
use tracing::level_filters::LevelFilter;

use crate::config::{Alterations, Kind, Scope, Source};
use crate::handlers::errors::topic_code;
use crate::handlers::{Core, RequestContext};

/// Whose settings are meant, with Kafka's numbers (`ConfigResource.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Unknown = 0,
    Topic = 2,
    Broker = 4,
    BrokerLogger = 8,
    ClientMetrics = 16,
    Group = 32,
}

/// Why something did not happen: the code, and a sentence.
pub(super) type Refused = (ResponseError, String);

impl Owner {
    /// The owner of a number.
    pub(super) fn of(number: i8) -> Owner {
        const ALL: [Owner; 5] = [Owner::Topic, Owner::Broker, Owner::BrokerLogger, Owner::ClientMetrics, Owner::Group];
        ALL.into_iter().find(|owner| *owner as i8 == number).unwrap_or(Owner::Unknown)
    }

    /// Kafka's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Owner::Unknown => "UNKNOWN",
            Owner::Topic => "TOPIC",
            Owner::Broker => "BROKER",
            Owner::BrokerLogger => "BROKER_LOGGER",
            Owner::ClientMetrics => "CLIENT_METRICS",
            Owner::Group => "GROUP",
        }
    }
}

/// The number of a source (`DescribeConfigsResponse.ConfigSource`).
pub(super) fn source_code(source: Source) -> i8 {
    match source {
        Source::Topic => 1,
        Source::AlteredBroker => 2,
        Source::AlteredCluster => 3,
        Source::Static => 4,
        Source::Default => 5,
    }
}

/// The number of a source of which there is one logger (`DYNAMIC_BROKER_LOGGER_CONFIG`).
pub(super) const LOGGER_SOURCE: i8 = 6;

/// The number of a type (`DescribeConfigsResponse.ConfigType`).
pub(super) fn kind_code(kind: Option<Kind>) -> i8 {
    match kind {
        None => 0,
        Some(Kind::Boolean) => 1,
        Some(Kind::String) => 2,
        Some(Kind::Int) => 3,
        Some(Kind::Short) => 4,
        Some(Kind::Long) => 5,
        Some(Kind::Double) => 6,
        Some(Kind::List) => 7,
        Some(Kind::Class) => 8,
        Some(Kind::Password) => 9,
    }
}

/// The level down to which this broker logs, as Kafka's one logger `root` has it.
pub(super) fn log_level() -> String {
    LevelFilter::current().to_string().to_uppercase()
}

/// The broker that a request means; `expected` ends Kafka's sentence about any other.
pub(super) fn check_broker_id(name: &str, node_id: i32, noun: &str, expected: &str) -> Result<(), Refused> {
    let refuse = |sentence: String| Err((ResponseError::InvalidRequest, sentence));
    match name.parse::<i32>() {
        Err(_) => refuse(format!("{noun} id must be an integer, but it is: {name}")),
        Ok(id) if id != node_id => {
            refuse(format!("Unexpected broker id, expected {node_id}{expected} received {name}"))
        }
        Ok(_) => Ok(()),
    }
}

/// An outcome as both answers tell it.
pub(super) fn code_and_sentence(outcome: Result<(), Refused>) -> (i16, Option<StrBytes>) {
    match outcome {
        Ok(()) => (0, None),
        Err((code, sentence)) => (code.code(), Some(StrBytes::from_string(sentence))),
    }
}

/// One owner's part of a request that alters settings.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    pub(super) owner: i8,
    pub(super) name: &'a str,
    /// Its keys, with their values where they need one.
    pub(super) keys: Vec<(&'a str, Option<&'a str>)>,
    /// What shall become of them; a sentence where that cannot be read.
    pub(super) alterations: Result<Alterations, String>,
}

/// Alters the settings of one owner after the other; the answers come in the same order.
pub(super) async fn alter(
    core: &Core,
    context: &RequestContext,
    wishes: Vec<Wish<'_>>,
    validate_only: bool,
) -> Vec<Result<(), Refused>> {
    let (mut seen, mut repeated) = (HashSet::new(), HashSet::new());
    for wish in &wishes {
        if !seen.insert((wish.owner, wish.name)) {
            repeated.insert((wish.owner, wish.name));
        }
    }
    let mut outcomes = Vec::with_capacity(wishes.len());
    for wish in wishes {
        outcomes.push(if repeated.contains(&(wish.owner, wish.name)) {
            Err((ResponseError::InvalidRequest, "Each resource must appear at most once.".into()))
        } else {
            alter_one(core, context, wish, validate_only).await
        });
    }
    outcomes
}

/// The checks stand in Kafka's order.
async fn alter_one(core: &Core, context: &RequestContext, wish: Wish<'_>, validate_only: bool) -> Result<(), Refused> {
    let refuse = |sentence: String| Err((ResponseError::InvalidRequest, sentence));
    let mut seen = HashSet::new();
    if !wish.keys.iter().all(|(key, _)| seen.insert(*key)) {
        return refuse("Error due to duplicate config keys".into());
    }
    let nulls: Vec<&str> = wish.keys.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| *key).collect();
    if !nulls.is_empty() {
        return refuse(format!("Null value not supported for : {}", nulls.join(", ")));
    }
    let (topics, principal) = (&core.topics, &context.principal);
    let altered = match Owner::of(wish.owner) {
        Owner::Topic => topics.alter(principal, wish.name, read(wish.alterations)?, validate_only).await,
        Owner::Broker => {
            let scope = if wish.name.is_empty() { Scope::Cluster } else { Scope::Broker };
            if scope == Scope::Broker {
                check_broker_id(wish.name, context.node, "Node", ", but")?;
            }
            topics.alter_broker(principal, scope, read(wish.alterations)?, validate_only).await
        }
        Owner::BrokerLogger if matches!(wish.alterations, Ok(Alterations::Replace(_))) => {
            return refuse(format!("Unknown resource type {}", wish.owner));
        }
        Owner::Unknown => return refuse(format!("Unknown resource type {}", wish.owner)),
        owner => return refuse(format!("Cutaway does not keep settings of the type {} yet.", owner.name())),
    };
    altered.map_err(|failure| (topic_code(&failure), failure.to_string()))
}

fn read(alterations: Result<Alterations, String>) -> Result<Alterations, Refused> {
    alterations.map_err(|sentence| (ResponseError::InvalidRequest, sentence))
}
