//! The table of Kafka's settings is the one that Kafka's jars hold, and the page about ours is what the catalogue says.

use std::fmt::Write;
use std::process::Command;
use std::{env, fs};

use anyhow::ensure;
use cutaway::config::catalogue::{broker_settings, topic_settings};
use cutaway::config::{Definition, Effect};
use cutaway_tests::kafka::{is_installed, libs, repository};

#[test]
fn the_table_is_what_the_jars_say() -> anyhow::Result<()> {
    if !is_installed()? {
        return Ok(());
    }
    let class_path = libs().join("*");
    let program = repository().join("tests/kafka/Settings.java");
    let generated = Command::new("java").arg("-cp").arg(class_path).arg(program).output()?;
    ensure!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
    let table = fs::read_to_string(repository().join("broker/src/config/catalogue/kafka-4.3.1.settings"))?;
    ensure!(
        String::from_utf8(generated.stdout)? == table,
        "kafka-4.3.1.settings differs from the jars; the first lines of tests/kafka/Settings.java tell how to write it again"
    );
    Ok(())
}

/// `UPDATE_GOLDENFILES=1` writes it again.
#[test]
fn the_page_is_what_the_catalogue_says() -> anyhow::Result<()> {
    let path = repository().join("docs/settings.md");
    let page = page()?;
    if env::var_os("UPDATE_GOLDENFILES").is_some() {
        fs::write(&path, &page)?;
    }
    ensure!(fs::read_to_string(&path)? == page, "docs/settings.md differs; UPDATE_GOLDENFILES=1 writes it again");
    Ok(())
}

const INTRODUCTION: &str = "\
# Settings

Every key has the name and the meaning that it has in Apache Kafka 4.3, and takes the same values. This page says what each
does here; a test keeps it equal to the [catalogue](../broker/src/config/catalogue/mod.rs). Where a default is not Kafka's,
[differences.md](differences.md) says why. Keys of a Kafka broker that do not stand here are understood and passed over.
";

fn page() -> anyhow::Result<String> {
    let mut page = INTRODUCTION.to_owned();
    table(&mut page, "Topics", "set when a topic is made, or altered later", &mut topic_settings())?;
    table(&mut page, "The broker", "from a file, the environment or the command line", &mut broker_settings())?;
    Ok(page)
}

fn table(
    page: &mut String,
    of: &str,
    origin: &str,
    settings: &mut dyn Iterator<Item = &'static Definition>,
) -> anyhow::Result<()> {
    write!(page, "\n## {of}: {origin}\n\n| key | default | what it is | here |\n|---|---|---|---|\n")?;
    for setting in settings {
        let default = match setting.default {
            None => "not set".to_owned(),
            Some("") => "empty".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let here = match setting.effect {
            Effect::InForce => "in force".to_owned(),
            Effect::Unless(key) => format!("in force while `{key}` is not set"),
            Effect::NotYet(feature) => format!("no effect yet: it comes with {feature}"),
            Effect::Without(why) => format!("without effect: {why}"),
            Effect::Unused => "passed over".to_owned(),
        };
        writeln!(page, "| `{}` | {default} | {} | {here} |", setting.name, setting.sentence)?;
    }
    Ok(())
}
