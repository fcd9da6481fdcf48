//! `-X KEY=VALUE`: settings of the client, under Kafka's names and those of librdkafka that people know from kcat.

use super::nearest::did_you_mean;

/// Sets one setting of a client from its text.
pub(crate) type Set<T> = fn(&mut T, &str) -> Result<(), String>;

/// A setting: its name, other names for it, and what it does to the client's settings.
pub(crate) type Property<T> = (&'static str, &'static [&'static str], Set<T>);

/// Reads assignments over the defaults; a sentence for what is not understood.
pub(crate) fn read<T>(mut settings: T, table: &[Property<T>], assignments: &[String]) -> anyhow::Result<T> {
    for assignment in assignments {
        let Some((key, value)) = assignment.split_once('=') else {
            anyhow::bail!("-X {assignment}: must be KEY=VALUE, as in {}=VALUE", table[0].0);
        };
        let (key, value) = (key.trim(), value.trim());
        let found = table.iter().find(|(name, others, _)| *name == key || others.contains(&key));
        let Some((_, _, set)) = found else {
            let names = || table.iter().map(|(name, _, _)| *name);
            let hint = match did_you_mean(key, names()) {
                none if none.is_empty() => format!("; there are {}", names().collect::<Vec<_>>().join(", ")),
                hint => hint,
            };
            anyhow::bail!("-X {key}: this command has no such setting{hint}");
        };
        set(&mut settings, value).map_err(|wanted| anyhow::anyhow!("-X {key}={value}: must be {wanted}"))?;
    }
    Ok(settings)
}

/// Puts a value in its place, if it is one.
pub(crate) fn set<V>(place: &mut V, value: Result<V, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

/// A whole number in a range.
pub(crate) fn number<N: TryFrom<i64>>(text: &str, from: i64, to: i64) -> Result<N, String> {
    let number = text.parse::<i64>().ok().filter(|number| (from..=to).contains(number));
    let wanted = || match to {
        i64::MAX => format!("a whole number of at least {from}"),
        _ => format!("a whole number from {from} to {to}"),
    };
    number.and_then(|number| N::try_from(number).ok()).ok_or_else(wanted)
}
