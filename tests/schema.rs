//! The table of Kafka's messages is the one that Kafka's jars hold.

use std::fs;
use std::process::Command;

use anyhow::ensure;
use cutaway_tests::kafka::{is_installed, libs, repository};
use cutaway_tests::skip::skip;

#[test]
fn the_table_is_what_the_jars_say() -> anyhow::Result<()> {
    if !is_installed()? {
        return Ok(());
    }
    let Ok(generated) = Command::new("python3").arg(repository().join("tests/kafka/schema")).arg(libs()).output()
    else {
        return skip("Python 3", "Install it, and put it on the path as python3.");
    };
    ensure!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
    let table = fs::read_to_string(repository().join("broker/src/schema/kafka-4.3.1.schema"))?;
    ensure!(
        String::from_utf8(generated.stdout)? == table,
        "kafka-4.3.1.schema differs from the jars. Write it again: tests/kafka/schema target/kafka/libs > broker/src/schema/kafka-4.3.1.schema"
    );
    Ok(())
}
