//! The wikis that are edited, and how much.

use crate::chance::Chance;

/// One wiki.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wiki {
    /// Its database's name.
    pub(super) database: &'static str,
    /// Its host.
    pub(super) host: &'static str,
    /// The language that its pages are written in.
    pub(super) language: &'static str,
    /// Its share of all edits, of 1000.
    share: u64,
}

const fn wiki(database: &'static str, host: &'static str, language: &'static str, share: u64) -> Wiki {
    Wiki { database, host, language, share }
}

/// The shares of the three biggest are measured; the others divide the rest.
static WIKIS: [Wiki; 18] = [
    wiki("commonswiki", "commons.wikimedia.org", "en", 470),
    wiki("wikidatawiki", "www.wikidata.org", "en", 130),
    wiki("enwiki", "en.wikipedia.org", "en", 120),
    wiki("dewiki", "de.wikipedia.org", "de", 35),
    wiki("frwiki", "fr.wikipedia.org", "fr", 35),
    wiki("ruwiki", "ru.wikipedia.org", "ru", 30),
    wiki("jawiki", "ja.wikipedia.org", "ja", 25),
    wiki("eswiki", "es.wikipedia.org", "es", 25),
    wiki("zhwiki", "zh.wikipedia.org", "zh", 20),
    wiki("arwiki", "ar.wikipedia.org", "ar", 20),
    wiki("ptwiki", "pt.wikipedia.org", "pt", 15),
    wiki("viwiki", "vi.wikipedia.org", "vi", 15),
    wiki("hewiki", "he.wikipedia.org", "he", 12),
    wiki("kowiki", "ko.wikipedia.org", "ko", 12),
    wiki("elwiki", "el.wikipedia.org", "el", 10),
    wiki("hiwiki", "hi.wikipedia.org", "hi", 10),
    wiki("thwiki", "th.wikipedia.org", "th", 10),
    wiki("enwiktionary", "en.wiktionary.org", "en", 6),
];

/// One of them, by its share.
pub(super) fn choose(chance: &mut Chance) -> Wiki {
    let mut left = chance.below(1000);
    for wiki in WIKIS {
        if left < wiki.share {
            return wiki;
        }
        left -= wiki.share;
    }
    WIKIS[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_of_1000() {
        assert_eq!(WIKIS.iter().map(|wiki| wiki.share).sum::<u64>(), 1000);
    }
}
