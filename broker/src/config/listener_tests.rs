//! Tests of listeners: what is opened, what is advertised, and every refusal.

use super::*;
use crate::config::Origin;

fn entry(key: &str, value: &str) -> Entry {
    Entry { key: key.into(), value: value.into(), origin: Origin::File { name: "s.p".into(), line: 7 } }
}

fn settings(listeners: &str, advertised: Option<&str>) -> ListenerSettings {
    ListenerSettings {
        listeners: entry("listeners", listeners),
        advertised: advertised.map(|value| entry("advertised.listeners", value)),
        protocol_map: entry(
            "listener.security.protocol.map",
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,ODD:ODD",
        ),
        controllers: vec!["CONTROLLER".into()],
        allow_insecure: false,
        nodes: Nodes::new(1, 1),
    }
}

fn listener(name: &str, host: &str, port: u16, advertised_host: &str, advertised_port: u16) -> Listener {
    Listener {
        node: 1,
        name: name.into(),
        host: host.into(),
        port,
        advertised_host: advertised_host.into(),
        advertised_port,
    }
}

#[test]
fn listeners_are_advertised_as_they_listen() {
    let found = read(&settings("plaintext://127.0.0.1:9092, EXTERNAL://[::1]:0", None)).expect("legal");
    assert_eq!(
        found.listeners,
        [listener("PLAINTEXT", "127.0.0.1", 9092, "127.0.0.1", 0), listener("EXTERNAL", "::1", 0, "::1", 0)]
    );
    assert_eq!(found.notes, Vec::<String>::new());
}

#[test]
fn advertised_listeners_count_by_name() {
    let found = read(&settings(
        "PLAINTEXT://127.0.0.1:9092,EXTERNAL://127.0.0.1:19092",
        Some("EXTERNAL://kafka.example:443,PLAINTEXT://localhost:9092"),
    ))
    .expect("legal");
    assert_eq!(found.listeners[0], listener("PLAINTEXT", "127.0.0.1", 9092, "localhost", 9092));
    assert_eq!(found.listeners[1], listener("EXTERNAL", "127.0.0.1", 19092, "kafka.example", 443));
}

#[test]
fn a_stock_kraft_file_is_bound_to_loopback_and_its_controller_is_left_out() {
    let found = read(&settings(
        "PLAINTEXT://:9092,CONTROLLER://:9093",
        Some("PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093"),
    ))
    .expect("legal");
    assert_eq!(found.listeners, [listener("PLAINTEXT", "127.0.0.1", 9092, "localhost", 9092)]);
    assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
}

#[test]
fn other_machines_get_in_only_when_asked_for() {
    let mut open = settings("PLAINTEXT://0.0.0.0:9092", Some("PLAINTEXT://broker:9092"));
    let refusal = read(&open).expect_err("refused");
    assert!(refusal.contains("--allow-insecure-listeners"), "{refusal}");
    open.allow_insecure = true;
    let found = read(&open).expect("allowed");
    assert_eq!(found.listeners, [listener("PLAINTEXT", "0.0.0.0", 9092, "broker", 9092)]);
    assert!(found.notes[0].contains("without encryption"), "{:?}", found.notes);
}

#[test]
fn an_allowed_listener_keeps_its_every_interface() {
    let mut open = settings("PLAINTEXT://:9092", Some("PLAINTEXT://localhost:9092"));
    open.allow_insecure = true;
    assert_eq!(read(&open).expect("allowed").listeners[0].host, "");
}

#[test]
fn refusals_name_the_value_the_place_and_the_rule() {
    for (listeners, advertised, expected) in [
        ("nonsense", None, "listeners=nonsense (s.p line 7): \"nonsense\" must be NAME://host:port"),
        ("PLAINTEXT://h:70000", None, "must be NAME://host:port"),
        ("PLAINTEXT://::1:9092", None, "must be NAME://host:port"),
        ("PLAINTEXT://[x]:9092", None, "must be NAME://host:port"),
        ("PLAINTEXT://127.0.0.1:1,PLAINTEXT://127.0.0.1:2", None, "different name, and PLAINTEXT comes twice"),
        ("PLAINTEXT://127.0.0.1:1,EXTERNAL://127.0.0.1:1", None, "different port, and 1 comes twice"),
        ("CONTROLLER://:9093", None, "names no listener for clients"),
        ("SSL://127.0.0.1:9092", None, "SSL uses SSL, which is not supported yet"),
        ("SASL_SSL://127.0.0.1:9092", None, "SASL_SSL uses SASL_SSL, which is not supported yet"),
        ("ODD://127.0.0.1:9092", None, "ODD is no security protocol"),
        ("OTHER://127.0.0.1:9092", None, "add OTHER:PLAINTEXT to listener.security.protocol.map"),
        ("PLAINTEXT://:9092", None, "from other machines"),
        ("PLAINTEXT://192.0.2.1:9092", Some("PLAINTEXT://localhost:9092"), "from other machines"),
        ("PLAINTEXT://127.0.0.1:1", Some("EXTERNAL://h:1"), "EXTERNAL is not one of the names in listeners"),
        ("PLAINTEXT://127.0.0.1:1", Some("PLAINTEXT://0.0.0.0:1"), "must name a host that clients can reach"),
        ("PLAINTEXT://127.0.0.1:1", Some("PLAINTEXT://a:1,PLAINTEXT://b:1"), "PLAINTEXT comes twice"),
        ("PLAINTEXT://127.0.0.1:1", Some("h:1"), "advertised.listeners=h:1 (s.p line 7): \"h:1\" must be"),
    ] {
        let refusal = read(&settings(listeners, advertised)).expect_err(listeners);
        assert!(refusal.contains(expected), "{refusal}");
        assert!(refusal.contains("(s.p line 7)"), "{refusal}");
    }
}

#[test]
fn a_port_may_serve_ipv4_and_ipv6() {
    let found = read(&settings("PLAINTEXT://127.0.0.1:9092,EXTERNAL://[::1]:9092", None)).expect("legal");
    assert_eq!(found.listeners.len(), 2);
}

#[test]
fn a_flag_that_says_where_to_listen_is_not_overruled_by_what_a_file_advertises() {
    let file = b"listeners=PLAINTEXT://127.0.0.1:9092\nadvertised.listeners=PLAINTEXT://elsewhere:9092";
    let settings = crate::config::Settings::default().with_file("server.properties", file).expect("a good file");
    let by_file = settings.clone().resolve().expect("good settings");
    assert_eq!(by_file.listeners[0].advertised_host, "elsewhere");
    let by_flag = settings.with_flag("--port", "listeners", "PLAINTEXT://127.0.0.1:31014").resolve();
    let by_flag = by_flag.expect("good settings");
    assert_eq!(by_flag.listeners, [listener("PLAINTEXT", "127.0.0.1", 31014, "127.0.0.1", 0)]);
    assert!(by_flag.notes.iter().any(|note| note.contains("passed over, because --port")), "{:?}", by_flag.notes);
}

/// Settings of three nodes.
fn of_three(listeners: &str, advertised: Option<&str>) -> ListenerSettings {
    ListenerSettings { nodes: Nodes::new(1, 3), ..settings(listeners, advertised) }
}

#[test]
fn several_nodes_have_listeners_of_their_own() {
    assert_eq!(
        of_nodes_by_default(Nodes::new(1, 3)),
        "PLAINTEXT://127.0.0.1:19092,PLAINTEXT://127.0.0.1:29092,PLAINTEXT://127.0.0.1:39092"
    );
    let found = read(&of_three(&on_free_ports(3), None)).expect("legal").listeners;
    let told: Vec<_> = found.iter().map(|listener| (listener.node, listener.name.as_str(), listener.port)).collect();
    assert_eq!(told, [(1, "PLAINTEXT", 0), (2, "PLAINTEXT", 0), (3, "PLAINTEXT", 0)]);
    let address = |name: &str, port: u16| format!("{name}://127.0.0.1:{port}");
    let two_each: Vec<String> =
        [1, 2, 3].iter().flat_map(|node| [address("PLAINTEXT", *node), address("EXTERNAL", node + 3)]).collect();
    let told = "EXTERNAL://a:1,EXTERNAL://b:2,EXTERNAL://c:3";
    let found = read(&of_three(&two_each.join(","), Some(told))).expect("legal").listeners;
    let told: Vec<_> = found.iter().map(|it| (it.node, it.port, it.advertised_host.as_str())).collect();
    let here = "127.0.0.1";
    assert_eq!(told, [(1, 1, here), (1, 4, "a"), (2, 2, here), (2, 5, "b"), (3, 3, here), (3, 6, "c")]);
}

#[test]
fn listeners_that_cannot_be_shared_out_are_refused() {
    let two = "PLAINTEXT://127.0.0.1:1,PLAINTEXT://127.0.0.1:2";
    let three = format!("{two},PLAINTEXT://127.0.0.1:3");
    for (listeners, advertised, why) in [
        (two, None, "names 2 listeners, and 3 nodes need 3, one for each, or as many for each"),
        (&three, Some("PLAINTEXT://a:1"), "names 1 listener, and 3 nodes need 3"),
        (&three.replace(":3", ":2"), None, "each listener must have a different port, and 2 comes twice"),
        (&format!("{two},EXTERNAL://127.0.0.1:3"), None, "node 3 has a listener EXTERNAL, and the first node has none"),
        (&format!("{three},{}", three.replace(".1:", ".1:1")), None, "a different name, and PLAINTEXT comes twice"),
    ] {
        let refused = read(&of_three(listeners, advertised)).expect_err(why);
        assert!(refused.contains(why), "{refused}");
    }
}
