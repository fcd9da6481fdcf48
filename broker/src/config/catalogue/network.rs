//! Settings of listeners, connections and requests.

use super::super::definition::{Allowed, Definition, Kind, boolean, int, list, long, string, unset};

const KERNEL_BUFFERS: &str = "the kernel sizes socket buffers by itself, and does it better";
const THREADS: &str = "the runtime starts one thread for each processor core";

/// The rows, as a newcomer would ask for them.
pub(super) const ROWS: &[Definition] = &[
    list("listeners", "PLAINTEXT://127.0.0.1:9092", "Addresses to listen on, each as NAME://host:port.")
        .takes(Allowed::SomeOf)
        .differs(Some("PLAINTEXT://:9092"), "without TLS or passwords only this machine's own programs may connect"),
    unset(Kind::List, "advertised.listeners", "Addresses that clients are told to connect to, by listener name.")
        .takes(Allowed::SomeOf),
    string(
        "listener.security.protocol.map",
        "SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "The security protocol of each listener name, as NAME:PROTOCOL pairs.",
    ),
    boolean(
        "cutaway.allow.insecure.listeners",
        "false",
        "Lets a listener without encryption and passwords accept connections from other machines.",
    )
    .differs(None, "a key of Cutaway's own; Kafka always lets them"),
    int("socket.request.max.bytes", "104857600", "The largest request frame that is read.").at_least(1),
    int("socket.listen.backlog.size", "50", "Connections that the kernel holds until they are accepted.")
        .at_least(1)
        .without_effect("it is always 1024, which costs nothing"),
    long("queued.max.request.bytes", "268435456", "Bytes of requests above 64 KiB in memory at once; -1: no limit.")
        .differs(Some("-1"), "twenty clients that announce 100 MB each would otherwise use up the memory"),
    int("queued.max.requests", "500", "Requests that may wait for a request handler.")
        .at_least(1)
        .without_effect("each connection handles its own requests, so none wait in a common queue"),
    long("connections.max.idle.ms", "600000", "Idle connections are closed after this time; negative for never."),
    int("max.connections", "4096", "Connections that are open at once; more wait until others leave.")
        .at_least(0)
        .differs(Some("2147483647"), "a finite number keeps memory and file descriptors bounded"),
    int("max.connections.per.ip", "2147483647", "Connections from one address.")
        .at_least(0)
        .not_yet("limits for each address"),
    string("max.connections.per.ip.overrides", "", "Other limits for single addresses.")
        .not_yet("limits for each address"),
    int("max.connection.creation.rate", "2147483647", "New connections each second.")
        .at_least(0)
        .not_yet("connection rate limits"),
    int("fetch.max.bytes", "57671680", "The most that one fetch answer carries, unless its first batch is larger.")
        .at_least(1024),
    int("max.incremental.fetch.session.cache.slots", "1000", "Fetch sessions that are kept.").at_least(0),
    int("max.request.partition.size.limit", "2000", "Partitions in one DescribeTopicPartitions answer.").at_least(1),
    int("request.timeout.ms", "30000", "How long the broker waits for another broker's answer.")
        .without_effect("there is no other broker to ask"),
    int("socket.send.buffer.bytes", "102400", "SO_SNDBUF of a connection.").without_effect(KERNEL_BUFFERS),
    int("socket.receive.buffer.bytes", "102400", "SO_RCVBUF of a connection.").without_effect(KERNEL_BUFFERS),
    int("num.network.threads", "3", "Threads that read and write sockets.").at_least(1).without_effect(THREADS),
    int("num.io.threads", "8", "Threads that handle requests.").at_least(1).without_effect(THREADS),
    int("background.threads", "10", "Threads for background work.").at_least(1).without_effect(THREADS),
];
