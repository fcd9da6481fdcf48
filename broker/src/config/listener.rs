//! Listeners: where the broker listens, and what it tells its clients to connect to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::nodes::Nodes;
use super::settings::Entry;

/// Kafka's port; of several nodes the n-th has this and n times ten thousand, as three-broker tutorials do.
const PORT: i32 = 9092;
const PORTS_APART: i32 = 10_000;

/// One address the broker listens on, and the one it tells its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The id of the node whose it is.
    pub node: i32,
    /// `PLAINTEXT`, `INTERNAL`, ...
    pub name: String,
    /// The address to bind; empty for every interface. IPv6 without brackets.
    pub host: String,
    /// The port to bind; 0 for one that is free.
    pub port: u16,
    /// The host that clients are told.
    pub advertised_host: String,
    /// The port that clients are told; 0: the port that was bound.
    pub advertised_port: u16,
}

impl Listener {
    /// What is bound, as settings say it.
    pub(super) fn bound(&self) -> String {
        address(&self.name, &self.host, self.port)
    }

    /// What clients are told, as settings say it.
    pub(super) fn advertised(&self) -> String {
        address(&self.name, &self.advertised_host, self.advertised_port)
    }
}

fn address(name: &str, host: &str, port: u16) -> String {
    if host.contains(':') { format!("{name}://[{host}]:{port}") } else { format!("{name}://{host}:{port}") }
}

/// What was set about listeners, each with where it was set.
pub(super) struct ListenerSettings {
    pub(super) listeners: Entry,
    pub(super) advertised: Option<Entry>,
    pub(super) protocol_map: Entry,
    /// `controller.listener.names`.
    pub(super) controllers: Vec<String>,
    /// `cutaway.allow.insecure.listeners`.
    pub(super) allow_insecure: bool,
    pub(super) nodes: Nodes,
}

/// The listeners, and what people should know of how they were understood.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Listeners {
    pub(super) listeners: Vec<Listener>,
    pub(super) notes: Vec<String>,
}

/// `NAME://host:port`, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    name: String,
    host: String,
    port: u16,
}

/// What `listeners` says of so many nodes if nobody sets it: 127.0.0.1:19092 for the first, 127.0.0.1:29092 for the second.
pub(super) fn of_nodes_by_default(nodes: Nodes) -> String {
    let address = |number: i32| format!("PLAINTEXT://127.0.0.1:{}", number * PORTS_APART + PORT);
    (1..=nodes.count()).map(address).collect::<Vec<_>>().join(",")
}

/// What `listeners` says where each of so many nodes has a port of this machine that is free.
pub fn on_free_ports(node_count: i32) -> String {
    (0..node_count.max(1)).map(|_| "PLAINTEXT://127.0.0.1:0").collect::<Vec<_>>().join(",")
}

/// Reads the settings; the error is a sentence.
pub(super) fn read(settings: &ListenerSettings) -> Result<Listeners, String> {
    let protocols = read_protocol_map(&settings.protocol_map)?;
    let is_controller = |address: &Address| settings.controllers.contains(&address.name);
    let (controllers, listening): (Vec<Address>, Vec<Address>) =
        read_addresses(&settings.listeners)?.into_iter().partition(is_controller);
    let mut found = Listeners::default();
    if !controllers.is_empty() {
        let names: Vec<&str> = controllers.iter().map(|address| address.name.as_str()).collect();
        let names = names.join(", ");
        found.notes.push(format!("listener {names} is for controllers only and is not opened: one process needs none"));
    }
    if listening.is_empty() {
        return Err(format!("{}: names no listener for clients", settings.listeners));
    }
    let listening = share_out(&settings.listeners, listening, settings.nodes)?;
    let advertised = match &settings.advertised {
        Some(entry) => {
            let told = read_advertised(entry)?.into_iter().filter(|address| !is_controller(address)).collect();
            let told = if settings.nodes.is_single() { vec![told] } else { share_out(entry, told, settings.nodes)? };
            told.iter().zip(&listening).try_for_each(|(told, listening)| check_advertised(entry, told, listening))?;
            told
        }
        None => vec![Vec::new(); listening.len()],
    };
    for ((node, listening), advertised) in settings.nodes.ids().zip(listening).zip(advertised) {
        check_names(&settings.listeners, listening.iter().chain(&controllers))?;
        for address in listening {
            require_plaintext(&address, &protocols, settings)?;
            let own = advertised.iter().find(|candidate| candidate.name == address.name);
            found.listeners.push(open(node, address, own, settings, &mut found.notes)?);
        }
    }
    Ok(found)
}

/// Gives each node its share of the addresses, in their order; all nodes have listeners of the same names.
fn share_out(entry: &Entry, addresses: Vec<Address>, nodes: Nodes) -> Result<Vec<Vec<Address>>, String> {
    let (found, wanted) = (addresses.len(), usize::try_from(nodes.count()).unwrap_or(1));
    if found == 0 || found % wanted != 0 {
        let listeners = if found == 1 { "listener" } else { "listeners" };
        return Err(format!(
            "{entry}: names {found} {listeners}, and {wanted} nodes need {wanted}, one for each, or as many for each"
        ));
    }
    let shares: Vec<Vec<Address>> = addresses.chunks(found / wanted).map(<[Address]>::to_vec).collect();
    for (node, share) in nodes.ids().zip(&shares) {
        if let Some(odd) = share.iter().find(|one| !shares[0].iter().any(|first| first.name == one.name)) {
            return Err(format!("{entry}: node {node} has a listener {}, and the first node has none", odd.name));
        }
    }
    Ok(shares)
}

/// Decides what is bound and what is advertised for one listener.
fn open(
    node: i32,
    address: Address,
    advertised: Option<&Address>,
    settings: &ListenerSettings,
    notes: &mut Vec<String>,
) -> Result<Listener, String> {
    let Address { name, mut host, port } = address;
    let here_only = advertised.is_some_and(|advertised| is_loopback(&advertised.host));
    if !is_loopback(&host) && !settings.allow_insecure {
        if !is_every_interface(&host) || !here_only {
            return Err(format!(
                "{}: {name} would accept connections from other machines without encryption or passwords; use \
                 127.0.0.1, or allow it with cutaway.allow.insecure.listeners=true (--allow-insecure-listeners)",
                settings.listeners
            ));
        }
        // What a stock KRaft server.properties says: listen everywhere, tell clients `localhost`.
        notes.push(format!(
            "listener {name} is advertised as local only, so it is bound to 127.0.0.1 and not to every interface \
             (cutaway.allow.insecure.listeners=true opens it to other machines)"
        ));
        host = "127.0.0.1".into();
    } else if !is_loopback(&host) {
        notes.push(format!(
            "listener {name} accepts connections from other machines without encryption or passwords: \
             whoever reaches its port reads and writes everything"
        ));
    }
    let (advertised_host, advertised_port) = match advertised {
        Some(advertised) => (advertised.host.clone(), advertised.port),
        None if is_every_interface(&host) => ("localhost".into(), 0),
        None => (host.clone(), 0),
    };
    Ok(Listener { node, name, host, port, advertised_host, advertised_port })
}

fn read_addresses(entry: &Entry) -> Result<Vec<Address>, String> {
    let mut found: Vec<Address> = Vec::new();
    for text in entry.value.split(',') {
        let address = parse_address(text.trim()).ok_or_else(|| {
            format!("{entry}: {:?} must be NAME://host:port, as in PLAINTEXT://127.0.0.1:9092", text.trim())
        })?;
        if address.port != 0 && found.iter().any(|other| clash(other, &address)) {
            return Err(format!("{entry}: each listener must have a different port, and {} comes twice", address.port));
        }
        found.push(address);
    }
    Ok(found)
}

/// Two listeners that cannot both be bound. As in Kafka, an IPv4 and an IPv6 address may share a port.
fn clash(a: &Address, b: &Address) -> bool {
    let is_v6 = |address: &Address| address.host.parse::<IpAddr>().map(|ip| ip.is_ipv6()).ok();
    a.port == b.port && !matches!((is_v6(a), is_v6(b)), (Some(a), Some(b)) if a != b)
}

/// One node's listeners, and those of controllers, have names of their own.
fn check_names<'a>(entry: &Entry, addresses: impl Iterator<Item = &'a Address>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for Address { name, .. } in addresses {
        if !seen.insert(name) {
            return Err(format!("{entry}: each listener must have a different name, and {name} comes twice"));
        }
    }
    Ok(())
}

/// Reads `advertised.listeners`, where several listeners may share a port.
fn read_advertised(entry: &Entry) -> Result<Vec<Address>, String> {
    let read = |text: &str| {
        parse_address(text.trim()).ok_or_else(|| {
            format!("{entry}: {:?} must be NAME://host:port, as in PLAINTEXT://localhost:9092", text.trim())
        })
    };
    entry.value.split(',').map(read).collect()
}

/// What a node advertises are listeners that it has, by addresses that lead somewhere.
fn check_advertised(entry: &Entry, advertised: &[Address], listening: &[Address]) -> Result<(), String> {
    check_names(entry, advertised.iter())?;
    for address in advertised {
        if is_every_interface(&address.host) {
            return Err(format!("{entry}: {} must name a host that clients can reach", address.name));
        }
        if !listening.iter().any(|listener| listener.name == address.name) {
            return Err(format!("{entry}: {} is not one of the names in listeners", address.name));
        }
    }
    Ok(())
}

fn read_protocol_map(entry: &Entry) -> Result<BTreeMap<String, String>, String> {
    let mut map = BTreeMap::new();
    for pair in entry.value.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, protocol) =
            pair.split_once(':').ok_or_else(|| format!("{entry}: {pair:?} must be NAME:PROTOCOL"))?;
        let (name, protocol) = (name.trim().to_uppercase(), protocol.trim().to_uppercase());
        if map.insert(name.clone(), protocol).is_some() {
            return Err(format!("{entry}: {name} comes twice"));
        }
    }
    Ok(map)
}

fn require_plaintext(
    address: &Address,
    protocols: &BTreeMap<String, String>,
    settings: &ListenerSettings,
) -> Result<(), String> {
    match protocols.get(&address.name).map(String::as_str) {
        Some("PLAINTEXT") => Ok(()),
        Some(protocol @ ("SSL" | "SASL_PLAINTEXT" | "SASL_SSL")) => Err(format!(
            "{}: {} uses {protocol}, which is not supported yet; only PLAINTEXT is",
            settings.listeners, address.name
        )),
        Some(protocol) => Err(format!(
            "{}: {protocol} is no security protocol; the protocols are PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL",
            settings.protocol_map
        )),
        None => Err(format!(
            "{}: {} has no security protocol; add {}:PLAINTEXT to listener.security.protocol.map",
            settings.listeners, address.name, address.name
        )),
    }
}

/// `NAME://host:port`; a host in brackets is IPv6.
fn parse_address(text: &str) -> Option<Address> {
    let (name, rest) = text.split_once("://")?;
    let (host, port) = rest.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(bracketed) => {
            let host = bracketed.strip_suffix(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            host
        }
        None if host.contains(':') => return None,
        None => host,
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if name.is_empty() || !name.bytes().all(legal) || host.contains(['/', '[', ']', ' ']) {
        return None;
    }
    // Kafka's names are in capitals, however they are written.
    Some(Address { name: name.to_uppercase(), host: host.to_owned(), port: port.parse().ok()? })
}

fn is_every_interface(host: &str) -> bool {
    host.is_empty() || host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[path = "listener_tests.rs"]
mod tests;
