//! Kafka's own command line tools print the same about Cutaway as about a real Kafka.
//!
//! Both brokers get the same commands, one after the other. Ids and addresses are each broker's own and left out, and so is
//! the order of lines, which Java's hash maps decide. What may differ stands in `tests/kafka/differences.txt`, under `tools`.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::ensure;
use cutaway_tests::broker::Broker;
use cutaway_tests::kafka::{RealKafka, ToolRun, run_tools};

use crate::oracle::{OF_ITS_OWN, accepted_differences, unexplained};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const OFFSETS: &str = "org.apache.kafka.tools.GetOffsetShell";
const LOG_DIRS: &str = "org.apache.kafka.tools.LogDirsCommand";
const VERSIONS: &str = "org.apache.kafka.tools.BrokerApiVersionsCommand";
const QUORUM: &str = "org.apache.kafka.tools.MetadataQuorumCommand";
const CLUSTER: &str = "org.apache.kafka.tools.ClusterTool";
const ELECTION: &str = "org.apache.kafka.tools.LeaderElectionCommand";
const REASSIGN: &str = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand";
const ACLS: &str = "org.apache.kafka.tools.AclCommand";
const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const ALL_GROUPS: &str = "org.apache.kafka.tools.GroupsCommand";

/// The tool and its arguments; `@FILE` stands for the path of a file of [`FILES`].
const COMMANDS: &[(&str, &str)] = &[
    (TOPICS, "--create --topic t1 --partitions 3"),
    (TOPICS, "--create --topic t1 --partitions 3"),
    (TOPICS, "--create --topic t1 --if-not-exists"),
    (
        TOPICS,
        "--create --topic t2 --partitions 1 --replication-factor 1 --config cleanup.policy=compact --config flush.ms=5",
    ),
    (TOPICS, "--create --topic t3 --replica-assignment 1,1"),
    (TOPICS, "--create --topic t4 --replication-factor 3"),
    (TOPICS, "--create --topic bad/name"),
    (TOPICS, "--create --topic t5 --partitions 0"),
    (TOPICS, "--create --topic t5 --config no.such=1"),
    (TOPICS, "--create --topic t5 --config retention.ms=soon"),
    (TOPICS, "--create --topic with_under"),
    (TOPICS, "--create --topic with.under"),
    (TOPICS, "--list"),
    (TOPICS, "--describe"),
    (TOPICS, "--describe --topic t1"),
    (TOPICS, "--describe --topic nowhere"),
    (TOPICS, "--describe --topics-with-overrides"),
    (TOPICS, "--describe --under-replicated-partitions"),
    (TOPICS, "--describe --unavailable-partitions"),
    (TOPICS, "--describe --at-min-isr-partitions --topic t1"),
    (TOPICS, "--alter --topic t1 --partitions 5"),
    (TOPICS, "--alter --topic t1 --partitions 2"),
    (TOPICS, "--alter --topic nowhere --partitions 2"),
    (TOPICS, "--describe --topic t1"),
    (CONFIGS, "--describe --entity-type topics --entity-name t2"),
    (CONFIGS, "--describe --entity-type topics --entity-name t2 --all"),
    (
        CONFIGS,
        "--alter --entity-type topics --entity-name t1 --add-config retention.ms=120000,max.message.bytes=2000000",
    ),
    (CONFIGS, "--alter --entity-type topics --entity-name t1 --add-config cleanup.policy=[compact,delete]"),
    (CONFIGS, "--alter --entity-type topics --entity-name t1 --add-config retention.ms=soon"),
    (CONFIGS, "--alter --entity-type topics --entity-name t1 --add-config no.such=1"),
    (CONFIGS, "--alter --entity-type topics --entity-name t1 --delete-config retention.ms"),
    (CONFIGS, "--alter --entity-type topics --entity-name t1 --delete-config no.such"),
    (CONFIGS, "--alter --entity-type topics --entity-name nowhere --add-config retention.ms=1"),
    (CONFIGS, "--describe --entity-type topics"),
    (CONFIGS, "--describe --entity-type topics --entity-name nowhere"),
    (CONFIGS, "--describe --entity-type brokers --entity-name 1"),
    (CONFIGS, "--describe --entity-type brokers --entity-name 1 --all"),
    (CONFIGS, "--alter --entity-type brokers --entity-name 1 --add-config log.retention.ms=1000000"),
    (CONFIGS, "--alter --entity-type brokers --entity-name 1 --add-config log.dirs=/x"),
    (CONFIGS, "--alter --entity-type brokers --entity-default --add-config log.cleaner.threads=2"),
    (CONFIGS, "--describe --entity-type brokers --entity-default"),
    (CONFIGS, "--describe --entity-type brokers --entity-name 1"),
    (CONFIGS, "--describe --entity-type client-metrics"),
    (OFFSETS, "--topic t1"),
    (OFFSETS, "--topic t1 --time earliest"),
    (OFFSETS, "--topic t1 --time max-timestamp"),
    (OFFSETS, "--topic-partitions t1:0,t2"),
    (OFFSETS, "--topic nowhere"),
    (LOG_DIRS, "--describe --topic-list t1,t2"),
    (LOG_DIRS, "--describe --broker-list 1,7"),
    (VERSIONS, ""),
    (QUORUM, "describe --status"),
    (QUORUM, "describe --replication"),
    (CLUSTER, "cluster-id"),
    (CLUSTER, "list-endpoints"),
    (ELECTION, "--election-type preferred --topic t1 --partition 0"),
    (ELECTION, "--election-type unclean --topic t1 --partition 0"),
    (ELECTION, "--election-type preferred --all-topic-partitions"),
    (ELECTION, "--election-type preferred --topic nowhere --partition 0"),
    (REASSIGN, "--list"),
    (REASSIGN, "--generate --broker-list 1 --topics-to-move-json-file @move"),
    (REASSIGN, "--execute --reassignment-json-file @reassignment"),
    (REASSIGN, "--verify --reassignment-json-file @reassignment"),
    (ACLS, "--list"),
    (ACLS, "--add --allow-principal User:bob --operation Read --topic t1"),
    (TOPICS, "--delete --topic t3"),
    (TOPICS, "--delete --topic nowhere"),
    (TOPICS, "--delete --topic nowhere --if-exists"),
    (TOPICS, "--list"),
    (GROUPS, "--list"),
    (GROUPS, "--reset-offsets --group g --topic t1:0,1 --to-earliest --dry-run"),
    (GROUPS, "--reset-offsets --group g --topic t1:0,1 --to-earliest --execute"),
    (GROUPS, "--reset-offsets --group g --topic t1 --shift-by 5 --execute"),
    (GROUPS, "--reset-offsets --group g --topic nowhere --to-latest --execute"),
    (GROUPS, "--reset-offsets --group g --all-topics --to-latest --export"),
    (GROUPS, "--list"),
    (GROUPS, "--list --state"),
    (GROUPS, "--list --type"),
    (GROUPS, "--describe --group g"),
    (GROUPS, "--describe --group g --members --verbose"),
    (GROUPS, "--describe --group g --state"),
    (GROUPS, "--describe --group nobody"),
    (GROUPS, "--describe --all-groups"),
    (ALL_GROUPS, "--list"),
    (ALL_GROUPS, "--list --protocol consumer"),
    (GROUPS, "--delete-offsets --group g --topic t1:0"),
    (GROUPS, "--delete-offsets --group g --topic nowhere"),
    (GROUPS, "--delete-offsets --group nobody --topic t1"),
    (GROUPS, "--delete --group g --group nobody"),
    (GROUPS, "--list"),
];

const FILES: &[(&str, &str)] = &[
    ("@move", r#"{"version":1,"topics":[{"topic":"t1"}]}"#),
    ("@reassignment", r#"{"version":1,"partitions":[{"topic":"t1","partition":0,"replicas":[1]}]}"#),
];

#[test]
fn tools_print_the_same_about_both_brokers() -> anyhow::Result<()> {
    let Some(kafka) = RealKafka::start(&[])? else { return Ok(()) };
    let cutaway = Broker::start(&["--override", "log.segment.delete.delay.ms=1000"])?;
    let (theirs, ours) = (run_all(kafka.bootstrap())?, run_all(cutaway.bootstrap())?);
    let mut found = Vec::new();
    for (number, (left, right)) in theirs.iter().zip(&ours).enumerate() {
        let (tool, arguments) = COMMANDS[number];
        let name = format!("tools: {number} {} {arguments}:", tool.rsplit('.').next().unwrap_or(tool));
        if left.exit_code != right.exit_code {
            found.push(format!("{name} exit code {}, {}", left.exit_code, right.exit_code));
        }
        let left = lines(left, kafka.bootstrap(), &kafka.data_dir());
        let right = lines(right, cutaway.bootstrap(), cutaway.data_dir());
        found.extend(left.difference(&right).map(|line| format!("{name} only Kafka: {line}")));
        found.extend(right.difference(&left).map(|line| format!("{name} only Cutaway: {line}")));
    }
    let accepted: Vec<_> = accepted_differences()?.into_iter().filter(|accepted| accepted.is_about("tools")).collect();
    let found = unexplained(&found, &accepted);
    ensure!(found.is_empty(), "Kafka's tools tell the brokers apart:\n{}", found.join("\n"));
    Ok(())
}

fn run_all(bootstrap: SocketAddr) -> anyhow::Result<Vec<ToolRun>> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name.trim_start_matches('@')).to_string_lossy().into_owned();
    for (name, contents) in FILES {
        fs::write(path(name), contents)?;
    }
    let commands: Vec<Vec<String>> = COMMANDS
        .iter()
        .map(|(tool, arguments)| {
            let arguments = arguments.split_whitespace();
            let arguments = arguments.map(|word| if word.starts_with('@') { path(word) } else { word.to_owned() });
            let bootstrap = ["--bootstrap-server".to_owned(), bootstrap.to_string()];
            // One tool has subcommands, which want their options behind them.
            let words: Vec<String> = match *tool {
                CLUSTER => arguments.chain(bootstrap).collect(),
                _ => bootstrap.into_iter().chain(arguments).collect(),
            };
            std::iter::once((*tool).to_owned()).chain(words).collect()
        })
        .collect();
    run_tools(&commands)
}

/// The lines of an output, with what is each broker's own left out.
fn lines(run: &ToolRun, address: SocketAddr, data_dir: &Path) -> BTreeSet<String> {
    let is_of_its_own = |line: &&str| OF_ITS_OWN.iter().any(|key| line.trim_start().starts_with(&format!("{key}=")));
    let lines = run.output.lines().filter(|line| !is_of_its_own(line));
    let port = address.port().to_string();
    let data_dir = data_dir.to_string_lossy();
    lines.map(|line| plain(&line.replace(&*data_dir, "<folder>").replace(&port, "<port>"))).collect()
}

/// A line without the width of its columns, ids (which have 22 characters) and times (which have 13 digits).
fn plain(line: &str) -> String {
    let is_id = |word: &str| {
        word.len() == 22 && word.chars().all(|one| one.is_ascii_alphanumeric() || one == '-' || one == '_')
    };
    let is_time = |word: &str| word.len() == 13 && word.chars().all(|one| one.is_ascii_digit());
    let name = |word: &str| {
        if is_id(word) {
            "<id>"
        } else if is_time(word) {
            "<time>"
        } else {
            word
        }
        .to_owned()
    };
    let word = |word: &str| word.split('"').map(name).collect::<Vec<_>>().join("\"");
    line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
}
