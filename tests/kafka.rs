//! The oracle itself: a real Kafka starts here, its tools work on it, and it leaves files behind.

use anyhow::ensure;
use cutaway_tests::kafka::{RealKafka, dump_log, kafka_tool};

#[test]
fn a_topic_outlives_a_clean_stop() -> anyhow::Result<()> {
    let Some(mut kafka) = RealKafka::start(&[("num.partitions", "2")])? else {
        return Ok(());
    };
    let bootstrap = kafka.bootstrap().to_string();
    let create = ["--bootstrap-server", &bootstrap, "--create", "--topic", "paper"];
    let created = kafka_tool("org.apache.kafka.tools.TopicCommand", &create)?;
    ensure!(created.status.success(), "{created:?}");

    kafka.stop()?;
    let log = kafka.data_dir().join("paper-1").join("00000000000000000000.log");
    let dump = dump_log(&[&log], &["--print-data-log"])?;
    let text = String::from_utf8(dump.stdout)?;
    assert!(text.contains("Log starting offset: 0"), "{text}");
    assert!(kafka.data_dir().join(".kafka_cleanshutdown").exists());
    Ok(())
}
