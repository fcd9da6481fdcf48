//! Brokers inside a program: several in one process, and what is left of them.

use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use cutaway::{Broker, BrokerConfig, Settings};
use cutaway_tests::batches::Batch;
use cutaway_tests::client::Client;
use cutaway_tests::{folders, patience};
use kafka_protocol::messages::MetadataRequest;
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;

fn config(folder: &Path) -> anyhow::Result<BrokerConfig> {
    let settings = Settings::default().with("log.dirs", folder.display());
    Ok(settings.with("listeners", "PLAINTEXT://127.0.0.1:0").resolve()?)
}

/// Both flavours, because a broker serves on either.
fn runtimes() -> anyhow::Result<[Runtime; 2]> {
    let many = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok([many, Builder::new_current_thread().enable_all().build()?])
}

/// Produces one batch and returns everything the topic holds, through a client that blocks.
async fn exchange(address: SocketAddr, topic: &'static str, batch: Option<Vec<u8>>) -> anyhow::Result<Vec<Vec<u8>>> {
    let talk = move || {
        let mut client = Client::connect(address)?;
        if let Some(batch) = batch {
            ensure!(client.create_topic(topic, 1, &[])? == 0, "the topic is not created");
            ensure!(client.produce(topic, 0, batch)?.error_code == 0, "the batch is refused");
        }
        let topics = client.topics()?;
        ensure!(topics.len() == 1, "another broker's topics are here too: {topics:?}");
        let batches = client.fetch_all_from(topic, 0, 0)?;
        // The broker stamps the leader epoch into a part that the CRC does not cover.
        Ok(batches.iter().map(|batch| batch[17..].to_vec()).collect())
    };
    spawn_blocking(talk).await?
}

#[test]
fn three_brokers_in_one_process_keep_their_records_apart_and_one_goes_on_later() -> anyhow::Result<()> {
    let names = ["first", "second", "third"];
    for runtime in runtimes()? {
        let folders = names.map(|_| folders::in_memory());
        runtime.block_on(async {
            let mut brokers = Vec::new();
            for folder in &folders {
                brokers.push(Broker::start(config(folder.path())?).await?);
            }
            let sent = |index: usize| Batch::of_producer(index as i64, 0, 0).bytes();
            for (index, (broker, name)) in brokers.iter().zip(names).enumerate() {
                let found = exchange(broker.address(), name, Some(sent(index))).await?;
                ensure!(found == [&sent(index)[17..]], "{name}: {found:?}");
            }
            for broker in brokers {
                broker.shutdown().await?;
            }
            let again = Broker::start(config(folders[1].path())?).await?;
            ensure!(again.status().recovery.is_empty(), "it did not stop in good order");
            let found = exchange(again.address(), names[1], None).await?;
            ensure!(found == [&sent(1)[17..]], "{found:?}");
            again.shutdown().await?;
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

/// Whether a port can be taken again.
fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

#[test]
fn a_temporary_broker_that_is_dropped_leaves_no_folder_and_frees_its_port() -> anyhow::Result<()> {
    for runtime in runtimes()? {
        let (folder, address, client) = runtime.block_on(async {
            let broker = Broker::start_temporary(Settings::default()).await?;
            let (folder, address) = (broker.folder().to_owned(), broker.address());
            exchange(address, "topic", Some(Batch::of_producer(1, 0, 0).bytes())).await?;
            ensure!(folder.join("topic-0").exists() && !is_free(address), "the broker is not what it says");
            // A client that stays must not keep the broker alive.
            let client = spawn_blocking(move || Client::connect(address)).await??;
            drop(broker);
            anyhow::Ok((folder, address, client))
        })?;
        patience::until("folder and port to be free", || {
            // A runtime of one thread does something only while it is let.
            runtime.block_on(tokio::task::yield_now());
            Ok(!folder.exists() && is_free(address))
        })?;
        drop(client);
    }
    Ok(())
}

#[test]
fn a_temporary_broker_that_is_shut_down_leaves_nothing_at_once() -> anyhow::Result<()> {
    for runtime in runtimes()? {
        runtime.block_on(async {
            let broker = Broker::start_temporary(Settings::default()).await?;
            let (folder, address) = (broker.folder().to_owned(), broker.address());
            exchange(address, "topic", Some(Batch::of_producer(1, 0, 0).bytes())).await?;
            broker.shutdown().await?;
            ensure!(!folder.exists() && is_free(address), "{} or {address} is still there", folder.display());
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

/// As in `#[tokio::test]`: the panic drops the broker, then the runtime goes.
#[test]
fn a_test_that_panics_leaves_no_folder() -> anyhow::Result<()> {
    for runtime in runtimes()? {
        let mut folder = PathBuf::new();
        let test = AssertUnwindSafe(|| {
            runtime.block_on(async {
                let broker = Broker::start_temporary(Settings::default()).await.expect("a broker");
                folder = broker.folder().to_owned();
                assert!(!folder.exists(), "this is how tests fail");
            });
        });
        let panicked = catch_unwind(test).is_err();
        drop(runtime);
        ensure!(panicked && folder.is_absolute(), "the test did not fail");
        ensure!(!folder.exists(), "{} is still there", folder.display());
    }
    Ok(())
}

/// Neither a client nor a command on the control socket that stays connected may hold the folder of a broker that is gone.
#[test]
fn a_broker_that_is_dropped_lets_go_of_its_folder_and_loses_nothing() -> anyhow::Result<()> {
    for runtime in runtimes()? {
        let folder = folders::in_memory();
        let sent = Batch::of_producer(1, 0, 0).bytes();
        runtime.block_on(async {
            let broker = Broker::start(config(folder.path())?).await?;
            let address = broker.address();
            exchange(address, "topic", Some(sent.clone())).await?;
            let client = spawn_blocking(move || Client::connect(address)).await??;
            let command = std::os::unix::net::UnixStream::connect(folder.path().join("control.sock"))?;
            std::io::Write::write_all(&mut &command, b"GET /status HT")?;
            // The broker has read what came, once it has answered what came later.
            exchange(address, "topic", None).await?;
            drop(broker);
            ensure!(!folder.path().join("control.sock").exists(), "commands would wait for a broker that is gone");
            let again = next_owner(folder.path()).await?;
            let found = exchange(again.address(), "topic", None).await?;
            ensure!(found == [&sent[17..]], "{found:?}");
            again.shutdown().await?;
            drop((client, command));
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

/// The broker that gets the folder as soon as it is free.
async fn next_owner(folder: &Path) -> anyhow::Result<Broker> {
    const MOST_TRIES: usize = 10_000;
    let mut refusal = None;
    for _ in 0..MOST_TRIES {
        match Broker::start(config(folder)?).await {
            Ok(broker) => return Ok(broker),
            Err(error) => refusal = Some(error),
        }
        tokio::task::yield_now().await;
    }
    Err(refusal.context("no try")?).context("the folder is never let go of")
}

#[test]
fn a_broker_may_show_itself_as_several() -> anyhow::Result<()> {
    for runtime in runtimes()? {
        runtime.block_on(async {
            let broker = Broker::start_temporary(Settings::default().with("cutaway.nodes", 3)).await?;
            let addresses: Vec<SocketAddr> = broker.addresses().into_iter().map(|(_, address)| address).collect();
            ensure!(addresses.len() == 3 && addresses[0] == broker.address(), "{addresses:?}");
            ensure!(broker.status().nodes == 3, "{:?}", broker.status());
            for address in addresses {
                let topics = spawn_blocking(move || Client::connect(address)?.topics()).await??;
                ensure!(topics.is_empty(), "{address} has {topics:?}");
            }
            broker.shutdown().await?;
            anyhow::Ok(())
        })?;
    }
    Ok(())
}

/// A client hears of all nodes by the listener that it came in on, and of no other.
#[test]
fn nodes_with_two_listeners_each_are_told_by_the_one_that_is_asked() -> anyhow::Result<()> {
    let [runtime, _] = runtimes()?;
    runtime.block_on(async {
        let of_a_node = "PLAINTEXT://127.0.0.1:0,EXTERNAL://127.0.0.1:0";
        let settings = Settings::default()
            .with("cutaway.nodes", 2)
            .with("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT")
            .with("listeners", format!("{of_a_node},{of_a_node}"));
        let broker = Broker::start_temporary(settings).await?;
        let addresses = broker.addresses();
        let names: Vec<&str> = addresses.iter().map(|(name, _)| name.as_str()).collect();
        ensure!(names == ["PLAINTEXT", "EXTERNAL", "PLAINTEXT", "EXTERNAL"], "{addresses:?}");
        for (name, address) in addresses.clone() {
            let ask = move || {
                let request = MetadataRequest::default().with_topics(Some(vec![]));
                Client::connect(address)?.ask(9, &request)
            };
            let told = spawn_blocking(ask).await??.brokers;
            let told: Vec<(i32, i32)> = told.iter().map(|node| (node.node_id.0, node.port)).collect();
            let alike = addresses.iter().filter(|(other, _)| *other == name);
            let expected: Vec<(i32, i32)> = (1..).zip(alike.map(|(_, address)| i32::from(address.port()))).collect();
            ensure!(told == expected, "{name} at {address} tells {told:?}, not {expected:?}");
        }
        broker.shutdown().await?;
        anyhow::Ok(())
    })
}
