//! Everything about Kafka that the programs share: settings, the topic, sending with acknowledgements.

pub mod health;
pub mod ledger;
pub mod sender;
pub mod topic;

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::options::BrokerOptions;
use crate::run::Mistake;

/// Settings of librdkafka: those of the program, then those that were typed.
pub fn config(broker: &BrokerOptions, ours: &[(&str, &str)]) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &broker.broker)
        .set("client.id", env!("CARGO_PKG_NAME"))
        .set("broker.address.family", "v4")
        .set("allow.auto.create.topics", "false")
        // A broker that was restarted is found again within two seconds.
        .set("reconnect.backoff.max.ms", "2000");
    for (name, value) in ours {
        config.set(*name, *value);
    }
    for (name, value) in &broker.settings {
        config.set(name, value);
    }
    config
}

/// A sentence for a client that cannot be made: a setting is wrong.
pub fn setting_refused(error: KafkaError) -> anyhow::Error {
    match error {
        KafkaError::ClientConfig(_, why, name, value) => {
            Mistake(format!("librdkafka does not take {name}={value} ({why}); see -b and -X")).into()
        }
        KafkaError::ClientCreation(why) => Mistake(format!("librdkafka does not take these settings: {why}")).into(),
        error => anyhow::anyhow!("no Kafka client can be made: {error}"),
    }
}

/// A client's fatal error, in a sentence.
pub fn fatal<C: ClientContext>(client: &Client<C>) -> Option<anyhow::Error> {
    let (code, reason) = client.fatal_error()?;
    Some(anyhow::anyhow!("the Kafka client cannot go on: {reason} ({code:?}); start the program again"))
}

/// What librdkafka calls an error.
fn words(code: RDKafkaErrorCode) -> String {
    format!("{code} ({code:?})")
}
