//! `cutaway config` and `cutaway completions`: what they print.

use std::fs;

use anyhow::{Context, ensure};
use cutaway_tests::folders;

use super::Ran;

#[test]
fn a_setting_is_explained_and_found_where_it_is_set() -> anyhow::Result<()> {
    let folder = folders::in_memory();
    let file = folder.path().join("server.properties");
    fs::write(&file, "# ours\nlog.retention.ms=5000\n")?;
    let file = file.display().to_string();
    let shown =
        Ran::of(&["config", "explain", "log.retention.ms", "--config", &file, "--override", "log.retention.ms=7000"])?
            .printed()?;
    for line in [
        "log.retention.ms  a setting of the broker\n",
        "  takes     a whole number of milliseconds",
        "  default   none\n",
        "  topics    have it as retention.ms, of which it gives the default\n",
        "  set       log.retention.ms=7000 (--override)\n",
        &format!("  set       log.retention.ms=5000 ({file} line 2), which counts less\n"),
    ] {
        ensure!(shown.contains(line), "no {line:?} in:\n{shown}");
    }
    let topic = &Ran::of(&["config", "explain", "retention.ms", "--json", "--config", &file])?.values()?[0];
    ensure!(topic["of"] == "topic" && topic["default"] == "604800000", "{topic}");
    ensure!(topic["set"][0]["value"] == "5000" && topic["related"][0] == "log.retention.ms", "{topic}");
    let both = Ran::of(&["config", "explain", "compression.type", "--json"])?.values()?;
    ensure!(both.len() == 2 && both[0]["of"] == "broker" && both[1]["of"] == "topic", "{both:?}");
    let differs = &Ran::of(&["config", "explain", "flush.ms", "--json"])?.values()?[0];
    ensure!(differs["why_it_differs"].is_string() && differs["kafka_default"].is_string(), "{differs}");
    let mut command = super::cutaway(&["config", "explain", "num.partitions"])?;
    let shown = command.env("KAFKA_NUM_PARTITIONS", "6").output()?;
    let shown = String::from_utf8(shown.stdout)?;
    ensure!(shown.contains("  set       num.partitions=6 (environment variable KAFKA_NUM_PARTITIONS)\n"), "{shown}");
    Ok(())
}

#[test]
fn a_key_that_nobody_knows_is_a_mistake() -> anyhow::Result<()> {
    for (key, hint) in [
        ("log.segmnt.bytes", "Kafka has no setting log.segmnt.bytes; did you mean log.segment.bytes?"),
        ("retention.msec", "did you mean retention.ms?"),
        ("zzz", "`cutaway config list` shows which there are"),
    ] {
        let told = Ran::of(&["config", "explain", key])?.failed(2)?;
        ensure!(told.contains(hint), "{told}");
    }
    let told = Ran::of(&["config", "explain", "num.partitions", "--override", "x"])?.failed(2)?;
    ensure!(told.contains("must be KEY=VALUE"), "{told}");
    Ok(())
}

#[test]
fn settings_are_listed() -> anyhow::Result<()> {
    let listed = Ran::of(&["config", "list", "retention.ms"])?.printed()?;
    let keys: Vec<_> = listed.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    ensure!(keys.contains(&"log.retention.ms") && keys.contains(&"retention.ms"), "{listed}");
    let all = Ran::of(&["config", "list", "--json"])?.values()?;
    ensure!(all.len() > 300, "{} settings", all.len());
    Ok(())
}

#[test]
fn shells_complete() -> anyhow::Result<()> {
    for (shell, sign) in [("bash", "complete -F"), ("zsh", "#compdef cutaway"), ("fish", "complete -c cutaway")] {
        let script = Ran::of(&["completions", shell])?.printed()?;
        ensure!(script.contains(sign) && script.contains("if-not-exists"), "{shell}: {} bytes", script.len());
    }
    let told = Ran::of(&["completions", "csh"])?.failed(2)?;
    let names = told.lines().find(|line| line.contains("possible values")).context("no names")?;
    ensure!(names.contains("bash"), "{told}");
    Ok(())
}
