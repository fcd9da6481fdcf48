//! `--nodes` as people meet it: everything that shows replicas says that they are simulated.

use anyhow::ensure;
use cutaway_tests::broker::Broker;

use super::Ran;

#[test]
fn whoever_looks_is_told_that_the_nodes_are_simulated() -> anyhow::Result<()> {
    let broker = Broker::start(&["--nodes", "3"])?;
    let address = broker.nodes()[1].to_string();
    let topics = |arguments: &[&str]| Ran::of(&[&["topics", "-b", &address], arguments].concat());
    topics(&["create", "t", "-p", "3", "-r", "3"])?.printed()?;
    let described = topics(&["describe", "t"])?.printed()?;
    ensure!(described.contains("3, simulated: the nodes are one process, which keeps one copy"), "{described}");
    ensure!(described.contains("SIMULATED REPLICAS"), "{described}");
    let value = &topics(&["describe", "t", "--json"])?.values()?[0];
    ensure!(value["simulated"] == true && value["replication_factor"] == 3, "{value}");
    let partitions = value["partitions"].as_array().map_or(&[][..], Vec::as_slice);
    let mut leaders: Vec<i64> = partitions.iter().filter_map(|partition| partition["leader"].as_i64()).collect();
    leaders.sort_unstable();
    ensure!(leaders == [1, 2, 3], "{value}");
    let listed = topics(&["list"])?.printed()?;
    ensure!(listed.contains("SIMULATED REPLICAS"), "{listed}");

    let folder = broker.data_dir().display().to_string();
    let status = Ran::of(&["status", "--data", &folder])?.printed()?;
    ensure!(status.contains("(3 simulated nodes from 1 on, cluster "), "{status}");
    ensure!(status.contains("one copy: replicas are simulated"), "{status}");
    let status = &Ran::of(&["status", "--json", "--data", &folder])?.values()?[0];
    let nodes: Vec<_> = status["listeners"].as_array().into_iter().flatten().map(|it| it["node"].clone()).collect();
    ensure!(status["nodes"] == 3 && nodes == [1, 2, 3], "{status}");
    Ok(())
}

#[test]
fn one_node_is_not_called_simulated() -> anyhow::Result<()> {
    let broker = Broker::start(&[])?;
    let address = broker.bootstrap().to_string();
    Ran::of(&["topics", "-b", &address, "create", "t"])?.printed()?;
    let described = Ran::of(&["topics", "-b", &address, "describe", "t"])?.printed()?;
    ensure!(!described.to_lowercase().contains("simulated"), "{described}");
    let status = Ran::of(&["status", "--data", &broker.data_dir().display().to_string()])?.printed()?;
    ensure!(!status.contains("simulated") && status.contains("(node 1, cluster "), "{status}");
    Ok(())
}

#[test]
fn numbers_that_do_not_fit_are_mistakes_of_whoever_typed_them() -> anyhow::Result<()> {
    for (arguments, sentence) in [
        (&["--nodes", "6"][..], "cutaway.nodes=6 (--nodes): must be a whole number from 1 to 5"),
        (&["start", "--nodes", "0"], "must be a whole number from 1 to 5"),
        (&["run", "--nodes", "many", "--", "true"], "must be a whole number from 1 to 5"),
        (&["--nodes", "3", "--listen", "127.0.0.1:0,127.0.0.1:0"], "names 2 listeners, and 3 nodes need 3"),
        (&["--nodes", "2", "--port", "65535"], "--port 65535: leaves no ports for 2 nodes"),
    ] {
        let told = Ran::of(arguments)?.failed(2)?;
        ensure!(told.contains(sentence), "{arguments:?}: {told}");
    }
    Ok(())
}

#[test]
fn a_run_is_told_the_addresses_of_all_nodes() -> anyhow::Result<()> {
    let script = "echo $KAFKA_BROKER; echo $KAFKA_BOOTSTRAP_SERVERS; echo $SPRING_KAFKA_BOOTSTRAP_SERVERS";
    let printed = Ran::of(&["run", "--nodes", "3", "--", "sh", "-c", script])?.printed()?;
    for line in printed.lines() {
        let addresses: Vec<std::net::SocketAddr> = line.split(',').map(str::parse).collect::<Result<_, _>>()?;
        ensure!(addresses.len() == 3, "{line}");
    }
    ensure!(printed.lines().count() == 3, "{printed}");
    Ok(())
}

#[test]
fn a_second_start_with_other_nodes_is_told_so() -> anyhow::Result<()> {
    let broker = Broker::start(&["--nodes", "2"])?;
    let folder = broker.data_dir().display().to_string();
    let start = |nodes: &[&str]| Ran::of(&[&["--data", &folder, "--port", "0"], nodes].concat());
    let same = start(&["--nodes", "2"])?.printed()?;
    ensure!(same.contains("already serves") && same.contains("2 simulated nodes"), "{same}");
    ensure!(start(&[])?.printed()?.contains("already serves"), "a start that asks for nothing");
    let other = start(&["--nodes", "3"])?;
    ensure!(other.code == Some(1) && other.stderr.starts_with("it has 2 nodes and not 3: stop it first"), "{other:?}");
    Ok(())
}
