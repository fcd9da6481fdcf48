//! Valid requests, cut short at every byte, and changed at random.

use anyhow::ensure;
use cutaway_tests::batches::Batch;
use cutaway_tests::chance::Chance;
use cutaway_tests::client::{encode, produce_request};
use cutaway_tests::raw_client::{Reply, frame};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{
    ApiVersionsRequest, CreateTopicsRequest, DeleteTopicsRequest, FetchRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, TopicName,
};
use kafka_protocol::protocol::{Request, StrBytes};

use super::{SLACK_KIB, Siege, TOPIC};

/// What decoding and answering thousands of odd requests may leave in the allocator's pools.
const ODDITIES_KIB: u64 = 32 * 1024;

/// How many requests are changed at random.
const MUTATIONS: usize = 4000;

#[test]
fn a_request_cut_short_at_any_byte_is_answered_or_closes_its_connection() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    for request in requests()? {
        for length in 0..request.len() {
            let mut attacker = siege.attacker()?;
            attacker.send_frame(&request[..length])?;
            let reply = attacker.receive_answer_to(1, 18, 0);
            // Where the rest may be missing, as for versions that nobody decodes, there is an answer.
            ensure!(!matches!(reply, Ok(Reply::Silent)), "{:x?} cut to {length} bytes: silence", &request[..8]);
        }
        siege.serve_once()?;
    }
    siege.endures(SLACK_KIB + ODDITIES_KIB)
}

#[test]
fn a_client_that_leaves_in_the_middle_of_any_request_is_forgotten() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    for request in requests()? {
        let size = i32::try_from(request.len())?.to_be_bytes();
        for length in 0..request.len() {
            let mut attacker = siege.attacker()?;
            attacker.send_bytes(&[&size, &request[..length]].concat());
        }
        siege.serve_once()?;
    }
    siege.endures(SLACK_KIB + ODDITIES_KIB)
}

#[test]
fn requests_changed_at_random_end_at_most_their_own_connection() -> anyhow::Result<()> {
    let seed = Chance::seed(0x6d75_7461_7465);
    eprintln!("CUTAWAY_SEED={seed}");
    let mut chance = Chance::new(seed);
    let mut siege = Siege::begin()?;
    let requests = requests()?;
    for round in 0..MUTATIONS {
        let request = mutated(&mut chance, &requests);
        let mut attacker = siege.attacker()?;
        attacker.send_frame(&request)?;
        // There may be no answer (acks=0), or an odd one; but there is an end.
        attacker.take_leave().map_err(|error| error.context(format!("round {round}: {request:x?}")))?;
        if round % 100 == 0 {
            siege.serve_once().map_err(|error| error.context(format!("round {round}, seed {seed}")))?;
        }
    }
    let panics = siege.broker.log().lines().filter(|line| line.contains("panicked")).count();
    ensure!(panics == 0, "{panics} lines in the log speak of panics");
    siege.endures(SLACK_KIB + ODDITIES_KIB)
}

/// One of the requests, with some bytes set, flipped, doubled, taken out or replaced by what numbers often are.
fn mutated(chance: &mut Chance, requests: &[Vec<u8>]) -> Vec<u8> {
    const FAVOURITES: [&[u8]; 7] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff],
        &[0x80, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff; 10],
        &[0, 0, 0, 0],
        &[0x7f, 0xff],
    ];
    let mut request = chance.pick(requests).clone();
    for _ in 0..=chance.below(3) {
        let at = chance.below(request.len());
        match chance.below(6) {
            0 => request[at] ^= 1 << chance.below(8),
            1 => request[at] = chance.number() as u8,
            2 => drop(request.splice(at..at, chance.pick(&FAVOURITES).iter().copied())),
            3 => {
                let favourite = *chance.pick(&FAVOURITES);
                let end = (at + favourite.len()).min(request.len());
                request[at..end].copy_from_slice(&favourite[..end - at]);
            }
            4 => drop(request.drain(at..(at + 1 + chance.below(8)).min(request.len()))),
            _ => {
                let end = (at + 1 + chance.below(32)).min(request.len());
                let again = request[at..end].to_vec();
                drop(request.splice(at..at, again));
            }
        }
        if request.is_empty() {
            request.push(0);
        }
    }
    request
}

/// One valid request of each API that is advertised, in its oldest and its newest version.
fn requests() -> anyhow::Result<Vec<Vec<u8>>> {
    let batch = Batch::of_producer(7, 0, 0).bytes();
    let partition = FetchPartition::default().with_partition_max_bytes(1000).with_fetch_offset(3);
    let fetch = |topic: FetchTopic| {
        let topic = topic.with_partitions(vec![partition.clone()]);
        FetchRequest::default().with_max_bytes(1000).with_topics(vec![topic])
    };
    let offsets = ListOffsetsPartition::default().with_timestamp(-1);
    let offsets = ListOffsetsTopic::default().with_name(name(TOPIC)).with_partitions(vec![offsets]);
    let offsets = ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![offsets]);
    let asked = MetadataRequestTopic::default().with_name(Some(name(TOPIC)));
    let metadata = MetadataRequest::default().with_topics(Some(vec![asked]));
    let config = CreatableTopicConfig::default().with_name(text("retention.ms")).with_value(Some(text("9")));
    let created = CreatableTopic::default().with_name(name("m")).with_num_partitions(1).with_replication_factor(1);
    let create = CreateTopicsRequest::default().with_topics(vec![created.with_configs(vec![config])]);
    let create = create.with_validate_only(true);
    let deleted = DeleteTopicState::default().with_name(Some(name("nowhere")));
    let delete = DeleteTopicsRequest::default();
    let software =
        ApiVersionsRequest::default().with_client_software_name(text("a")).with_client_software_version(text("1"));
    let anonymous = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1000);
    Ok(vec![
        whole(3, &produce_request(TOPIC, 0, batch.clone()))?,
        whole(12, &produce_request(TOPIC, 0, batch))?,
        whole(4, &fetch(FetchTopic::default().with_topic(name(TOPIC))))?,
        whole(17, &fetch(FetchTopic::default().with_topic_id("7".repeat(32).parse()?)))?,
        whole(1, &offsets)?,
        whole(10, &offsets)?,
        whole(0, &metadata)?,
        whole(13, &metadata)?,
        whole(0, &ApiVersionsRequest::default())?,
        whole(4, &software)?,
        whole(2, &create)?,
        whole(7, &create)?,
        whole(1, &delete.clone().with_topic_names(vec![name("nowhere")]))?,
        whole(6, &delete.with_topics(vec![deleted]))?,
        whole(0, &anonymous)?,
        whole(5, &anonymous)?,
    ])
}

fn whole<R: Request>(version: i16, request: &R) -> anyhow::Result<Vec<u8>> {
    Ok(frame(R::KEY, version, 1, &encode(version, request)?))
}

fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
