//! Which broker a command talks to.

use clap::Args;

/// Kafka's port, for addresses that name none.
const PORT: u16 = 9092;

/// Where the broker is.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct BrokerOptions {
    /// The broker, or several of a cluster: HOST:PORT, separated by commas. Without it KAFKA_BROKER counts, then
    /// 127.0.0.1:9092.
    #[arg(
        short = 'b', long, aliases = ["brokers", "bootstrap-server"], value_name = "HOST:PORT", global = true,
        value_parser = addresses
    )]
    broker: Option<String>,
}

impl BrokerOptions {
    /// Whether the command line names one.
    pub(crate) fn is_named(&self) -> bool {
        self.broker.is_some()
    }

    /// A broker at an address, whatever the environment says.
    pub(crate) fn at(address: String) -> BrokerOptions {
        BrokerOptions { broker: Some(address) }
    }

    /// What the command line names, or the environment.
    pub(crate) fn named(&self) -> Option<String> {
        let of_environment = || std::env::var("KAFKA_BROKER").ok().filter(|value| !value.trim().is_empty());
        self.broker.clone().or_else(of_environment)
    }

    /// The addresses to try, in order.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.named().unwrap_or_else(|| "127.0.0.1".into()).split(',').map(with_port).collect()
    }
}

/// An address as it is printed by a broker may have the name of its listener in front, and needs no port.
fn with_port(address: &str) -> String {
    let address = address.trim();
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let has_port = match address.rsplit_once(':') {
        // An IPv6 address has colons of its own, and its port after a bracket.
        Some((host, port)) => port.parse::<u16>().is_ok() && (!host.contains(':') || host.ends_with(']')),
        None => false,
    };
    match (has_port, address.contains(':') && !address.starts_with('[')) {
        (true, _) => address.to_owned(),
        (false, true) => format!("[{address}]:{PORT}"),
        (false, false) => format!("{address}:{PORT}"),
    }
}

/// Refuses what cannot be an address.
fn addresses(text: &str) -> Result<String, String> {
    let is_address = |address: &str| {
        let address = address.trim();
        let host_and_port = address.split_once("://").map_or(address, |(_, rest)| rest);
        let is_one_word = !host_and_port.is_empty() && !host_and_port.contains(['/', ' ']);
        // `host:port` with a port that is none; several colons are an IPv6 address.
        let port = host_and_port.split_once(':').map(|(_, port)| port).filter(|port| !port.contains(':'));
        is_one_word && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    match text.split(',').all(is_address) {
        true => Ok(text.to_owned()),
        false => Err("must be HOST:PORT, as in 127.0.0.1:9092; several are separated by commas".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_need_no_port_and_may_be_as_a_broker_prints_them() {
        for (typed, dialled) in [
            ("kafka", "kafka:9092"),
            ("kafka:1", "kafka:1"),
            (" PLAINTEXT://127.0.0.1:19092", "127.0.0.1:19092"),
            ("[::1]:5", "[::1]:5"),
            ("[::1]", "[::1]:9092"),
            ("::1", "[::1]:9092"),
        ] {
            assert_eq!(with_port(typed), dialled);
            assert!(addresses(typed).is_ok(), "{typed}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for typed in ["", "a,", "host:port", "host:0", "host:70000", "http://x/y", "a b"] {
            assert!(addresses(typed).is_err(), "{typed}");
        }
        assert!(addresses("a:1,b:2").is_ok());
    }
}
