//! Names that are not names: as much of a text as a sentence may repeat.

/// The beginning of a text, at most so many bytes of it, cut between two characters.
pub fn brief(text: &str, most_bytes: usize) -> &str {
    let end = (0..=most_bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!((brief("name", 9), brief("name", 4), brief("name", 3), brief("", 3)), ("name", "name", "nam", ""));
        assert_eq!((brief("naïve", 3), brief("naïve", 4), brief("ï", 1)), ("na", "naï", ""));
    }
}
