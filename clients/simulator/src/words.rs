//! Text that nobody wrote: words made of syllables, in several scripts.

use crate::chance::Chance;

/// How the people of one language write, made up of syllables of theirs.
#[derive(Debug)]
pub(crate) struct Script {
    /// The language's code.
    pub(crate) language: &'static str,
    syllables: &'static [&'static str],
    /// What stands between words.
    space: &'static str,
}

/// Latin letters, as in English.
pub(crate) static ENGLISH: Script = Script {
    language: "en",
    syllables: &[
        "ba", "con", "der", "el", "fin", "gar", "ho", "in", "ka", "lo", "mer", "no", "or", "pel", "qui", "ran", "sto",
        "ta", "ver", "wil",
    ],
    space: " ",
};

/// Latin letters with marks.
static GERMAN: Script = Script {
    language: "de",
    syllables: &[
        "an", "bär", "chen", "dorf", "ei", "für", "ge", "heim", "kö", "lich", "mü", "nau", "öl", "rich", "stra", "ße",
        "tal", "un", "wald", "zeu",
    ],
    space: " ",
};

static FRENCH: Script = Script {
    language: "fr",
    syllables: &[
        "à", "beau", "ché", "du", "être", "feu", "gnon", "île", "jou", "lè", "mont", "né", "où", "pré", "que", "ré",
        "sou", "tré", "vi", "ço",
    ],
    space: " ",
};

static SPANISH: Script = Script {
    language: "es",
    syllables: &[
        "al", "ba", "cor", "dé", "es", "fé", "gua", "hi", "jó", "llo", "ma", "ñi", "or", "pue", "qui", "rrí", "san",
        "tú", "va", "zón",
    ],
    space: " ",
};

static PORTUGUESE: Script = Script {
    language: "pt",
    syllables: &["a", "bra", "ção", "de", "é", "fei", "gui", "nho", "ões", "pa", "quê", "ri", "são", "tra", "vó"],
    space: " ",
};

static VIETNAMESE: Script = Script {
    language: "vi",
    syllables: &[
        "ăn",
        "bể",
        "cộ",
        "đường",
        "ế",
        "giỏ",
        "hồ",
        "khở",
        "lũ",
        "mưa",
        "ngữ",
        "ọc",
        "phố",
        "quậ",
        "trẻ",
        "vườn",
    ],
    space: " ",
};

static RUSSIAN: Script = Script {
    language: "ru",
    syllables: &[
        "бе", "ва", "гра", "де", "ёл", "жи", "за", "ка", "ло", "мо", "но", "пе", "ра", "сто", "ту", "хо", "ще", "ый",
        "ю", "я",
    ],
    space: " ",
};

static GREEK: Script = Script {
    language: "el",
    syllables: &[
        "α", "βό", "γρα", "δι", "εύ", "ζω", "θέ", "κα", "λό", "με", "νη", "ξέ", "πο", "ρά", "στο", "φω", "ψυ", "ώς",
    ],
    space: " ",
};

static ARABIC: Script = Script {
    language: "ar",
    syllables: &[
        "ال", "با", "تو", "جم", "حي", "خر", "دا", "را", "سو", "شم", "صف", "عر", "فن", "قل", "كت", "مد", "نه", "ية",
    ],
    space: " ",
};

static HEBREW: Script = Script {
    language: "he",
    syllables: &[
        "אב", "בית", "גן", "דר", "הר", "חו", "יש", "כל", "לב", "מים", "נו", "סף", "עי", "פר", "צב", "קי", "רו", "שמ",
        "תה",
    ],
    space: " ",
};

static HINDI: Script = Script {
    language: "hi",
    syllables: &[
        "अ",
        "कर",
        "गाँ",
        "चि",
        "जल",
        "तु",
        "दि",
        "नी",
        "पुर",
        "बा",
        "भू",
        "मे",
        "रा",
        "ली",
        "वि",
        "शा",
        "स्थ",
        "हिं",
    ],
    space: " ",
};

static THAI: Script = Script {
    language: "th",
    syllables: &[
        "กา",
        "ขอ",
        "คน",
        "จัน",
        "ชา",
        "ดี",
        "ตะ",
        "ทุ่ง",
        "นา",
        "บ้าน",
        "ป่า",
        "เมือง",
        "ริม",
        "เล",
        "วัด",
        "สุ",
        "หิน",
        "อ่าว",
    ],
    space: "",
};

static KOREAN: Script = Script {
    language: "ko",
    syllables: &[
        "가", "나", "다", "람", "마", "바", "산", "어", "정", "천", "강", "터", "포", "한", "구", "도", "시", "읍",
        "면", "리",
    ],
    space: " ",
};

static JAPANESE: Script = Script {
    language: "ja",
    syllables: &[
        "山", "川", "の", "町", "駅", "カ", "ラ", "ン", "ト", "北", "東", "寺", "大", "小", "学", "新", "島", "さ",
        "く", "ら",
    ],
    space: "",
};

static CHINESE: Script = Script {
    language: "zh",
    syllables: &[
        "河", "城", "南", "西", "路", "縣", "村", "江", "海", "安", "平", "福", "明", "華", "龍", "湖", "石", "站",
        "門", "春",
    ],
    space: "",
};

/// Every script there is, the frequent ones first.
pub(crate) static SCRIPTS: [&Script; 14] = [
    &ENGLISH,
    &JAPANESE,
    &PORTUGUESE,
    &GERMAN,
    &SPANISH,
    &FRENCH,
    &RUSSIAN,
    &KOREAN,
    &CHINESE,
    &ARABIC,
    &HEBREW,
    &GREEK,
    &HINDI,
    &THAI,
];

/// The script of a language, or English letters.
pub(crate) fn script(language: &str) -> &'static Script {
    let mut all = SCRIPTS.into_iter().chain([&VIETNAMESE]);
    all.find(|script| script.language == language).unwrap_or(&ENGLISH)
}

impl Script {
    /// A word of one to four syllables.
    pub(crate) fn word(&self, chance: &mut Chance) -> String {
        (0..=chance.below(4)).map(|_| *chance.pick(self.syllables)).collect()
    }

    /// A word with a capital letter, where there are any.
    pub(crate) fn name(&self, chance: &mut Chance) -> String {
        let word = self.word(chance);
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// So many words, as a sentence would have them.
    pub(crate) fn words(&self, count: u64, chance: &mut Chance) -> String {
        let mut text = self.name(chance);
        for _ in 1..count {
            text.push_str(self.space);
            text.push_str(&self.word(chance));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Purpose;

    #[test]
    fn every_script_makes_words() {
        let mut chance = Chance::of(1, Purpose::Content, 0);
        for script in SCRIPTS {
            let text = script.words(6, &mut chance);
            assert!(text.chars().count() >= 6, "{text}");
            assert_eq!(text.split(' ').count(), if script.space.is_empty() { 1 } else { 6 }, "{text}");
        }
        assert_eq!(script("vi").language, "vi");
        assert_eq!(script("xx").language, "en");
    }
}
