//! The life of fetch sessions, without sockets and files.

use super::*;

const NOW: TimestampMs = 1_000_000;

fn key(index: i32) -> PartitionKey {
    PartitionKey { topic: TopicKey::Name("t".into()), index }
}

fn wanted(indexes: &[i32]) -> Vec<Wanted> {
    let want = |&index: &i32| Wanted {
        key: key(index),
        fetch_offset: 0,
        max_bytes: 100,
        current_leader_epoch: -1,
        last_fetched_epoch: -1,
    };
    indexes.iter().map(want).collect()
}

/// What every partition answers: this high watermark, and records or none.
fn answers(wanted: &[Wanted], high_watermark: i64, records: u32) -> Vec<(PartitionKey, PartitionAnswer)> {
    let answer = |one: &Wanted| (one.key.clone(), PartitionAnswer::for_tests(one.key.index, high_watermark, records));
    wanted.iter().map(answer).collect()
}

/// A full fetch that wants a session.
fn open_session(sessions: &FetchSessions, indexes: &[i32], now_ms: TimestampMs) -> i32 {
    let (plan, wanted) = sessions.open(0, 0, false, wanted(indexes), &[], now_ms).expect("a full fetch");
    sessions.close(plan, &wanted, &mut answers(&wanted, 5, 0), now_ms).expect("an id or none")
}

/// The partitions that an incremental fetch reads, and those that it tells of.
fn go_on(sessions: &FetchSessions, id: i32, epoch: i32, high_watermark: i64, records: u32) -> (Vec<i32>, Vec<i32>) {
    let (plan, read) = sessions.open(id, epoch, false, Vec::new(), &[], NOW).expect("the session is known");
    let mut told = answers(&read, high_watermark, records);
    assert_eq!(sessions.close(plan, &read, &mut told, NOW), Ok(id));
    (read.iter().map(|one| one.key.index).collect(), told.iter().map(|(key, _)| key.index).collect())
}

#[test]
fn a_session_tells_only_what_has_changed() {
    let sessions = FetchSessions::new(10);
    let id = open_session(&sessions, &[0, 1], NOW);
    assert!(id > 0);
    assert_eq!(go_on(&sessions, id, 1, 5, 0), (vec![0, 1], vec![]));
    assert_eq!(go_on(&sessions, id, 2, 6, 0), (vec![0, 1], vec![0, 1]));
    assert_eq!(go_on(&sessions, id, 3, 6, 0), (vec![0, 1], vec![]));
    // Records are told again and again until the client asks for later ones.
    assert_eq!(go_on(&sessions, id, 4, 6, 9), (vec![0, 1], vec![0, 1]));
}

#[test]
fn an_error_is_told_each_time_and_so_is_its_end() {
    let sessions = FetchSessions::new(10);
    let id = open_session(&sessions, &[0], NOW);
    for epoch in 1..3 {
        let (plan, read) = sessions.open(id, epoch, false, Vec::new(), &[], NOW).expect("known");
        let mut told = vec![(key(0), PartitionAnswer::failed(0, ResponseError::OffsetOutOfRange))];
        sessions.close(plan, &read, &mut told, NOW).expect("known");
        assert_eq!(told.len(), 1, "epoch {epoch}");
    }
    assert_eq!(go_on(&sessions, id, 3, 5, 0).1, [0]);
}

#[test]
fn who_returned_records_goes_to_the_end_of_the_queue() {
    let sessions = FetchSessions::new(10);
    let id = open_session(&sessions, &[0, 1, 2], NOW);
    let (plan, read) = sessions.open(id, 1, false, Vec::new(), &[], NOW).expect("known");
    let mut told = answers(&read, 5, 0);
    told[0].1 = PartitionAnswer::for_tests(0, 5, 9);
    sessions.close(plan, &read, &mut told, NOW).expect("known");
    assert_eq!(go_on(&sessions, id, 2, 5, 0).0, [1, 2, 0]);
}

#[test]
fn partitions_come_and_go() {
    let sessions = FetchSessions::new(10);
    let id = open_session(&sessions, &[0, 1], NOW);
    let (plan, read) = sessions.open(id, 1, false, wanted(&[2]), &[key(0)], NOW).expect("known");
    assert_eq!(read.iter().map(|one| one.key.index).collect::<Vec<_>>(), [1, 2]);
    sessions.close(plan, &read, &mut answers(&read, 5, 0), NOW).expect("known");
    // With its last partition a session ends.
    let (plan, read) = sessions.open(id, 2, false, Vec::new(), &[key(1), key(2)], NOW).expect("known");
    assert_eq!((plan, read.len()), (Plan::Sessionless, 0));
    assert_eq!(refusal(&sessions, id, 3, false), ResponseError::FetchSessionIdNotFound);
}

fn refusal(sessions: &FetchSessions, id: i32, epoch: i32, by_id: bool) -> ResponseError {
    sessions.open(id, epoch, by_id, Vec::new(), &[], NOW).expect_err("refused")
}

#[test]
fn unknown_sessions_wrong_epochs_and_mixed_ids_are_refused() {
    let sessions = FetchSessions::new(10);
    let id = open_session(&sessions, &[0], NOW);
    assert_eq!(refusal(&sessions, id + 1, 1, false), ResponseError::FetchSessionIdNotFound);
    assert_eq!(refusal(&sessions, id, 2, false), ResponseError::InvalidFetchSessionEpoch);
    assert_eq!(refusal(&sessions, id, 1, true), ResponseError::FetchSessionTopicIdError);
    go_on(&sessions, id, 1, 5, 0);
    assert_eq!(refusal(&sessions, id, 1, false), ResponseError::InvalidFetchSessionEpoch);
}

#[test]
fn a_full_fetch_ends_the_session_that_it_names() {
    let sessions = FetchSessions::new(10);
    for epoch in [FINAL_EPOCH, INITIAL_EPOCH] {
        let id = open_session(&sessions, &[0], NOW);
        sessions.open(id, epoch, false, wanted(&[0]), &[], NOW).expect("a full fetch");
        assert_eq!(refusal(&sessions, id, 1, false), ResponseError::FetchSessionIdNotFound);
    }
}

#[test]
fn an_answer_to_an_overtaken_request_is_an_error() {
    let sessions = FetchSessions::new(10);
    let id = open_session(&sessions, &[0], NOW);
    let (slow, read) = sessions.open(id, 1, false, Vec::new(), &[], NOW).expect("known");
    go_on(&sessions, id, 2, 5, 0);
    let closed = sessions.close(slow, &read, &mut answers(&read, 5, 0), NOW);
    assert_eq!(closed, Err((ResponseError::InvalidFetchSessionEpoch, id)));
}

#[test]
fn a_full_cache_makes_room_by_kafkas_rules() {
    let sessions = FetchSessions::new(2);
    let small = open_session(&sessions, &[0], NOW);
    let large = open_session(&sessions, &[0, 1, 2], NOW);
    assert_eq!(open_session(&sessions, &[0, 1, 2, 3], NOW), NO_SESSION, "both are too young to go");
    let later = NOW + EVICTION_MS + 1;
    for (id, epoch) in [(small, 1), (large, 1)] {
        sessions.open(id, epoch, false, Vec::new(), &[], later).expect("both are in use");
    }
    assert_eq!(open_session(&sessions, &[0], later), NO_SESSION, "it is not larger than the smallest");
    let larger = open_session(&sessions, &[0, 1], later);
    assert!(larger > 0, "it is larger than the smallest");
    assert_eq!(refusal(&sessions, small, 2, false), ResponseError::FetchSessionIdNotFound);
    let much_later = later + EVICTION_MS + 1;
    assert!(open_session(&sessions, &[], much_later) > 0, "one that is not used makes room for any");
    assert_eq!(refusal(&sessions, large, 2, false), ResponseError::FetchSessionIdNotFound);
}

#[test]
fn what_all_sessions_remember_is_bounded() {
    let sessions = FetchSessions { largest_total: 3, ..FetchSessions::new(10) };
    assert!(open_session(&sessions, &[0, 1], NOW) > 0);
    assert_eq!(open_session(&sessions, &[0, 1], NOW), NO_SESSION);
    let id = open_session(&sessions, &[0], NOW);
    let grown = sessions.open(id, 1, false, wanted(&[5, 6]), &[], NOW);
    assert_eq!(grown.expect_err("refused"), ResponseError::FetchSessionIdNotFound);
}

#[test]
fn the_epoch_after_the_largest_is_1() {
    assert_eq!(next_epoch(0), 1);
    assert_eq!(next_epoch(i32::MAX), 1);
}

#[test]
fn a_partition_listed_twice_keeps_its_first_place_and_its_last_wish() {
    let mut twice = wanted(&[0, 1, 0]);
    twice[2].fetch_offset = 7;
    merge_repeated(&mut twice);
    let plain: Vec<_> = twice.iter().map(|one| (one.key.index, one.fetch_offset)).collect();
    assert_eq!(plain, [(0, 7), (1, 0)]);
}

#[test]
fn names_that_no_topic_can_have_are_not_kept() {
    let sessions = FetchSessions::new(10);
    let named = |length| {
        let mut wanted = wanted(&[0]);
        wanted[0].key.topic = TopicKey::Name("x".repeat(length).into());
        wanted
    };
    let plan = |length| sessions.open(0, 0, false, named(length), &[], NOW).expect("a full fetch").0;
    assert_eq!(plan(249), Plan::Create { by_id: false });
    assert_eq!(plan(250), Plan::Sessionless);
    let id = open_session(&sessions, &[0], NOW);
    let grown = sessions.open(id, 1, false, named(250), &[], NOW);
    assert_eq!(grown.expect_err("too long"), ResponseError::FetchSessionIdNotFound);
    assert_eq!(sessions.lock().total, 0);
}
