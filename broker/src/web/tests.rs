//! A real socket in a real folder, spoken to as `cutaway status` and `cutaway stop` do.

use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::clock::Clock;
use crate::config::Settings;
use crate::journal::Journal;
use crate::names::Principal;
use crate::storage::disk::Disk;
use crate::topics::{NewTopic, Topics};

fn status(folder: &Path) -> Status {
    let address = "PLAINTEXT://127.0.0.1:1".to_owned();
    Status {
        version: "0".into(),
        pid: 1,
        cluster_id: "c".into(),
        node_id: 1,
        nodes: 1,
        listeners: vec![ListenerStatus {
            node: 1,
            name: "PLAINTEXT".into(),
            address: address.clone(),
            advertised: address,
        }],
        data_folder: folder.to_owned(),
        started_at_ms: 0,
        started_at: "then".into(),
        topics: 0,
        partitions: 0,
        recovery: vec!["a finding".into()],
    }
}

fn topics(folder: &Path) -> Arc<Topics> {
    let config = Settings::default().with("log.dirs", folder.display()).resolve().expect("legal settings");
    Topics::open(Disk::default(), Clock::system(), Arc::new(config), Journal::default()).expect("an empty folder")
}

/// One request; what came back, head and body.
async fn ask(folder: &Path, request: &str) -> String {
    let mut stream = connect(&Disk::default(), folder).await.expect("somebody listens");
    let request = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("the request goes out");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_told_with_the_counts_of_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let topics = topics(folder.path());
    let control = ControlSocket::open(&Disk::default(), folder.path(), status(folder.path()), &topics);
    let control = control.expect("a socket");
    let wanted = NewTopic { name: "t".into(), partitions: 3, replication_factor: 1, ..NewTopic::default() };
    topics.create(&Principal::anonymous(), wanted, false).await.expect("a topic");
    let answer = ask(folder.path(), "GET /status").await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let told: Status = serde_json::from_str(body).expect("a status");
    assert_eq!(told, Status { topics: 1, partitions: 3, ..status(folder.path()) });
    assert!(ask(folder.path(), "GET /nothing").await.starts_with("HTTP/1.1 404"));
    control.close(&Clock::system()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_handed_on_and_a_closed_socket_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk::default();
    let control = ControlSocket::open(&disk, folder.path(), status(folder.path()), &topics(folder.path()));
    let control = control.expect("a socket");
    assert!(ask(folder.path(), "GET /stop").await.starts_with("HTTP/1.1 405"), "reading must not stop a broker");
    assert!(ask(folder.path(), "POST /stop").await.starts_with("HTTP/1.1 202"));
    control.stop_asked().await;
    control.close(&Clock::system()).await;
    assert!(!disk.exists(&folder.path().join(SOCKET_FILE)));
    assert!(connect(&disk, folder.path()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_longer_than_an_address_works_and_a_stale_socket_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = folder.path().join("x".repeat(120));
    let disk = Disk::default();
    let topics = topics(&long);
    let stale = socket::listen(&disk, &long).expect("a socket");
    drop(stale);
    assert!(disk.exists(&long.join(SOCKET_FILE)) && connect(&disk, &long).await.is_err());
    let control = ControlSocket::open(&disk, &long, status(&long), &topics).expect("a socket");
    assert!(ask(&long, "GET /status").await.starts_with("HTTP/1.1 200"));
    control.close(&Clock::system()).await;
}

#[tokio::test]
async fn only_the_owner_may_connect() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let _listener = socket::listen(&Disk::default(), folder.path()).expect("a socket");
    let mode = folder.path().join(SOCKET_FILE).metadata().expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
