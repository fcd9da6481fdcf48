//! Bytes that mean harm, and what becomes of them: every one is refused where it lies, none brings the walk down.

use proptest::collection::vec;
use proptest::prelude::*;

use super::fill::{Filling, fill};
use super::{MAX_ELEMENTS, Message, Why, check_header, check_request, spans, table, walk};

/// Every request and response of Kafka in every version.
fn each(mut check: impl FnMut(&'static Message, i16)) {
    for api_key in table().api_keys() {
        let (request, response) = (table().request(api_key).unwrap(), table().response(api_key).unwrap());
        for message in [request, response] {
            (message.versions.lowest..=message.versions.highest).for_each(|version| check(message, version));
        }
    }
}

#[test]
fn a_message_that_ends_early_is_refused_wherever_it_ends() {
    each(|message, version| {
        let bytes = fill(message, version, Filling::Full);
        for end in 0..bytes.len() {
            assert!(walk(message, version, &bytes[..end], &mut ()).is_err(), "{} {version} cut at {end}", message.name);
        }
    });
}

#[test]
fn a_count_that_lies_is_refused_at_every_array_and_tag_section() {
    let mut lies = 0;
    each(|message, version| {
        let bytes = fill(message, version, Filling::Full);
        for span in spans(message, version, &bytes).unwrap() {
            if span.role != "count" {
                continue;
            }
            let more_than_left = (bytes.len() + 1) as u8 | 0x80;
            let counts: [&[u8]; 2] = match span.bytes.len() {
                4 => [&i32::MAX.to_be_bytes(), &[0, 0, 0x40, 0]],
                _ => [&[0xff, 0xff, 0xff, 0xff, 0x07], &[more_than_left, 0x7f]],
            };
            for count in counts {
                let lie = [&bytes[..span.bytes.start], count, &bytes[span.bytes.end..]].concat();
                let refusal = walk(message, version, &lie, &mut ()).unwrap_err();
                assert_eq!((refusal.position, &refusal.field), (span.bytes.start, &span.path), "{}", message.name);
                assert!(matches!(refusal.why, Why::Crowded { .. }), "{} {version}: {refusal}", message.name);
                lies += 1;
            }
        }
    });
    assert!(lies > 1000, "only {lies} counts were falsified");
}

/// The reproducers of the decoder's flaw: the first asked for 154 GB, the second for 309 GB.
#[test]
fn six_bytes_cannot_ask_for_154_gigabytes() {
    let refusal = check_request(3, 0, &[0x7f, 0xff, 0xff, 0xff]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "topics, at byte 0, claims 2147483647 elements of at least 2 bytes each, but only 0 bytes are left"
    );
    let refusal = check_request(3, 12, &[0xff, 0xff, 0xff, 0xff, 0x0f]).unwrap_err();
    assert_eq!(refusal.why, Why::Crowded { count: 0xffff_fffe, smallest: 18, left: 0 });
}

#[test]
fn a_count_is_held_against_the_smallest_elements() {
    // Metadata 0: three empty names take six bytes.
    assert_eq!(check_request(3, 0, &[0, 0, 0, 3, 0, 0, 0, 0, 0, 0]), Ok(()));
    let refusal = check_request(3, 0, &[0, 0, 0, 3, 0, 0, 0, 0, 0]).unwrap_err();
    assert_eq!(refusal.why, Why::Crowded { count: 3, smallest: 2, left: 5 });
    // Fetch 11 takes 6 bytes for a topic: its name and its count of partitions.
    let refusal = check_request(1, 11, &[&[0; 25][..], &[0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]].concat()).unwrap_err();
    assert_eq!(refusal.why, Why::Crowded { count: 2, smallest: 6, left: 7 });
}

#[test]
fn no_request_has_more_elements_than_the_limit() {
    let names = |count: usize| [&(count as u32).to_be_bytes()[..], &vec![0; 2 * count]].concat();
    assert_eq!(check_request(3, 0, &names(MAX_ELEMENTS)), Ok(()));
    let why = check_request(3, 0, &names(MAX_ELEMENTS + 1)).unwrap_err().why;
    assert_eq!(why, Why::TooManyElements { limit: MAX_ELEMENTS });

    // DeleteRecords 0: 400 topics of 251 partitions each are more together, though no array is.
    let partitions = [&[0, 0][..], &251_u32.to_be_bytes(), &[0; 251 * 12]].concat();
    let topics = [&400_u32.to_be_bytes()[..], &partitions.repeat(400), &[0; 4]].concat();
    let refusal = check_request(21, 0, &topics).unwrap_err();
    assert_eq!(refusal.why, Why::TooManyElements { limit: MAX_ELEMENTS });
    assert_eq!(refusal.field, "topics[396].partitions");

    // Tagged fields that nobody knows are kept by the decoder, so they count too.
    let heartbeat = [&[1, 0, 0, 0, 0, 1, 0][..], &[0xc1, 0x9a, 0x0c], &[9, 0].repeat(200_001)].concat();
    assert_eq!(check_request(12, 4, &heartbeat).unwrap_err().why, Why::TooManyElements { limit: MAX_ELEMENTS });
}

#[test]
fn every_kind_of_lie_has_its_name() {
    let why = |api_key, version, body: &[u8]| check_request(api_key, version, body).unwrap_err().why;
    // SaslHandshake 1 is one string.
    assert_eq!(why(17, 1, b"\0\x09PLAIN"), Why::Cut { needed: 9, left: 5 });
    assert_eq!(why(17, 1, b"\xff\xff"), Why::Null);
    assert_eq!(why(17, 1, b"\xff\xfe"), Why::NegativeLength(-2));
    assert_eq!(why(17, 2, b"\0\x05PLAIN"), Why::UnknownRequest { api_key: 17, version: 2 });
    assert_eq!(why(999, 0, b""), Why::UnknownRequest { api_key: 999, version: 0 });
    // FindCoordinator 3 begins with a compact string.
    assert_eq!(why(10, 3, &[0x80, 0x80, 0x80, 0x80, 0x10]), Why::LongVarint);
    assert_eq!(why(10, 3, &[&[0x81, 0x80, 0x02][..], &[b'a'; 40000]].concat()), Why::LongString(32768));
    // ListGroups 4 holds only an array of strings; the tag section comes last.
    assert_eq!(check_request(16, 4, &[1, 1, 7, 2, 0, 0]), Ok(()));
    assert_eq!(why(16, 4, &[1, 1, 7, 3, 0, 0]), Why::Cut { needed: 3, left: 2 });
    // The cursor of DescribeTopicPartitions may be null.
    assert_eq!(check_request(75, 0, &[1, 0, 0, 0, 9, 0xff, 0]), Ok(()));
    assert_eq!(why(75, 0, &[1, 0, 0, 0, 9, 0x02, 0]), Why::Presence(2));
}

#[test]
fn a_tagged_field_must_take_the_bytes_that_it_says() {
    // Fetch 12 without topics; its tag section holds tag 0, the cluster id, a compact string.
    let fetch = |tags: &[u8]| [&[0; 17][..], &[0; 8], &[1, 1, 1], tags].concat();
    assert_eq!(check_request(1, 12, &fetch(&[0])), Ok(()));
    assert_eq!(check_request(1, 12, &fetch(&[1, 0, 3, 3, b'i', b'd'])), Ok(()));
    let refusal = check_request(1, 12, &fetch(&[1, 0, 2, 3, b'i', b'd'])).unwrap_err();
    assert_eq!((refusal.field.as_str(), refusal.why), ("clusterId", Why::TagSize { declared: 2, used: 3 }));
    let refusal = check_request(1, 12, &fetch(&[1, 0, 4, 3, b'i', b'd', 0])).unwrap_err();
    assert_eq!(refusal.why, Why::TagSize { declared: 4, used: 3 });
    // Tag 1, the replica's state, came with version 15.
    let refusal = check_request(1, 12, &fetch(&[1, 1, 1, 0])).unwrap_err();
    assert_eq!((refusal.field.as_str(), refusal.why), ("tags", Why::TagOfAnotherVersion(1)));
}

#[test]
fn bytes_after_a_request_do_not_matter() {
    assert_eq!(check_request(18, 0, b"trailing"), Ok(()));
    assert_eq!(check_request(17, 1, b"\0\x05PLAINtrailing"), Ok(()));
}

proptest! {
    #[test]
    fn mutated_messages_bring_nothing_down(
        choice: prop::sample::Index,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let api_keys: Vec<i16> = table().api_keys().collect();
        let api_key = api_keys[choice.index(api_keys.len())];
        let request = table().request(api_key).unwrap();
        for version in request.versions.lowest..=request.versions.highest {
            let mut bytes = fill(request, version, Filling::Full);
            for (place, byte) in &changes {
                if !bytes.is_empty() {
                    let place = place.index(bytes.len());
                    bytes[place] = *byte;
                }
            }
            if let Ok(consumed) = walk(request, version, &bytes, &mut ()) {
                prop_assert!(consumed <= bytes.len());
            }
        }
    }

    #[test]
    fn arbitrary_frames_bring_nothing_down(mut frame in vec(any::<u8>(), 0..200), api_key in 0_i16..95, version in -1_i16..20) {
        let _ = check_request(api_key, version, &frame);
        let _ = check_header(&frame);
        if frame.len() >= 4 {
            frame[..2].copy_from_slice(&api_key.to_be_bytes());
            frame[2..4].copy_from_slice(&version.to_be_bytes());
            if let Ok(header) = check_header(&frame) {
                prop_assert!(header.body_position.is_none_or(|position| position <= frame.len()));
            }
        }
    }
}
