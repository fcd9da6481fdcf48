//! Topics with names that would like to be paths.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use cutaway_tests::broker::Launch;
use cutaway_tests::client::Client;
use cutaway_tests::folders;

use super::{SLACK_KIB, Siege};

const INVALID_TOPIC: i16 = 17;

#[test]
fn no_name_of_a_topic_leads_out_of_the_data_folder() -> anyhow::Result<()> {
    let around = folders::in_memory();
    let folder = around.path().join("data");
    let mut siege = Siege::begin_with(Launch { folder: Some(folder.clone()), ..Launch::default() })?;
    let inside_before = names_in(&folder)?;
    let long = "x".repeat(250);
    let longest = "y".repeat(249);
    let absolute = around.path().join("escaped").display().to_string();
    let names = [
        "",
        ".",
        "..",
        "/",
        "a/b",
        "../escaped",
        "../../escaped",
        "a/../../escaped",
        "\0",
        "a\0b",
        "a\n",
        " ",
        "a b",
        "\\",
        "..\\escaped",
        "a:b",
        "~",
        "$HOME",
        "%2e%2e%2fescaped",
        "é",
        "\u{202e}",
        "\u{ff0e}\u{ff0e}",
        "*",
        "-\0-0",
        &long,
        &absolute,
    ];
    for name in names {
        let mut client = Client::connect(siege.broker.bootstrap())?;
        let code = client.create_topic(name, 1, &[])?;
        ensure!(code == INVALID_TOPIC, "creating {name:?}: error {code}");
        let code = client.topic(name)?.error_code;
        ensure!(code == INVALID_TOPIC || code == 3, "asking for {name:?}: error {code}");
        let code = client.produce(name, 0, cutaway_tests::batches::Batch::default().bytes())?.error_code;
        ensure!(code != 0, "writing to {name:?}");
        let code = client.delete_topic(name)?;
        ensure!(code != 0, "deleting {name:?}");
    }
    ensure!(names_in(&folder)? == inside_before, "something new is in the data folder");
    // The longest name that there may be makes a folder whose name a file system takes.
    let mut client = Client::connect(siege.broker.bootstrap())?;
    ensure!(client.create_topic(&longest, 1, &[])? == 0, "a name of 249 characters");
    ensure!(client.delete_topic(&longest)? == 0, "deleting a name of 249 characters");
    let beside = names_in(around.path())?;
    ensure!(beside == BTreeSet::from([folder]), "something was made beside the data folder: {beside:?}");
    siege.endures(SLACK_KIB)
}

fn names_in(folder: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    Ok(std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?)
}
