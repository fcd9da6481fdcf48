//! The topic of a producer: created if it is missing, and asked how large a record may be.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::health::Health;
use super::{config, setting_refused, words};
use crate::options::BrokerOptions;
use crate::source::Backoff;

/// How long an answer may take before the question is asked again.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a producer has to know about its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// The cluster that has it.
    pub cluster_id: String,
    /// The largest batch of records that it takes, if the broker says so.
    pub max_message_bytes: Option<usize>,
}

/// Talks about the broker only, and in our words.
struct Quiet(Health);

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, _: &str) {
        self.0.hear(&error);
    }
}

impl Topic {
    /// Creates the topic unless it is there, and waits for a broker as long as there is none.
    ///
    /// # Errors
    /// When the broker refuses, or a setting is wrong.
    pub async fn create(broker: &BrokerOptions, name: &str, partitions: i32) -> anyhow::Result<Topic> {
        let health = Health::new(&broker.broker, "the topic is created then");
        // The settings that were typed are a producer's; those that an admin client needs are among them.
        let admin = AdminClient::from_config_and_context(&config(broker, &[]), Quiet(health));
        let admin = admin.map_err(setting_refused)?;
        let mut backoff = Backoff::default();
        while !ask_for(&admin, name, partitions).await? {
            admin.inner().context().0.is_gone();
            tokio::time::sleep(backoff.pause()).await;
        }
        admin.inner().context().0.answered();
        let max_message_bytes = max_message_bytes(&admin, name).await;
        let cluster_id = tokio::task::block_in_place(|| admin.inner().fetch_cluster_id(PATIENCE));
        Ok(Topic { name: name.to_owned(), cluster_id: cluster_id.unwrap_or_default(), max_message_bytes })
    }
}

/// Whether the topic is there now; if not, asking again may help.
async fn ask_for(admin: &AdminClient<Quiet>, name: &str, partitions: i32) -> anyhow::Result<bool> {
    // -1 leaves the number of replicas to the broker: right for one node, and for a cluster.
    let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
    let options = AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
    let code = match admin.create_topics([&topic], &options).await {
        Ok(results) => match results.into_iter().next() {
            None | Some(Ok(_)) => return Ok(true),
            Some(Err((_, code))) => code,
        },
        Err(KafkaError::AdminOp(code)) => code,
        Err(error) => anyhow::bail!("cannot create the topic {name}: {error}"),
    };
    match code {
        RDKafkaErrorCode::TopicAlreadyExists => Ok(true),
        RDKafkaErrorCode::BrokerTransportFailure
        | RDKafkaErrorCode::AllBrokersDown
        | RDKafkaErrorCode::OperationTimedOut
        | RDKafkaErrorCode::RequestTimedOut
        | RDKafkaErrorCode::Resolve
        | RDKafkaErrorCode::NotController
        | RDKafkaErrorCode::BrokerNotAvailable
        | RDKafkaErrorCode::LeaderNotAvailable => Ok(false),
        code => {
            anyhow::bail!("cannot create the topic {name}: {}; another name can be given with --topic", words(code))
        }
    }
}

/// The topic's `max.message.bytes`. A broker that does not tell it lets us find out by refusing.
async fn max_message_bytes(admin: &AdminClient<Quiet>, name: &str) -> Option<usize> {
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let answers = admin.describe_configs([&ResourceSpecifier::Topic(name)], &options).await.ok()?;
    let resource = answers.into_iter().next()?.ok()?;
    resource.get("max.message.bytes")?.value.as_deref()?.parse().ok()
}
