//! Where to resume: a little before the last event, since several events may share its moment.

use serde_json::Value;

/// How far an SSE id is rewound, in milliseconds. Its timestamp is that of the event and one more; to resume exactly there
/// could leave out events of the same millisecond. More would be too much: a connection that is cut before it has come
/// over what it was given again would never get on.
const SSE_MS: i64 = 1;

/// How much longer ago than the newest event a topic's first event may be that has not arrived, in milliseconds.
const UNSEEN_MS: i64 = 10_000;

/// How far a cursor is rewound when a program goes on where an earlier run ended, in microseconds; Jetstream's own advice.
const CURSOR_US: i64 = 2_000_000;

/// The id with its timestamps rewound; an id of another form as it is.
///
/// An id names the position in each topic of the stream, by time or by offset. An offset is exact and needs no rewinding;
/// but the offset -1 of a topic that has not delivered anything yet means its end, and what came there meanwhile would be
/// missed. So it is given a time a little before the newest event.
pub(crate) fn sse_id(id: &str) -> String {
    let Ok(Value::Array(mut positions)) = serde_json::from_str(id) else { return id.to_owned() };
    let newest_ms = positions.iter().filter_map(|position| position.get("timestamp")?.as_i64()).max();
    for position in &mut positions {
        let Some(position) = position.as_object_mut() else { continue };
        let timestamp_ms = position.get("timestamp").and_then(Value::as_i64);
        let rewound_ms = match position.get("offset").and_then(Value::as_i64) {
            Some(0..) => None,
            Some(_) => newest_ms.map(|newest_ms| newest_ms.saturating_sub(UNSEEN_MS)),
            None => timestamp_ms.map(|timestamp_ms| timestamp_ms.saturating_sub(SSE_MS)),
        };
        if let Some(rewound_ms) = rewound_ms {
            position.remove("offset");
            position.insert("timestamp".to_owned(), rewound_ms.max(0).into());
        }
    }
    Value::Array(positions).to_string()
}

/// Where a program begins that goes on where an earlier run ended: the other run may have read from another host.
pub(crate) fn earlier_cursor(time_us: &str) -> String {
    cursor(time_us, -CURSOR_US)
}

/// The time of an event, or one so much later.
pub(crate) fn cursor(time_us: &str, step_us: i64) -> String {
    let Ok(time_us) = time_us.parse::<i64>() else { return time_us.to_owned() };
    time_us.saturating_add(step_us).max(0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rewound_and_offsets_are_not() {
        let id = r#"[{"topic":"eqiad.r","partition":0,"timestamp":1763769600124},{"topic":"codfw.r","partition":0,"offset":-1},{"topic":"x","offset":7,"timestamp":5000}]"#;
        let rewound: Value = serde_json::from_str(&sse_id(id)).unwrap();
        let expected =
            id.replace("1763769600124", "1763769600123").replace(r#""offset":-1"#, r#""timestamp":1763769590124"#);
        assert_eq!(rewound, serde_json::from_str::<Value>(&expected).unwrap());
    }

    #[test]
    fn without_any_time_the_end_stays_the_end() {
        let id = r#"[{"offset":-1,"partition":0,"topic":"codfw.r"}]"#;
        assert_eq!(serde_json::from_str::<Value>(&sse_id(id)).unwrap(), serde_json::from_str::<Value>(id).unwrap());
    }

    #[test]
    fn ids_of_another_form_stay_as_they_are() {
        for id in ["", "17", "[1", "{\"timestamp\":5000}"] {
            assert_eq!(sse_id(id), id);
        }
    }

    #[test]
    fn a_cursor_goes_back_two_seconds_or_over_what_is_in_the_way() {
        assert_eq!(earlier_cursor("1763769600123456"), "1763769598123456");
        assert_eq!(cursor("1763769600123456", 1000), "1763769600124456");
        assert_eq!((earlier_cursor("5"), cursor("x", 0)), ("0".to_owned(), "x".to_owned()));
    }
}
