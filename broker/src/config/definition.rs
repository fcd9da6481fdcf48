//! What one setting is: its name, type, default, allowed values, and what it does in Cutaway.
//!
//! A [`Definition`] is a row of the catalogue. It reads values but knows neither where they come from (that is
//! [`Settings`](super::Settings)) nor what becomes of them (that is [`BrokerConfig`](super::BrokerConfig)).

/// The type of a setting, with Kafka's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number of 16 bits.
    Short,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// Any text.
    String,
    /// Texts separated by commas.
    List,
    /// The name of a Java class.
    Class,
    /// A text that is never shown.
    Password,
}

/// The types and their names.
const KINDS: [(Kind, &str); 9] = [
    (Kind::Boolean, "BOOLEAN"),
    (Kind::Short, "SHORT"),
    (Kind::Int, "INT"),
    (Kind::Long, "LONG"),
    (Kind::Double, "DOUBLE"),
    (Kind::String, "STRING"),
    (Kind::List, "LIST"),
    (Kind::Class, "CLASS"),
    (Kind::Password, "PASSWORD"),
];

impl Kind {
    /// Kafka's name of the type, as it stands in its error texts.
    pub fn name(self) -> &'static str {
        KINDS.into_iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }

    /// The type of a name.
    pub(super) fn named(name: &str) -> Option<Kind> {
        KINDS.into_iter().find(|(_, known)| *known == name).map(|(kind, _)| kind)
    }
}

/// Which values of its type a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Every value.
    Any,
    /// Numbers from this one on.
    AtLeast(i64),
    /// Numbers in this range, its ends included.
    Between(i64, i64),
    /// Numbers other than 0; negative ones mean "no limit".
    NotZero,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A list of these words, each of which counts once; it may be empty.
    EachOf(&'static [&'static str]),
    /// A list of any words, at least one, each of which counts once.
    SomeOf,
    /// 1 to 9, or -1 for the codec's own default.
    GzipLevel,
    /// `*`, or `partition:broker` pairs.
    ThrottledReplicas,
}

/// What a setting does in a broker that is one process on one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does here what it does in Kafka.
    InForce,
    /// It is in force only while the named, finer key is not set.
    Unless(&'static str),
    /// It will be in force once the named feature exists.
    NotYet(&'static str),
    /// It is understood, but there is nothing here for it to change; the text says why.
    Without(&'static str),
    /// Kafka has it; here nothing asks for it.
    Unused,
}

/// Where a default differs from Kafka's, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Kafka's default; `None` if Kafka has none.
    pub kafka_default: Option<&'static str>,
    /// One sentence.
    pub reason: &'static str,
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Kafka's name, or one of our own that begins with `cutaway.`.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The default as Kafka prints it; `None` for "not set".
    pub default: Option<&'static str>,
    /// Which values it takes.
    pub allowed: Allowed,
    /// What it is, in one sentence; empty where only Kafka's facts are known.
    pub sentence: &'static str,
    /// What it does here.
    pub effect: Effect,
    /// For a topic's key: the broker's keys that give its default, the strongest first, each with the number of
    /// this key's units in one of its own (`log.retention.hours` counts 3 600 000 of `retention.ms`).
    pub broker_keys: &'static [(&'static str, i64)],
    /// Set where the default is not Kafka's.
    pub difference: Option<Difference>,
}

impl Definition {
    /// A setting that is in force and takes every value of its type.
    const fn new(kind: Kind, name: &'static str, default: Option<&'static str>, sentence: &'static str) -> Definition {
        Definition {
            name,
            kind,
            default,
            allowed: Allowed::Any,
            sentence,
            effect: Effect::InForce,
            broker_keys: &[],
            difference: None,
        }
    }

    /// A setting of which Kafka's facts are all that is known.
    pub(super) const fn known_only(kind: Kind, name: &'static str, default: Option<&'static str>) -> Definition {
        Definition { effect: Effect::Unused, ..Definition::new(kind, name, default, "") }
    }

    /// Narrows what it takes.
    pub(super) const fn takes(mut self, allowed: Allowed) -> Definition {
        self.allowed = allowed;
        self
    }

    /// Numbers from `minimum` on.
    pub(super) const fn at_least(self, minimum: i64) -> Definition {
        self.takes(Allowed::AtLeast(minimum))
    }

    /// There is nothing here for it to change.
    pub(super) const fn without_effect(mut self, why: &'static str) -> Definition {
        self.effect = Effect::Without(why);
        self
    }

    /// Waits for a feature.
    pub(super) const fn not_yet(mut self, feature: &'static str) -> Definition {
        self.effect = Effect::NotYet(feature);
        self
    }

    /// Gives way to a finer key.
    pub(super) const fn unless(mut self, key: &'static str) -> Definition {
        self.effect = Effect::Unless(key);
        self
    }

    /// Takes its default from these keys of the broker.
    pub(super) const fn given_by(mut self, keys: &'static [(&'static str, i64)]) -> Definition {
        self.broker_keys = keys;
        self
    }

    /// Kafka's default is another, for this reason.
    pub(super) const fn differs(mut self, kafka_default: Option<&'static str>, reason: &'static str) -> Definition {
        self.difference = Some(Difference { kafka_default, reason });
        self
    }

    /// What it is and what it does here, for clients that ask; `None` where only Kafka's facts are known.
    pub fn documentation(&self) -> Option<String> {
        let sentence = self.sentence;
        match self.effect {
            Effect::InForce => Some(sentence.to_owned()),
            Effect::Unless(key) => Some(format!("{sentence} In force while {key} is not set.")),
            Effect::NotYet(feature) => Some(format!("{sentence} Without effect until Cutaway has {feature}.")),
            Effect::Without(why) => Some(format!("{sentence} Without effect here: {why}.")),
            Effect::Unused => None,
        }
    }

    /// A value as Kafka prints it when it has read it: without blanks around it or its items.
    pub(super) fn normalized(&self, raw: &str) -> String {
        self.parse(raw).map_or_else(|_| raw.to_owned(), |value| value.to_string())
    }

    /// What a value must be, as the end of a sentence: `must be ...`.
    pub fn requirement(&self) -> String {
        let noun = match self.kind {
            Kind::Boolean => return "must be true or false".into(),
            Kind::Short | Kind::Int | Kind::Long => format!("a whole number{}", self.unit()),
            Kind::Double => "a number".into(),
            Kind::String | Kind::Class | Kind::Password => "a text".into(),
            Kind::List => "a list separated by commas".into(),
        };
        match self.allowed {
            Allowed::Any => format!("must be {noun}{}", self.width()),
            Allowed::AtLeast(minimum) => format!("must be {noun} of at least {minimum}{}", self.width()),
            Allowed::Between(from, to) => format!("must be {noun} from {from} to {to}"),
            Allowed::NotZero => format!("must be {noun} other than 0, negative for no limit{}", self.width()),
            Allowed::OneOf(words) => format!("must be one of {}", words.join(", ")),
            Allowed::EachOf(words) => format!("must be {noun}, each one of {}", words.join(", ")),
            Allowed::SomeOf => format!("must be {noun}, none empty"),
            Allowed::GzipLevel => "must be a whole number from 1 to 9, or -1 for the codec's default".into(),
            Allowed::ThrottledReplicas => "must be * or pairs partition:broker, separated by commas".into(),
        }
    }

    /// The unit that the name ends with.
    fn unit(&self) -> &'static str {
        match self.name.rsplit('.').next().unwrap_or_default() {
            "bytes" => " of bytes",
            "ms" => " of milliseconds",
            "seconds" => " of seconds",
            "minutes" => " of minutes",
            "hours" => " of hours",
            _ => "",
        }
    }

    /// The upper end that the type itself sets, where a person could run into it.
    fn width(&self) -> &'static str {
        match self.kind {
            Kind::Short => " and at most 32767",
            Kind::Int => " and at most 2147483647",
            _ => "",
        }
    }
}

/// A `BOOLEAN` setting.
pub(super) const fn boolean(name: &'static str, default: &'static str, sentence: &'static str) -> Definition {
    Definition::new(Kind::Boolean, name, Some(default), sentence)
}

/// A `SHORT` setting.
pub(super) const fn short(name: &'static str, default: &'static str, sentence: &'static str) -> Definition {
    Definition::new(Kind::Short, name, Some(default), sentence)
}

/// An `INT` setting.
pub(super) const fn int(name: &'static str, default: &'static str, sentence: &'static str) -> Definition {
    Definition::new(Kind::Int, name, Some(default), sentence)
}

/// A `LONG` setting.
pub(super) const fn long(name: &'static str, default: &'static str, sentence: &'static str) -> Definition {
    Definition::new(Kind::Long, name, Some(default), sentence)
}

/// A `DOUBLE` setting.
pub(super) const fn double(name: &'static str, default: &'static str, sentence: &'static str) -> Definition {
    Definition::new(Kind::Double, name, Some(default), sentence)
}

/// A `STRING` setting.
pub(super) const fn string(name: &'static str, default: &'static str, sentence: &'static str) -> Definition {
    Definition::new(Kind::String, name, Some(default), sentence)
}

/// A `LIST` setting.
pub(super) const fn list(name: &'static str, default: &'static str, sentence: &'static str) -> Definition {
    Definition::new(Kind::List, name, Some(default), sentence)
}

/// A setting without a default.
pub(super) const fn unset(kind: Kind, name: &'static str, sentence: &'static str) -> Definition {
    Definition::new(kind, name, None, sentence)
}
