//! The conversations about APIs of administration, for the test that asks in every version.

use kafka_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use kafka_protocol::messages::alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirTopic};
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_producers_request::TopicRequest as ProducersOf;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::*;

use super::tests::{answer_bytes, ask, context, core_in_folder, create, decode_answer, request_bytes, wire};
use super::{Call, Core, answer};

/// Asks about a topic, and about something that is wrong.
pub(super) async fn converse(core: &Core, key: ApiKey, version: i16, name: &str) {
    match key {
        ApiKey::OffsetForLeaderEpoch => {
            let partition = OffsetForLeaderPartition::default().with_leader_epoch(0);
            let topic = OffsetForLeaderTopic::default().with_topic(wire(name)).with_partitions(vec![partition]);
            ask(core, &OffsetForLeaderEpochRequest::default().with_topics(vec![topic]), version).await;
        }
        ApiKey::CreatePartitions => {
            for count in [1, 7] {
                let topic = CreatePartitionsTopic::default().with_name(wire(name)).with_count(count);
                let request = CreatePartitionsRequest::default().with_topics(vec![topic]).with_validate_only(true);
                ask(core, &request, version).await;
            }
        }
        ApiKey::DescribeProducers => {
            let topic = ProducersOf::default().with_name(wire(name)).with_partition_indexes(vec![0, 9]);
            ask(core, &DescribeProducersRequest::default().with_topics(vec![topic]), version).await;
        }
        ApiKey::DescribeTopicPartitions => {
            let request = DescribeTopicPartitionsRequest::default().with_response_partition_limit(1).with_cursor(None);
            ask(core, &request, version).await;
            let request = request.with_topics(vec![TopicRequest::default().with_name(wire(name))]);
            ask(core, &request, version).await;
            ask(core, &request.with_cursor(Some(Cursor::default().with_partition_index(-1))), version).await;
        }
        ApiKey::DescribeTransactions => {
            let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![wire(name).0.into()]);
            ask(core, &request, version).await;
        }
        ApiKey::ListTransactions => {
            let request = ListTransactionsRequest::default().with_state_filters(vec![wire("Ongoing").0, wire(name).0]);
            ask(core, &request, version).await;
        }
        other => converse_about_the_cluster(core, other, version, name).await,
    }
}

async fn converse_about_the_cluster(core: &Core, key: ApiKey, version: i16, name: &str) {
    match key {
        ApiKey::DescribeCluster => {
            let request = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
            ask(core, &request, version).await;
            if version >= 1 {
                ask(core, &request.with_endpoint_type(2), version).await;
            }
        }
        ApiKey::DescribeLogDirs => drop(describe_log_dirs(core, version, name).await),
        ApiKey::AlterReplicaLogDirs => {
            for path in [core.topics.log_dir(), "/nowhere".into()] {
                let topic = AlterReplicaLogDirTopic::default().with_name(wire(name)).with_partitions(vec![0, 9]);
                let dir = AlterReplicaLogDir::default().with_path(wire(&path).0).with_topics(vec![topic]);
                ask(core, &AlterReplicaLogDirsRequest::default().with_dirs(vec![dir]), version).await;
            }
        }
        ApiKey::ElectLeaders => {
            let topic = TopicPartitions::default().with_topic(wire(name)).with_partitions(vec![0, 9]);
            for kind in if version >= 1 { 0..3 } else { 0..1 } {
                let request = ElectLeadersRequest::default().with_election_type(kind);
                ask(core, &request.clone().with_topic_partitions(None), version).await;
                ask(core, &request.with_topic_partitions(Some(vec![topic.clone()])), version).await;
            }
        }
        ApiKey::AlterPartitionReassignments => {
            for replicas in [None, Some(vec![]), Some(vec![BrokerId(1)])] {
                let partition = ReassignablePartition::default().with_replicas(replicas);
                let topic = ReassignableTopic::default().with_name(wire(name)).with_partitions(vec![partition]);
                ask(core, &AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]), version).await;
            }
        }
        ApiKey::ListPartitionReassignments => {
            ask(core, &ListPartitionReassignmentsRequest::default().with_topics(None), version).await;
        }
        ApiKey::DescribeQuorum => {
            for topic in [name, "__cluster_metadata"] {
                let topic = TopicData::default().with_topic_name(wire(topic));
                let request = topic.with_partitions(vec![PartitionData::default()]);
                ask(core, &DescribeQuorumRequest::default().with_topics(vec![request]), version).await;
            }
        }
        other => converse_about_access(core, other, version, name).await,
    }
}

async fn converse_about_access(core: &Core, key: ApiKey, version: i16, name: &str) {
    match key {
        ApiKey::DescribeAcls => {
            let request = DescribeAclsRequest::default().with_resource_type_filter(1).with_pattern_type_filter(1);
            ask(core, &request.with_operation(1).with_permission_type(1), version).await;
        }
        ApiKey::CreateAcls => {
            let rule = AclCreation::default().with_resource_type(2).with_resource_name(wire(name).0);
            let rule = rule.with_resource_pattern_type(3).with_operation(3).with_permission_type(3);
            ask(core, &CreateAclsRequest::default().with_creations(vec![rule]), version).await;
        }
        ApiKey::DeleteAcls => {
            let filter = DeleteAclsFilter::default().with_resource_type_filter(1).with_pattern_type_filter(1);
            let filter = filter.with_operation(1).with_permission_type(1);
            ask(core, &DeleteAclsRequest::default().with_filters(vec![filter]), version).await;
        }
        ApiKey::DescribeClientQuotas => {
            for kind in ["user", name] {
                let component = ComponentData::default().with_entity_type(wire(kind).0).with_match_type(2);
                let request = DescribeClientQuotasRequest::default();
                ask(core, &request.with_components(vec![component.with_match(None)]), version).await;
            }
        }
        ApiKey::DescribeUserScramCredentials => {
            let users = vec![UserName::default().with_name(wire(name).0)];
            ask(core, &DescribeUserScramCredentialsRequest::default().with_users(Some(users)), version).await;
        }
        other => panic!("{other:?} stands in the table and has no conversation here"),
    }
}

/// The message crate does not know version 5, which has one byte more.
async fn describe_log_dirs(core: &Core, version: i16, name: &str) -> DescribeLogDirsResponse {
    let topic = DescribableLogDirTopic::default().with_topic(wire(name)).with_partitions(vec![0, 0, 9]);
    let request = DescribeLogDirsRequest::default().with_topics(Some(vec![topic]));
    if version < 5 {
        return ask(core, &request, version).await;
    }
    let call = Call::read(request_bytes(&request, version, 7)).expect("a header");
    let mut bytes = answer_bytes(answer(core, &context(), call).await.expect("an answer"));
    assert_eq!(bytes.split_off(bytes.len() - 1)[..], [0], "not cordoned");
    decode_answer::<DescribeLogDirsRequest>(bytes, version).1
}

#[tokio::test]
async fn the_data_folder_is_told_with_the_partitions_that_are_asked_for() {
    let (core, folder) = core_in_folder(|_| {});
    create(&core, "there").await;
    for version in 1..=5 {
        let answer = describe_log_dirs(&core, version, "there").await;
        let [dir] = &answer.results[..] else { panic!("{answer:?}") };
        assert_eq!((dir.error_code, dir.log_dir.as_str()), (0, folder.path().to_str().expect("a path")));
        assert_eq!((dir.topics.len(), dir.topics[0].partitions.len()), (1, 1));
        let space = (dir.total_bytes >= dir.usable_bytes && dir.usable_bytes > 0, dir.total_bytes);
        assert!(if version < 4 { space.1 == -1 } else { space.0 }, "{answer:?}");
        assert!(describe_log_dirs(&core, version, "nowhere").await.results[0].topics.is_empty());
    }
}

#[tokio::test]
async fn sentences_about_partitions_do_not_repeat_names_without_end() {
    let (core, _folder) = core_in_folder(|_| {});
    let (long, partitions) = (wire(&"é".repeat(16_000)), 0..1000);
    let mut sentences = Vec::new();
    let topic = TopicPartitions::default().with_topic(long.clone()).with_partitions(partitions.clone().collect());
    let elections = ask(&core, &ElectLeadersRequest::default().with_topic_partitions(Some(vec![topic])), 2).await;
    let results = elections.replica_election_results.into_iter().flat_map(|topic| topic.partition_result);
    sentences.extend(results.map(|partition| partition.error_message));
    let partition = |index| ReassignablePartition::default().with_partition_index(index).with_replicas(None);
    let topic = ReassignableTopic::default().with_name(long.clone());
    let topic = topic.with_partitions(partitions.clone().map(partition).collect());
    let request = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
    let results = ask(&core, &request, 1).await.responses.into_iter().flat_map(|topic| topic.partitions);
    sentences.extend(results.map(|partition| partition.error_message));
    let topic = ProducersOf::default().with_name(long).with_partition_indexes(partitions.collect());
    let answer = ask(&core, &DescribeProducersRequest::default().with_topics(vec![topic]), 0).await;
    sentences
        .extend(answer.topics.into_iter().flat_map(|topic| topic.partitions).map(|partition| partition.error_message));
    assert_eq!(sentences.len(), 3000);
    for sentence in sentences {
        assert!((100..600).contains(&sentence.expect("a sentence").len()));
    }
}
