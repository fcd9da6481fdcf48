//! As how many brokers the process shows itself, and where those listen.

use clap::Args;
use cutaway::config::{Settings, SettingsError, on_free_ports};

/// As how many brokers the process shows itself.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct NodesOption {
    /// Show this process as so many brokers, from 1 to 5 (cutaway.nodes): simulated, with one copy of the data. Without other
    /// settings they listen on 127.0.0.1:19092, 127.0.0.1:29092 and so on.
    #[arg(long, allow_negative_numbers = true, value_name = "N")]
    nodes: Option<String>,
}

impl NodesOption {
    /// Sets what was asked for.
    pub(crate) fn set(&self, settings: Settings) -> Settings {
        match &self.nodes {
            Some(count) => settings.with_flag("--nodes", "cutaway.nodes", count),
            None => settings,
        }
    }

    /// Whether anything was.
    pub(crate) fn is_given(&self) -> bool {
        self.nodes.is_some()
    }

    /// The same for another process.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().flat_map(|count| ["--nodes", count])
    }
}

/// The listeners of so many nodes, from a port on.
pub(super) fn from_port(port: u16, node_count: i32) -> Result<String, SettingsError> {
    if port == 0 {
        return Ok(on_free_ports(node_count));
    }
    let ports: Vec<i32> = (0..node_count).map(|index| i32::from(port) + index).collect();
    if ports.iter().any(|port| u16::try_from(*port).is_err()) {
        let sentence = format!("--port {port}: leaves no ports for {node_count} nodes, of which each has the next one");
        return Err(SettingsError { sentences: vec![sentence] });
    }
    Ok(ports.iter().map(|port| format!("PLAINTEXT://127.0.0.1:{port}")).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use cutaway::config::BrokerConfig;

    use crate::cli::arguments::Arguments;

    /// What comes of these arguments.
    fn config(arguments: &[&str]) -> Result<BrokerConfig, String> {
        let all = std::iter::once("cutaway").chain(arguments.iter().copied());
        let start = Arguments::try_parse_from(all).expect("legal arguments").start;
        start.broker_config(Vec::new()).map_err(|error| error.to_string())
    }

    /// Where the nodes listen, by their ids.
    fn listening(arguments: &[&str]) -> Vec<(i32, String)> {
        let listeners = config(arguments).expect("legal").listeners;
        listeners.iter().map(|listener| (listener.node, format!("{}:{}", listener.host, listener.port))).collect()
    }

    #[test]
    fn nodes_listen_where_tutorials_look_for_them_unless_told_otherwise() {
        let here = |nodes: &[(i32, u16)]| -> Vec<(i32, String)> {
            nodes.iter().map(|(node, port)| (*node, format!("127.0.0.1:{port}"))).collect()
        };
        assert_eq!(listening(&["--nodes", "3"]), here(&[(1, 19092), (2, 29092), (3, 39092)]));
        assert_eq!(listening(&["--nodes", "5"]).len(), 5);
        assert_eq!(listening(&["--nodes", "1"]), here(&[(1, 9092)]));
        assert_eq!(listening(&[]), here(&[(1, 9092)]));
        assert_eq!(listening(&["--nodes", "2", "--port", "7000"]), here(&[(1, 7000), (2, 7001)]));
        assert_eq!(listening(&["--nodes", "2", "--port", "0"]), here(&[(1, 0), (2, 0)]));
        for several in
            [&["--listen", "127.0.0.1:5,127.0.0.1:6"][..], &["--listeners", "127.0.0.1:5", "--listen", "127.0.0.1:6"]]
        {
            assert_eq!(listening(&[&["--nodes", "2"], several].concat()), here(&[(1, 5), (2, 6)]));
        }
        let ids = listening(&["--nodes", "2", "--port", "0", "--override", "node.id=7"]);
        assert_eq!(ids, here(&[(7, 0), (8, 0)]));
    }

    #[test]
    fn what_cannot_be_is_a_sentence() {
        for (arguments, sentence) in [
            (&["--nodes", "6"][..], "cutaway.nodes=6 (--nodes): must be a whole number from 1 to 5"),
            (&["--nodes", "0"], "cutaway.nodes=0 (--nodes): must be a whole number from 1 to 5"),
            (&["--nodes", "three"], "cutaway.nodes=three (--nodes): must be a whole number from 1 to 5"),
            (
                &["--nodes", "3", "--listen", "127.0.0.1:5,127.0.0.1:6"],
                "listeners=PLAINTEXT://127.0.0.1:5,PLAINTEXT://127.0.0.1:6 (--listen): names 2 listeners, and 3 nodes need 3, \
                 one for each, or as many for each",
            ),
            (
                &["--nodes", "3", "--port", "65534"],
                "--port 65534: leaves no ports for 3 nodes, of which each has the next one",
            ),
            (
                &["--nodes", "2", "--port", "0", "--override", "node.id=2147483647"],
                "node.id=2147483647 (--override): leaves no ids for 2 nodes",
            ),
        ] {
            assert_eq!(config(arguments).expect_err(sentence), sentence);
        }
    }
}
