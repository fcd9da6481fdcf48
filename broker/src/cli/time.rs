//! Times as people write them.

use cutaway::clock::{self, TimestampMs};

/// Milliseconds since 1970, or a time as RFC 3339 writes it; the time of day may be missing, and without an offset it
/// is UTC.
pub(crate) fn parse(text: &str) -> Option<TimestampMs> {
    if let Ok(ms) = text.parse::<i64>() {
        return (ms >= 0).then_some(ms);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let midnight_ms = midnight_ms(date)?;
    let time = match rest.strip_prefix(['T', 't', ' ']) {
        Some(time) => time,
        None if rest.is_empty() => "00:00",
        None => return None,
    };
    let (time, offset_minutes) = split_offset(time)?;
    let ms_of_day = ms_of_day(time)?;
    Some(midnight_ms + ms_of_day - offset_minutes * 60 * 1000)
}

/// The first moment of `YYYY-MM-DD`.
fn midnight_ms(date: &str) -> Option<TimestampMs> {
    let mut parts = date.split('-');
    let (year, month, day) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    clock::midnight_ms(year, month, day)
}

/// The time of day, and how many minutes it is ahead of UTC.
fn split_offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(place) = time.rfind(['+', '-']) else { return Some((time, 0)) };
    let (time, offset) = time.split_at(place);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some((time, sign * (60 * hours + minutes)))
}

fn ms_of_day(time: &str) -> Option<i64> {
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let mut parts = time.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let ms: i64 = is_number.then(|| format!("{fraction:0<3}"))?.get(..3)?.parse().ok()?;
    let is_time = parts.next().is_none() && hour < 24 && minute < 60 && second < 61;
    is_time.then_some(((hour * 60 + minute) * 60 + second) * 1000 + ms)
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use cutaway::clock::rfc3339;

    use super::*;

    #[test]
    fn what_the_clock_writes_is_read() {
        for ms in [0, 951_782_400_000, 1_709_251_199_999, 1_795_671_825_839, -62_135_596_800_000] {
            assert_eq!(parse(&rfc3339(ms)), Some(ms));
        }
    }

    #[test]
    fn times_may_be_short_or_of_another_zone() {
        for (text, same) in [
            ("2026-11-23", "2026-11-23T00:00:00.000Z"),
            ("2026-11-23 14:05", "2026-11-23T14:05:00.000Z"),
            ("2026-11-23T14:05:53.5+02:00", "2026-11-23T12:05:53.500Z"),
            ("2026-11-23t14:05:53-01:30", "2026-11-23T15:35:53.000Z"),
        ] {
            assert_eq!(parse(text).map(rfc3339).as_deref(), Some(same), "{text}");
        }
        assert_eq!(parse("1700000000000"), Some(1_700_000_000_000));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "-1",
            "yesterday",
            "2026-13-01",
            "2026-02-29",
            "2026-11-23T25:00",
            "2026-11-23T1:5",
            "2026-1-1",
            "2026-11-23T14:05:53.",
            "2026-11-23T14:05+2",
            "2026-11-23X",
            "2026-11-2é",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
