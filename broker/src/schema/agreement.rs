//! The table, the walk and the crate that decodes must read every message alike: what one accepts and another reads
//! differently is the way past the check.
//!
//! Every message that the crate knows is written here by the table, in every version, empty and full; the walk and the
//! crate must both take exactly these bytes, and the crate must write them back.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages;
use kafka_protocol::protocol::{Decodable, Encodable, Request, VersionRange};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::fill::{Filling, fill};
use super::{Message, spans, table, walk};

/// A request of the crate and its response, as functions over bytes.
struct Pair {
    api_key: i16,
    request_versions: VersionRange,
    response_versions: VersionRange,
    /// Encodes the default request, which not every version can express.
    default_request: fn(i16) -> Option<Bytes>,
    default_response: fn(i16) -> Option<Bytes>,
    /// Decodes, and encodes again what was decoded.
    request_again: fn(&[u8], i16) -> Result<Again, String>,
    response_again: fn(&[u8], i16) -> Result<Again, String>,
}

/// What became of a message that was decoded and encoded again.
#[derive(Debug, PartialEq)]
struct Again {
    /// The bytes that decoding took.
    consumed: usize,
    /// What encoding wrote; None where the version cannot express it.
    encoded: Option<Bytes>,
}

impl Pair {
    const fn of<R: Request + Default>() -> Pair
    where
        R::Response: Default,
    {
        Pair {
            api_key: R::KEY,
            request_versions: R::VERSIONS,
            response_versions: <R::Response as kafka_protocol::protocol::Message>::VERSIONS,
            default_request: encode_default::<R>,
            default_response: encode_default::<R::Response>,
            request_again: again::<R>,
            response_again: again::<R::Response>,
        }
    }
}

fn encode_default<M: Encodable + Default>(version: i16) -> Option<Bytes> {
    let mut bytes = BytesMut::new();
    M::default().encode(&mut bytes, version).is_ok().then(|| bytes.freeze())
}

fn again<M: Encodable + Decodable>(bytes: &[u8], version: i16) -> Result<Again, String> {
    let mut rest = Bytes::copy_from_slice(bytes);
    let message = M::decode(&mut rest, version).map_err(|error| error.to_string())?;
    let mut encoded = BytesMut::new();
    let encoded = message.encode(&mut encoded, version).is_ok().then(|| encoded.freeze());
    Ok(Again { consumed: bytes.len() - rest.len(), encoded })
}

/// Every request of the crate.
const PAIRS: &[Pair] = &[
    Pair::of::<messages::ProduceRequest>(),
    Pair::of::<messages::FetchRequest>(),
    Pair::of::<messages::ListOffsetsRequest>(),
    Pair::of::<messages::MetadataRequest>(),
    Pair::of::<messages::OffsetCommitRequest>(),
    Pair::of::<messages::OffsetFetchRequest>(),
    Pair::of::<messages::FindCoordinatorRequest>(),
    Pair::of::<messages::JoinGroupRequest>(),
    Pair::of::<messages::HeartbeatRequest>(),
    Pair::of::<messages::LeaveGroupRequest>(),
    Pair::of::<messages::SyncGroupRequest>(),
    Pair::of::<messages::DescribeGroupsRequest>(),
    Pair::of::<messages::ListGroupsRequest>(),
    Pair::of::<messages::SaslHandshakeRequest>(),
    Pair::of::<messages::ApiVersionsRequest>(),
    Pair::of::<messages::CreateTopicsRequest>(),
    Pair::of::<messages::DeleteTopicsRequest>(),
    Pair::of::<messages::DeleteRecordsRequest>(),
    Pair::of::<messages::InitProducerIdRequest>(),
    Pair::of::<messages::OffsetForLeaderEpochRequest>(),
    Pair::of::<messages::AddPartitionsToTxnRequest>(),
    Pair::of::<messages::AddOffsetsToTxnRequest>(),
    Pair::of::<messages::EndTxnRequest>(),
    Pair::of::<messages::WriteTxnMarkersRequest>(),
    Pair::of::<messages::TxnOffsetCommitRequest>(),
    Pair::of::<messages::DescribeAclsRequest>(),
    Pair::of::<messages::CreateAclsRequest>(),
    Pair::of::<messages::DeleteAclsRequest>(),
    Pair::of::<messages::DescribeConfigsRequest>(),
    Pair::of::<messages::AlterConfigsRequest>(),
    Pair::of::<messages::AlterReplicaLogDirsRequest>(),
    Pair::of::<messages::DescribeLogDirsRequest>(),
    Pair::of::<messages::SaslAuthenticateRequest>(),
    Pair::of::<messages::CreatePartitionsRequest>(),
    Pair::of::<messages::CreateDelegationTokenRequest>(),
    Pair::of::<messages::RenewDelegationTokenRequest>(),
    Pair::of::<messages::ExpireDelegationTokenRequest>(),
    Pair::of::<messages::DescribeDelegationTokenRequest>(),
    Pair::of::<messages::DeleteGroupsRequest>(),
    Pair::of::<messages::ElectLeadersRequest>(),
    Pair::of::<messages::IncrementalAlterConfigsRequest>(),
    Pair::of::<messages::AlterPartitionReassignmentsRequest>(),
    Pair::of::<messages::ListPartitionReassignmentsRequest>(),
    Pair::of::<messages::OffsetDeleteRequest>(),
    Pair::of::<messages::DescribeClientQuotasRequest>(),
    Pair::of::<messages::AlterClientQuotasRequest>(),
    Pair::of::<messages::DescribeUserScramCredentialsRequest>(),
    Pair::of::<messages::AlterUserScramCredentialsRequest>(),
    Pair::of::<messages::VoteRequest>(),
    Pair::of::<messages::BeginQuorumEpochRequest>(),
    Pair::of::<messages::EndQuorumEpochRequest>(),
    Pair::of::<messages::DescribeQuorumRequest>(),
    Pair::of::<messages::AlterPartitionRequest>(),
    Pair::of::<messages::UpdateFeaturesRequest>(),
    Pair::of::<messages::EnvelopeRequest>(),
    Pair::of::<messages::FetchSnapshotRequest>(),
    Pair::of::<messages::DescribeClusterRequest>(),
    Pair::of::<messages::DescribeProducersRequest>(),
    Pair::of::<messages::BrokerRegistrationRequest>(),
    Pair::of::<messages::BrokerHeartbeatRequest>(),
    Pair::of::<messages::UnregisterBrokerRequest>(),
    Pair::of::<messages::DescribeTransactionsRequest>(),
    Pair::of::<messages::ListTransactionsRequest>(),
    Pair::of::<messages::AllocateProducerIdsRequest>(),
    Pair::of::<messages::ConsumerGroupHeartbeatRequest>(),
    Pair::of::<messages::ConsumerGroupDescribeRequest>(),
    Pair::of::<messages::ControllerRegistrationRequest>(),
    Pair::of::<messages::GetTelemetrySubscriptionsRequest>(),
    Pair::of::<messages::PushTelemetryRequest>(),
    Pair::of::<messages::AssignReplicasToDirsRequest>(),
    Pair::of::<messages::ListConfigResourcesRequest>(),
    Pair::of::<messages::DescribeTopicPartitionsRequest>(),
    Pair::of::<messages::ShareGroupHeartbeatRequest>(),
    Pair::of::<messages::ShareGroupDescribeRequest>(),
    Pair::of::<messages::ShareFetchRequest>(),
    Pair::of::<messages::ShareAcknowledgeRequest>(),
    Pair::of::<messages::AddRaftVoterRequest>(),
    Pair::of::<messages::RemoveRaftVoterRequest>(),
    Pair::of::<messages::UpdateRaftVoterRequest>(),
    Pair::of::<messages::InitializeShareGroupStateRequest>(),
    Pair::of::<messages::ReadShareGroupStateRequest>(),
    Pair::of::<messages::WriteShareGroupStateRequest>(),
    Pair::of::<messages::DeleteShareGroupStateRequest>(),
    Pair::of::<messages::ReadShareGroupStateSummaryRequest>(),
    Pair::of::<messages::DescribeShareGroupOffsetsRequest>(),
    Pair::of::<messages::AlterShareGroupOffsetsRequest>(),
    Pair::of::<messages::DeleteShareGroupOffsetsRequest>(),
];

type Reread = fn(&[u8], i16) -> Result<Again, String>;

/// Calls with the schema, version and functions of every message of the crate, in every version of the crate.
fn each(mut check: impl FnMut(&Message, i16, fn(i16) -> Option<Bytes>, Reread)) {
    for pair in PAIRS {
        let request = table().request(pair.api_key).expect("Kafka knows every request of the crate");
        let response = table().response(pair.api_key).expect("every request has a response");
        for version in pair.request_versions.min..=pair.request_versions.max {
            check(request, version, pair.default_request, pair.request_again);
        }
        for version in pair.response_versions.min..=pair.response_versions.max {
            check(response, version, pair.default_response, pair.response_again);
        }
    }
}

#[test]
fn every_version_of_the_crate_is_in_the_table() {
    each(|message, version, _, _| assert!(message.versions.contains(version), "{} {version}", message.name));
    let known: Vec<i16> = PAIRS.iter().map(|pair| pair.api_key).collect();
    let missing: Vec<i16> = table().api_keys().filter(|api_key| !known.contains(api_key)).collect();
    // Streams groups came after the version of Kafka that the crate was generated from.
    assert_eq!(missing, [88, 89], "requests that the crate lacks");
}

#[test]
fn every_default_is_walked_to_its_last_byte() {
    let mut encoded = 0;
    each(|message, version, default, _| {
        let Some(bytes) = default(version) else {
            return;
        };
        encoded += 1;
        assert_eq!(walk(message, version, &bytes, &mut ()), Ok(bytes.len()), "{} {version}", message.name);
    });
    assert!(encoded > 500, "only {encoded} defaults could be encoded");
}

#[test]
fn what_the_table_writes_the_crate_reads_and_writes_again() {
    each(|message, version, _, again| {
        for filling in Filling::ALL {
            let bytes = fill(message, version, filling);
            let name = format!("{} {version} {filling:?}", message.name);
            assert_eq!(walk(message, version, &bytes, &mut ()), Ok(bytes.len()), "{name}");
            let expected = Again { consumed: bytes.len(), encoded: Some(bytes.clone().into()) };
            assert_eq!(again(&bytes, version), Ok(expected), "{name}");
        }
    });
}

#[test]
fn spans_cover_every_byte_once() {
    each(|message, version, _, _| {
        let bytes = fill(message, version, Filling::Full);
        let mut end = 0;
        for span in spans(message, version, &bytes).unwrap() {
            assert_eq!(span.bytes.start, end, "{} {version} {}", message.name, span.path);
            end = span.bytes.end;
        }
        assert_eq!(end, bytes.len(), "{} {version}", message.name);
    });
}

proptest! {
    /// A walk that ends elsewhere than the crate has checked another message than the one that is decoded.
    #[test]
    fn a_changed_message_ends_in_the_same_place_for_both(
        choice: Index,
        changes in vec((any::<Index>(), prop_oneof![any::<u8>(), 0_u8..4]), 1..6),
    ) {
        let pair = &PAIRS[choice.index(PAIRS.len())];
        let request = table().request(pair.api_key).expect("Kafka knows every request of the crate");
        for version in pair.request_versions.min..=pair.request_versions.max {
            let mut bytes = fill(request, version, Filling::Full);
            for (place, byte) in &changes {
                if !bytes.is_empty() {
                    let place = place.index(bytes.len());
                    bytes[place] = *byte;
                }
            }
            // The crate also refuses text that is not UTF-8, which the walk does not look at.
            if let Ok(walked) = walk(request, version, &bytes, &mut ())
                && let Ok(again) = (pair.request_again)(&bytes, version)
            {
                prop_assert_eq!(walked, again.consumed, "{} {}", request.name, version);
            }
        }
    }
}
