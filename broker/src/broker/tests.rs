//! A broker from its start to its end.

use super::*;

fn settings(folder: &Path, port: u16) -> BrokerConfig {
    let settings = Settings::default().with("log.dirs", folder.display());
    let settings = settings.with("listeners", format_args!("PLAINTEXT://127.0.0.1:{port}"));
    settings.resolve().expect("legal settings")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_starts_stops_and_starts_again_as_the_same_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Broker::start(settings(folder.path(), 0)).await.expect("a broker");
    let status = first.status();
    let (name, address) = first.addresses().remove(0);
    assert_eq!(status.listeners[0].address, format!("{name}://{address}"));
    assert_ne!(address.port(), 0);
    first.shutdown().await.expect("a healthy disk");
    let second = Broker::start(settings(folder.path(), 0)).await.expect("a broker");
    assert_eq!(second.status().cluster_id, status.cluster_id);
    assert_eq!(second.status().recovery, Vec::<String>::new());
    second.shutdown().await.expect("a healthy disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_names_the_flags_and_nothing_is_made() {
    let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let running = Broker::start(settings(folder.path(), 0)).await.expect("a broker");
    let port = running.addresses()[0].1.port();
    let data = other.path().join("data");
    let error = Broker::start(settings(&data, port)).await.expect_err("a taken port");
    assert!(!data.exists(), "the folder of a broker that never was");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(error.to_string().contains("--port 0"), "{error}");
    running.shutdown().await.expect("a healthy disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_in_use_is_refused_and_stays_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let running = Broker::start(settings(folder.path(), 0)).await.expect("a broker");
    let error = Broker::start(settings(folder.path(), 0)).await.expect_err("a folder in use");
    assert!(error.to_string().contains("another broker is using it"), "{error}");
    assert!(crate::web::connect(&Disk::default(), folder.path()).await.is_ok(), "the first one's socket is there");
    running.shutdown().await.expect("a healthy disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_made_names_the_flag() {
    let error = Broker::start(settings(Path::new("/dev/null/x"), 0)).await.expect_err("no folder");
    assert!(error.to_string().ends_with("choose another folder with --data (log.dirs)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_on_the_control_socket_reaches_the_broker() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let folder = tempfile::tempdir().expect("a folder");
    let broker = Broker::start(settings(folder.path(), 0)).await.expect("a broker");
    let mut socket = crate::web::connect(&Disk::default(), folder.path()).await.expect("a socket");
    let request = b"POST /stop HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    socket.write_all(request).await.expect("the request goes out");
    socket.read_to_end(&mut Vec::new()).await.expect("an answer");
    broker.stop_asked().await;
    broker.shutdown().await.expect("a healthy disk");
}

#[tokio::test]
async fn a_broker_goes_by_the_clock_that_it_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Clock::frozen_at(1_000);
    let broker = Broker::start_with_clock(settings(folder.path(), 0), clock.clone()).await.expect("a broker");
    clock.advance(Duration::from_secs(1));
    assert_eq!((broker.status().started_at_ms, broker.clock.now_ms()), (1_000, 2_000));
    broker.shutdown().await.expect("a healthy disk");
}

/// Who polls a start outside of tokio must hear of it, not see a panic.
#[test]
fn without_a_runtime_a_start_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let start = std::pin::pin!(Broker::start(settings(&data, 0)));
    let polled = start.poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    let std::task::Poll::Ready(outcome) = polled else { panic!("it waits for a runtime that is not there") };
    let sentence = outcome.expect_err("no runtime").to_string();
    assert!(sentence.starts_with("a broker needs a tokio runtime that runs: "), "{sentence}");
    assert!(!data.exists());
}

#[tokio::test]
async fn settings_of_a_temporary_broker_count_and_mistakes_are_told() {
    let settings = Settings::default().with("num.partitions", 5).with("log.dirs", "/not/there").with("node.id", 7);
    let broker = Broker::start_temporary(settings.clone()).await.expect("a broker");
    assert_eq!((broker.topics.config().num_partitions, broker.status().node_id), (5, 7));
    assert_eq!(broker.folder().parent(), Some(&*std::env::temp_dir()), "its folder is not the one of the settings");
    broker.shutdown().await.expect("a healthy disk");
    let error = Broker::start_temporary(settings.with("num.partitions", "many")).await.expect_err("no number");
    assert!(error.to_string().starts_with("num.partitions=many"), "{error}");
}
