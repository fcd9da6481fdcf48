//! `cutaway config`: what a setting is, what it does here, and where it is set.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use cutaway::config::catalogue::{self, UpdateMode};
use cutaway::config::{Definition, Effect, Entry, Kind, Origin, Settings};
use serde::Serialize;

use super::arguments::{FolderOptions, environment};
use super::nearest::nearest;
use super::{Mistake, banner, output};

/// What to do with settings.
#[derive(Args, Clone, Debug)]
pub(crate) struct ConfigOptions {
    /// As JSON, one value a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: ConfigCommand,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
enum ConfigCommand {
    /// Explain settings.
    Explain(ExplainOptions),
    /// List the settings of brokers and topics.
    #[command(alias = "ls")]
    List(ListOptions),
}

/// What to explain.
#[derive(Args, Clone, Debug)]
struct ExplainOptions {
    /// Their keys, with Kafka's names.
    #[arg(value_name = "KEY", required = true)]
    keys: Vec<String>,
    #[command(flatten)]
    folder: FolderOptions,
}

/// What to list.
#[derive(Args, Clone, Debug)]
struct ListOptions {
    /// Only those with this in key or sentence.
    #[arg(value_name = "TEXT")]
    text: Option<String>,
}

/// Everything that is known of a setting.
#[derive(Debug, Serialize)]
struct Explained {
    key: &'static str,
    /// `broker` or `topic`.
    of: &'static str,
    sentence: Option<&'static str>,
    #[serde(rename = "type")]
    kind: &'static str,
    takes: String,
    default: Option<&'static str>,
    /// Where Kafka has another default: which, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    kafka_default: Option<Option<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_it_differs: Option<&'static str>,
    here: String,
    changes: String,
    /// The keys of the broker that give a topic's default, or the topic's key whose default it gives.
    related: Vec<&'static str>,
    /// The strongest first.
    set: Vec<Set>,
}

/// One place where it is set.
#[derive(Debug, Serialize)]
struct Set {
    key: String,
    value: String,
    origin: String,
}

/// Explains or lists.
pub(crate) fn run(options: &ConfigOptions) -> anyhow::Result<ExitCode> {
    match &options.command {
        ConfigCommand::Explain(explain) => explain_all(explain, options.json)?,
        ConfigCommand::List(list) => list_all(list, options.json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn explain_all(options: &ExplainOptions, as_json: bool) -> anyhow::Result<()> {
    let settings = options.folder.settings(environment())?;
    let mut explained = Vec::new();
    for key in &options.keys {
        let before = explained.len();
        explained.extend(catalogue::broker_setting(key).map(|definition| of_broker(definition, &settings)));
        explained.extend(catalogue::topic_setting(key).map(|definition| of_topic(definition, &settings)));
        if explained.len() == before {
            return Err(Mistake::usage(unknown(key)));
        }
    }
    for (index, one) in explained.iter().enumerate() {
        match as_json {
            true => output::json(one)?,
            false => {
                if index > 0 {
                    output::line("")?;
                }
                show(one)?;
            }
        }
    }
    Ok(())
}

fn of_broker(definition: &'static Definition, settings: &Settings) -> Explained {
    let key = definition.name;
    let changes = match catalogue::update_mode(key) {
        _ if !catalogue::may_be_altered(key) => "with a restart",
        UpdateMode::PerBroker => "while the broker runs, for each broker (kafka-configs --alter)",
        _ => "while the broker runs (kafka-configs --alter)",
    };
    Explained {
        changes: changes.to_owned(),
        related: catalogue::topic_twin(key).map(|twin| twin.name).into_iter().collect(),
        set: settings.set_values(key).into_iter().map(|entry| set(entry, definition)).collect(),
        ..explained("broker", definition)
    }
}

fn of_topic(definition: &'static Definition, settings: &Settings) -> Explained {
    let of_broker = settings.topic_default(definition).filter(|(entry, _)| entry.origin != Origin::Default);
    Explained {
        changes: format!("while the broker runs: cutaway topics alter TOPIC -c {}=VALUE", definition.name),
        related: definition.broker_keys.iter().map(|(key, _)| *key).collect(),
        set: of_broker.iter().map(|(entry, _)| set(entry, definition)).collect(),
        ..explained("topic", definition)
    }
}

fn explained(of: &'static str, definition: &'static Definition) -> Explained {
    let requirement = definition.requirement();
    Explained {
        key: definition.name,
        of,
        sentence: Some(definition.sentence).filter(|sentence| !sentence.is_empty()),
        kind: definition.kind.name(),
        takes: requirement.strip_prefix("must be ").unwrap_or(&requirement).to_owned(),
        default: definition.default,
        kafka_default: definition.difference.map(|difference| difference.kafka_default),
        why_it_differs: definition.difference.map(|difference| difference.reason),
        here: match definition.effect {
            Effect::InForce => "does what it does in Kafka".to_owned(),
            Effect::Unless(key) => format!("in force while {key} is not set"),
            Effect::NotYet(feature) => format!("without effect until Cutaway has {feature}"),
            Effect::Without(why) => format!("without effect: {why}"),
            Effect::Unused => "understood, but nothing here asks for it".to_owned(),
        },
        changes: String::new(),
        related: Vec::new(),
        set: Vec::new(),
    }
}

fn set(entry: &Entry, definition: &Definition) -> Set {
    let value = if definition.kind == Kind::Password { "[hidden]" } else { &entry.value };
    Set { key: entry.key.clone(), value: value.to_owned(), origin: entry.origin.to_string() }
}

fn show(explained: &Explained) -> anyhow::Result<()> {
    let Explained { key, of, .. } = explained;
    output::line(format_args!("{key}  {}", banner::paint(format_args!("a setting of the {of}"), banner::LABEL)))?;
    if let Some(sentence) = explained.sentence {
        output::line(format_args!("  {sentence}"))?;
    }
    let field = |label: &str, value: &str| output::line(format_args!("  {}", banner::detail(label, value)));
    let or_none = |value: Option<&str>| match value {
        Some("") => "empty".to_owned(),
        Some(value) => value.to_owned(),
        None => "none".to_owned(),
    };
    field("takes", &format!("{} ({})", explained.takes, explained.kind))?;
    field("default", &or_none(explained.default))?;
    if let (Some(kafkas), Some(reason)) = (explained.kafka_default, explained.why_it_differs) {
        field("in Kafka", &format!("{}; it differs because {reason}", or_none(kafkas)))?;
    }
    field("here", &explained.here)?;
    field("changes", &explained.changes)?;
    let related = explained.related.join(", ");
    match explained.of {
        _ if related.is_empty() => {}
        "topic" => field("broker", &format!("its default is given by {related}"))?,
        _ => field("topics", &format!("have it as {related}, of which it gives the default"))?,
    }
    if explained.set.is_empty() {
        return field("set", "nowhere");
    }
    for (index, set) in explained.set.iter().enumerate() {
        let passed_over = if index > 0 { ", which counts less" } else { "" };
        field("set", &format!("{}={} ({}){passed_over}", set.key, set.value, set.origin))?;
    }
    Ok(())
}

/// Every key of the catalogue, of brokers first.
fn definitions() -> impl Iterator<Item = (&'static str, &'static Definition)> {
    let of_brokers = catalogue::broker_settings().chain(catalogue::known_settings());
    let of_topics = catalogue::topic_settings();
    of_brokers.map(|definition| ("broker", definition)).chain(of_topics.map(|definition| ("topic", definition)))
}

fn unknown(key: &str) -> anyhow::Error {
    let hint = match nearest(key, definitions().map(|(_, definition)| definition.name)) {
        Some(name) => format!("did you mean {name}?"),
        None => "`cutaway config list` shows which there are".to_owned(),
    };
    anyhow::anyhow!("Kafka has no setting {key}; {hint}")
}

fn list_all(options: &ListOptions, as_json: bool) -> anyhow::Result<()> {
    let text = options.text.as_deref().unwrap_or_default().to_lowercase();
    let is_wanted =
        |definition: &Definition| definition.name.contains(&text) || definition.sentence.to_lowercase().contains(&text);
    let wanted = definitions().filter(|(_, definition)| is_wanted(definition));
    if as_json {
        return wanted.map(|(of, definition)| explained(of, definition)).try_for_each(|one| output::json(&one));
    }
    let row = |(of, definition): (&str, &Definition)| {
        [
            definition.name.to_owned(),
            of.to_owned(),
            definition.default.unwrap_or("-").to_owned(),
            definition.sentence.to_owned(),
        ]
    };
    output::table(["KEY", "OF", "DEFAULT", "WHAT IT IS"], &wanted.map(row).collect::<Vec<_>>())
}
