//! Where to resume: a little before the last event, since several events may share its moment.

use serde_json::Value;

/// How far an SSE id is rewound, in milliseconds. Its timestamp is that of the event and one more; to resume exactly there
/// could leave out events of the same millisecond.
pub(crate) const SSE_MS: i64 = 1000;

/// How far a cursor is rewound, in microseconds; Jetstream's own advice is a few seconds.
pub(crate) const CURSOR_US: i64 = 2_000_000;

/// The id with its timestamps rewound; an id of another form as it is.
///
/// An id names the position in each topic of the stream, by time or by offset. An offset is exact and needs no rewinding.
pub(crate) fn sse_id(id: &str) -> String {
    let Ok(Value::Array(mut positions)) = serde_json::from_str(id) else { return id.to_owned() };
    for position in &mut positions {
        let has_offset = position.get("offset").and_then(Value::as_i64).is_some_and(|offset| offset >= 0);
        let Some(timestamp) = position.get_mut("timestamp").filter(|_| !has_offset) else { continue };
        if let Some(timestamp_ms) = timestamp.as_i64() {
            *timestamp = timestamp_ms.saturating_sub(SSE_MS).max(0).into();
        }
    }
    Value::Array(positions).to_string()
}

/// The time of an event, rewound; or that much later, if a step is given.
pub(crate) fn cursor(time_us: &str, step_us: i64) -> String {
    let Ok(time_us) = time_us.parse::<i64>() else { return time_us.to_owned() };
    match step_us {
        0 => time_us.saturating_sub(CURSOR_US).max(0).to_string(),
        _ => time_us.saturating_add(step_us).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rewound_and_offsets_are_not() {
        let id = r#"[{"topic":"eqiad.r","partition":0,"timestamp":1763769600124},{"topic":"codfw.r","partition":0,"offset":-1},{"topic":"x","offset":7,"timestamp":5000}]"#;
        let rewound: Value = serde_json::from_str(&sse_id(id)).unwrap();
        let expected = id.replace("1763769600124", "1763769599124");
        assert_eq!(rewound, serde_json::from_str::<Value>(&expected).unwrap());
    }

    #[test]
    fn ids_of_another_form_stay_as_they_are() {
        for id in ["", "17", "[1", "{\"timestamp\":5000}"] {
            assert_eq!(sse_id(id), id);
        }
    }

    #[test]
    fn a_cursor_goes_back_two_seconds_or_over_what_is_in_the_way() {
        assert_eq!(cursor("1763769600123456", 0), "1763769598123456");
        assert_eq!(cursor("1763769600123456", 1000), "1763769600124456");
        assert_eq!((cursor("5", 0), cursor("x", 0)), ("0".to_owned(), "x".to_owned()));
    }
}
