//! `docs/differences.md` beside what is: it names every difference from Kafka, and none that is gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;

use anyhow::{Context, ensure};
use cutaway::config::catalogue::{broker_settings, topic_settings};
use cutaway::schema::table;
use cutaway_tests::kafka::{RealKafka, repository};
use cutaway_tests::talk::Talk;
use kafka_protocol::messages::ApiVersionsRequest;

use super::{accepted_differences, start_cutaway, text};

#[test]
fn the_page_names_every_api_that_is_not_implemented() -> anyhow::Result<()> {
    let Some(kafka) = RealKafka::shared()? else { return Ok(()) };
    let cutaway = start_cutaway()?;
    let (theirs, ours) = (advertised(kafka.bootstrap())?, advertised(cutaway.bootstrap())?);
    for (key, range) in &ours {
        ensure!(theirs.get(key) == Some(range), "{key}: Kafka has {:?}, we have {range:?}", theirs.get(key));
    }
    let missing: BTreeSet<String> = theirs.into_keys().filter(|key| !ours.contains_key(key)).collect();
    let named = names_in_tables(&section("Not implemented yet")?);
    let forgotten: Vec<_> = missing.difference(&named).collect();
    let stale: Vec<_> = named.difference(&missing).collect();
    ensure!(forgotten.is_empty(), "the page does not name {forgotten:?}");
    ensure!(stale.is_empty(), "the page still names {stale:?}");
    Ok(())
}

#[test]
fn the_page_names_every_default_that_differs() -> anyhow::Result<()> {
    let differing: BTreeSet<String> = broker_settings()
        .chain(topic_settings())
        .filter(|definition| definition.difference.is_some())
        .map(|definition| definition.name.to_owned())
        .collect();
    let named = names_in_tables(&section("Settings and defaults")?);
    ensure!(named == differing, "the page names {named:?}, the catalogue {differing:?}");
    Ok(())
}

#[test]
fn the_page_gives_the_reason_of_every_accepted_difference() -> anyhow::Result<()> {
    let page = page()?;
    for accepted in accepted_differences()? {
        ensure!(page.contains(&accepted.reason), "the page does not say: {}", accepted.reason);
    }
    Ok(())
}

/// The APIs of a broker by name, with their oldest and newest versions.
fn advertised(address: SocketAddr) -> anyhow::Result<BTreeMap<String, (i64, i64)>> {
    let request = ApiVersionsRequest::default()
        .with_client_software_name(text("oracle"))
        .with_client_software_version(text("1.0"));
    let answer = Talk::with(address)?.learn(4, &request)?;
    let mut found = BTreeMap::new();
    for api in answer["apiKeys"].as_array().context("the answer has no APIs")? {
        let number = |name: &str| api[name].as_i64().with_context(|| format!("{api} has no {name}"));
        let key = i16::try_from(number("apiKey")?)?;
        let request = table().request(key).with_context(|| format!("no API has the key {key}"))?;
        let name = request.name.trim_end_matches("Request").to_owned();
        found.insert(name, (number("minVersion")?, number("maxVersion")?));
    }
    Ok(found)
}

fn page() -> anyhow::Result<String> {
    Ok(fs::read_to_string(repository().join("docs/differences.md"))?)
}

/// The part of the page under a heading, up to the next.
fn section(heading: &str) -> anyhow::Result<String> {
    let page = page()?;
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).with_context(|| format!("no heading {heading}"))?;
    Ok(rest.split("\n## ").next().unwrap_or_default().to_owned())
}

/// What stands in backticks in the first columns of a section's tables.
fn names_in_tables(section: &str) -> BTreeSet<String> {
    let first_columns = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    first_columns.flat_map(|column| column.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}
