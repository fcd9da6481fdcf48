//! "Did you mean …?"

/// How alike two names must be for one to be offered instead of the other; 1 is equal.
const LIKENESS: f64 = 0.7;

/// The candidate most like a name, if any is alike.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = name.to_lowercase().replace(['_', '-'], ".");
    let likeness = |candidate: &str| {
        strsim::normalized_damerau_levenshtein(&plain, &candidate.to_lowercase().replace(['_', '-'], "."))
    };
    candidates
        .into_iter()
        .map(|candidate| (likeness(candidate), candidate))
        .filter(|(alike, _)| *alike >= LIKENESS)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

/// The same as the end of a sentence; empty where nothing is alike.
pub(crate) fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |candidate| format!("; did you mean {candidate}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name() {
        let names = ["greetings", "orders"];
        assert_eq!(nearest("greeting", names), Some("greetings"));
        assert_eq!(nearest("Orders", names), Some("orders"));
        assert_eq!(nearest("payments", names), None);
        assert_eq!(did_you_mean("ordrs", names), "; did you mean orders?");
    }
}
