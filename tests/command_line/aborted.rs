//! Transactions of a real Kafka as `cutaway consume` shows them: committed, aborted, and still open.

use anyhow::ensure;
use cutaway_tests::kafka::RealKafka;
use cutaway_tests::patience;
use cutaway_tests::transactional::TransactionalProducer;

use super::Ran;

#[test]
fn what_was_not_committed_is_not_shown() -> anyhow::Result<()> {
    let Some(kafka) = RealKafka::start(&[])? else { return Ok(()) };
    let broker = kafka.bootstrap().to_string();
    Ran::of(&["topics", "create", "mixed", "-b", &broker])?.printed()?;
    let mut producer = TransactionalProducer::start(kafka.bootstrap(), "t")?;
    producer.write("mixed", "committed")?;
    producer.end(true)?;
    producer.write("mixed", "aborted")?;
    producer.end(false)?;
    producer.write("mixed", "open")?;
    let consume = |isolation: &str| {
        let isolation = format!("isolation.level={isolation}");
        Ran::of(&["consume", "-b", &broker, "-t", "mixed", "-e", "-q", "-X", &isolation])?.printed()
    };
    // The marker of the abort is written a little after it is answered.
    patience::until("the transactions to end", || Ok(consume("read_committed")? == "committed\n"))?;
    let all = consume("read_uncommitted")?;
    ensure!(all == "committed\naborted\nopen\n", "{all}");
    let default = Ran::of(&["consume", "-b", &broker, "-t", "mixed", "-e", "-q"])?.printed()?;
    ensure!(default == "committed\n", "the default is {default}");
    Ok(())
}
