//! The APIs of settings in every version, and what clients are told of what settings do.

use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as ReplacedResource, AlterableConfig as ReplacedConfig,
};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{
    AlterConfigsRequest, ApiKey, DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};
use kafka_protocol::protocol::StrBytes;

use crate::handlers::Core;
use crate::handlers::settings::Owner;
use crate::handlers::tests::{ask, core_in_folder, create};

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn describe(owner: Owner, name: &str) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(owner as i8)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    DescribeConfigsRequest::default().with_resources(vec![resource])
}

fn set(owner: Owner, name: &str, key: &str, value: &str) -> IncrementalAlterConfigsRequest {
    let config = AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)));
    let resource = AlterConfigsResource::default().with_resource_type(owner as i8).with_resource_name(text(name));
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource.with_configs(vec![config])])
}

/// One conversation about settings in one version of one API; false for an API that has nothing to do with them.
pub(in crate::handlers) async fn converse(core: &Core, key: ApiKey, version: i16, topic: &str) -> bool {
    match key {
        ApiKey::DescribeConfigs => {
            for (owner, name) in
                [(Owner::Topic, topic), (Owner::Broker, "1"), (Owner::Broker, ""), (Owner::BrokerLogger, "1")]
            {
                let request = describe(owner, name).with_include_synonyms(true);
                ask(core, &request.with_include_documentation(version >= 3), version).await;
            }
        }
        ApiKey::AlterConfigs => {
            let config = ReplacedConfig::default().with_name(text("flush.ms")).with_value(Some(text("5")));
            let resource = ReplacedResource::default().with_resource_type(2).with_resource_name(text(topic));
            let resources = vec![resource.with_configs(vec![config])];
            ask(core, &AlterConfigsRequest::default().with_resources(resources), version).await;
        }
        ApiKey::IncrementalAlterConfigs => {
            ask(core, &set(Owner::Topic, topic, "flush.ms", "6"), version).await;
        }
        ApiKey::ListConfigResources => {
            ask(core, &ListConfigResourcesRequest::default(), version).await;
        }
        _ => return false,
    }
    true
}

async fn described(core: &Core, owner: Owner, name: &str, key: &str) -> DescribeConfigsResourceResult {
    let request = describe(owner, name).with_include_documentation(true);
    let configs = ask(core, &request, 4).await.results.remove(0).configs;
    configs.into_iter().find(|config| config.name == text(key)).expect("it is told")
}

#[tokio::test]
async fn documentation_says_what_a_setting_does_here() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    let documentation = async |owner, name, key| described(&core, owner, name, key).await.documentation;
    assert_eq!(
        documentation(Owner::Topic, "t", "segment.bytes").await,
        Some(text("A segment that would grow beyond this is rolled."))
    );
    let without = documentation(Owner::Topic, "t", "preallocate").await.expect("it has a row");
    assert!(without.ends_with("Without effect here: segments grow as they are written."), "{without}");
    assert_eq!(documentation(Owner::Broker, "1", "broker.heartbeat.interval.ms").await, None);
}

#[tokio::test]
async fn what_is_altered_is_described_at_once() {
    let (core, _folder) = core_in_folder(|_| {});
    create(&core, "t").await;
    let answer = ask(&core, &set(Owner::Topic, "t", "retention.ms", "5"), 1).await;
    assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
    let answer = ask(&core, &set(Owner::Broker, "", "log.segment.bytes", "2097152"), 1).await;
    assert_eq!(answer.responses[0].error_code, 0, "{answer:?}");
    let retention = described(&core, Owner::Topic, "t", "retention.ms").await;
    assert_eq!((retention.value, retention.config_source), (Some(text("5")), 1));
    let segment = described(&core, Owner::Topic, "t", "segment.bytes").await;
    assert_eq!((segment.value, segment.config_source), (Some(text("2097152")), 3));
}

#[tokio::test]
async fn passwords_and_what_nobody_knows_are_not_shown() {
    let (core, _folder) = core_in_folder(|config| {
        let settings = config.settings.as_ref().clone();
        config.settings = settings.with("ssl.key.password", "secret").with("foo", "bar").into();
    });
    for key in ["ssl.key.password", "foo"] {
        let config = described(&core, Owner::Broker, "1", key).await;
        assert_eq!((config.value, config.is_sensitive), (None, true), "{key}");
    }
}

#[tokio::test]
async fn a_short_request_cannot_ask_for_an_endless_answer() {
    let (core, _folder) = core_in_folder(|_| {});
    let mut request = describe(Owner::Broker, "1");
    request.resources = vec![request.resources[0].clone(); 1000];
    let call = crate::handlers::Call::read(crate::handlers::tests::request_bytes(&request, 4, 7)).expect("a header");
    let answer = crate::handlers::answer(&core, &crate::handlers::tests::context(), call).await;
    assert!(answer.is_err_and(|hangup| hangup.why.contains("ask for fewer")));
}
