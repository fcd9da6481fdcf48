//! The table of Kafka's settings is the one that Kafka's jars hold.

use std::fs;
use std::process::Command;

use anyhow::ensure;
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
