//! Settings of identity, groups, transactions, security, and of the cluster that one process does not need.

use super::super::definition::{Allowed, Definition, Kind, boolean, int, list, long, short, string, unset};
use super::super::limits::MAX_NODES;

const GROUPS: &str = "consumer groups of the new protocol";
const TRANSACTIONS: &str = "transactions";
const AUTHENTICATION: &str = "authentication and authorization";
const TLS: &str = "TLS";
const ONE_NODE: &str = "one process is its own controller";
const NO_REPLICAS: &str = "there is no replication between machines";

/// The rows, by theme.
pub(super) const ROWS: &[Definition] = &[
    int("node.id", "1", "The number that this broker is known by.")
        .at_least(0)
        .differs(None, "so that a broker starts without any configuration"),
    int("cutaway.nodes", "1", "Brokers that this process shows itself as, with `node.id` and the ids after it.")
        .takes(Allowed::Between(1, MAX_NODES as i64))
        .differs(None, "a key of Cutaway's own: several nodes are simulated over one copy of the data"),
    int("broker.id", "-1", "The old name of `node.id`.").unless("node.id"),
    unset(Kind::String, "broker.rack", "Where this broker stands.").without_effect(NO_REPLICAS),
    list("process.roles", "broker", "Whether the process is a broker, a controller, or both.")
        .takes(Allowed::EachOf(&["broker", "controller"]))
        .differs(None, "so that a broker starts without any configuration"),
    unset(Kind::List, "controller.listener.names", "Listeners that only controllers use; they are not opened."),
    unset(Kind::String, "inter.broker.listener.name", "The listener that brokers use among themselves.")
        .without_effect(ONE_NODE),
    string("security.inter.broker.protocol", "PLAINTEXT", "The protocol that brokers use among themselves.")
        .takes(Allowed::OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]))
        .without_effect(ONE_NODE),
    list("controller.quorum.voters", "", "The controllers, as id@host:port.").without_effect(ONE_NODE),
    list("controller.quorum.bootstrap.servers", "", "Where the controllers are found.").without_effect(ONE_NODE),
    unset(Kind::String, "metadata.log.dir", "The folder of the metadata log.")
        .without_effect("metadata lies in the data folder, in one file"),
    int("default.replication.factor", "1", "Replicas of a topic whose creator does not say how many.")
        .takes(Allowed::Between(1, 32_767)),
    boolean("unclean.leader.election.enable", "false", "Lets a replica that lost records become leader.")
        .without_effect(NO_REPLICAS),
    boolean("auto.leader.rebalance.enable", "true", "Gives leadership back to preferred replicas.")
        .without_effect(NO_REPLICAS),
    boolean("controlled.shutdown.enable", "true", "Hands leadership over before stopping.").without_effect(NO_REPLICAS),
    int("num.replica.fetchers", "1", "Threads that copy from leaders.").at_least(1).without_effect(NO_REPLICAS),
    long("replica.lag.time.max.ms", "30000", "After which a silent follower is out of sync.")
        .without_effect(NO_REPLICAS),
    int("replica.fetch.max.bytes", "1048576", "What a follower fetches at most from one partition.")
        .at_least(0)
        .without_effect(NO_REPLICAS),
    int("group.initial.rebalance.delay.ms", "0", "How long the first member of a group waits for others.").differs(
        Some("3000"),
        "so that the first record comes at once, as with Kafka's own settings for a quick start",
    ),
    int("group.min.session.timeout.ms", "6000", "The shortest session timeout a member may ask for."),
    int("group.max.session.timeout.ms", "1800000", "The longest session timeout a member may ask for."),
    int("group.max.size", "2147483647", "Members of one group.").at_least(1),
    list("group.coordinator.rebalance.protocols", "classic,consumer,streams", "Group protocols on offer.")
        .takes(Allowed::EachOf(&["consumer", "classic", "share", "streams"]))
        .not_yet(GROUPS),
    int("offsets.topic.num.partitions", "4", "Partitions of __consumer_offsets when it is made.")
        .at_least(1)
        .differs(Some("50"), "because a few folders are easier to look at than fifty, and one machine needs no more"),
    short("offsets.topic.replication.factor", "3", "Replicas of __consumer_offsets, as far as there are nodes.")
        .at_least(1),
    int("offsets.topic.segment.bytes", "104857600", "Segment size of __consumer_offsets.").at_least(1),
    int("offsets.retention.minutes", "10080", "How long an empty group's offsets are kept.").at_least(1),
    long("offsets.retention.check.interval.ms", "600000", "How often expired offsets are looked for.").at_least(1),
    int("offset.metadata.max.bytes", "4096", "The longest text beside a committed offset."),
    int("transaction.state.log.num.partitions", "50", "Partitions of __transaction_state when it is made.")
        .at_least(1)
        .not_yet(TRANSACTIONS),
    short("transaction.state.log.replication.factor", "3", "Replicas of __transaction_state.")
        .at_least(1)
        .without_effect(NO_REPLICAS),
    int("transaction.state.log.min.isr", "2", "Replicas that must have a transaction's state.")
        .at_least(1)
        .without_effect(NO_REPLICAS),
    int("transaction.state.log.segment.bytes", "104857600", "Segment size of __transaction_state.")
        .at_least(1)
        .not_yet(TRANSACTIONS),
    int("transaction.max.timeout.ms", "900000", "The longest transaction a producer may ask for.").at_least(1),
    int("transactional.id.expiration.ms", "604800000", "A transactional id that is silent this long is forgotten.")
        .at_least(1)
        .not_yet(TRANSACTIONS),
    short("share.coordinator.state.topic.replication.factor", "3", "Replicas of __share_group_state.")
        .at_least(1)
        .without_effect(NO_REPLICAS),
    short("share.coordinator.state.topic.min.isr", "2", "Replicas that must have a share group's state.")
        .at_least(1)
        .without_effect(NO_REPLICAS),
    list("sasl.enabled.mechanisms", "GSSAPI", "Mechanisms by which clients say who they are.").not_yet(AUTHENTICATION),
    unset(Kind::Password, "sasl.jaas.config", "Users and passwords in Java's form.").not_yet(AUTHENTICATION),
    string("authorizer.class.name", "", "What decides who may do what.").not_yet(AUTHENTICATION),
    unset(Kind::String, "super.users", "Principals that may do everything, separated by semicolons.")
        .not_yet(AUTHENTICATION),
    boolean("allow.everyone.if.no.acl.found", "false", "Whether what no rule speaks of is allowed.")
        .not_yet(AUTHENTICATION),
    unset(Kind::String, "ssl.keystore.location", "The file with the broker's key and certificate.").not_yet(TLS),
    string("ssl.keystore.type", "JKS", "The form of that file.").not_yet(TLS),
    unset(Kind::Password, "ssl.keystore.password", "The password of that file.").not_yet(TLS),
    unset(Kind::Password, "ssl.keystore.key", "The broker's key as text.").not_yet(TLS),
    unset(Kind::Password, "ssl.keystore.certificate.chain", "The broker's certificate as text.").not_yet(TLS),
    unset(Kind::Password, "ssl.key.password", "The password of the key.").not_yet(TLS),
    unset(Kind::String, "ssl.truststore.location", "The file with the certificates that are trusted.").not_yet(TLS),
    string("ssl.truststore.type", "JKS", "The form of that file.").not_yet(TLS),
    unset(Kind::Password, "ssl.truststore.password", "The password of that file.").not_yet(TLS),
    string("ssl.client.auth", "none", "Whether clients must show a certificate.")
        .takes(Allowed::OneOf(&["required", "requested", "none"]))
        .not_yet(TLS),
    list("ssl.enabled.protocols", "TLSv1.2,TLSv1.3", "TLS versions on offer.").not_yet(TLS),
];
