//! What is printed when a broker serves: where it is, and commands that run as printed. At most eight lines.

use std::fmt::{Display, Write};
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use cutaway::storage::disk::Disk;
use cutaway::web::Status;

/// How mistakes are painted.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// How notes are painted.
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default().bold();
const TITLE: Style = Style::new().bold();
/// How labels and the heads of tables are painted.
pub(crate) const LABEL: Style = Style::new().dimmed();

/// A text in a style. The streams of `anstream` take the style out again where there is no colour.
pub(crate) fn paint(text: impl Display, style: Style) -> String {
    format!("{style}{text}{style:#}")
}

/// The banner of a broker that just began to serve, or was found serving. The first line tells its address to people
/// and to scripts: `cutaway 0.1.0 serves 127.0.0.1:9092`.
pub(crate) fn render(status: &Status, verb: &str, tools: &Tools) -> String {
    let Status { version, cluster_id, node_id, nodes, listeners, topics, partitions, .. } = status;
    let mut text = String::new();
    let mut line = |label: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}", detail(label, value));
    };
    let folder = shell_word(&status.data_folder);
    let advertised: Vec<&str> = listeners.iter().map(|listener| listener.advertised.as_str()).collect();
    let bootstrap = advertised.first().map_or("", |address| host_and_port(address));
    line("clients", advertised.join(", "));
    let copies = if *nodes > 1 { "; one copy: replicas are simulated" } else { "" };
    let (topics, partitions) = (count(*topics, "topic"), count(*partitions, "partition"));
    line("data", format!("{folder}  ({topics}, {partitions}{copies})"));
    line("recovery", recovery(&status.recovery));
    let own = shell_word(&tools.own_path);
    let (writes, reads) = match tools.has_kcat {
        true => ("kcat -P".to_owned(), "kcat -C".to_owned()),
        false => (format!("{own} produce"), format!("{own} consume")),
    };
    line("write", format!("echo hello | {writes} -b {bootstrap} -t greetings"));
    line("read", format!("{reads} -b {bootstrap} -t greetings -e"));
    line("look", format!("{own} status --data {folder}"));
    line("stop", format!("{own} stop --data {folder}{}", if tools.ctrl_c { ", or Ctrl-C" } else { "" }));
    let bound: Vec<&str> = listeners.iter().map(|listener| host_and_port(&listener.address)).collect();
    let title = paint(format_args!("cutaway {version} {verb} {}", bound.join(" ")), TITLE);
    let who = match nodes {
        1 => format!("node {node_id}"),
        _ => format!("{nodes} simulated nodes from {node_id} on"),
    };
    format!("{title}  ({who}, cluster {cluster_id})\n{text}")
}

/// One detail with its label.
pub(crate) fn detail(label: &str, value: impl Display) -> String {
    format!("{} {value}", paint(format_args!("{label:9}"), LABEL))
}

/// What commands can be offered here.
#[derive(Debug)]
pub(crate) struct Tools {
    /// The path that this process was started by.
    pub(crate) own_path: PathBuf,
    /// Whether kcat is on the PATH.
    pub(crate) has_kcat: bool,
    /// Whether Ctrl-C reaches the broker.
    pub(crate) ctrl_c: bool,
}

impl Tools {
    /// Looks around.
    pub(crate) fn find(ctrl_c: bool) -> Tools {
        let own_path = std::env::args_os().next().map_or_else(|| "cutaway".into(), PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let disk = Disk::default();
        let has_kcat = std::env::split_paths(&path).any(|folder| disk.exists(&folder.join("kcat")));
        Tools { own_path, has_kcat, ctrl_c }
    }
}

/// `127.0.0.1:9092` of `PLAINTEXT://127.0.0.1:9092`.
fn host_and_port(address: &str) -> &str {
    address.split_once("://").map_or(address, |(_, rest)| rest)
}

fn recovery(findings: &[String]) -> String {
    match findings {
        [] => "nothing to recover".into(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} (and {} more: see status)", rest.len()),
    }
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// A path as a shell takes it: in quotes where it needs them.
pub(crate) fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/.-_+~:@,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use cutaway::web::ListenerStatus;

    use super::*;

    fn status() -> Status {
        Status {
            version: "0.1.0".into(),
            pid: 7,
            cluster_id: "4Zi7avZ6QbyJx70cO0fPfw".into(),
            node_id: 1,
            nodes: 1,
            listeners: vec![ListenerStatus {
                node: 1,
                name: "PLAINTEXT".into(),
                address: "PLAINTEXT://127.0.0.1:40001".into(),
                advertised: "PLAINTEXT://localhost:9092".into(),
            }],
            data_folder: "/my data".into(),
            started_at_ms: 0,
            started_at: String::new(),
            topics: 1,
            partitions: 3,
            recovery: vec!["a".into(), "b".into()],
        }
    }

    #[test]
    fn the_banner_has_eight_lines_and_runs_as_printed() {
        let tools = Tools { own_path: "target/release/cutaway".into(), has_kcat: true, ctrl_c: true };
        let text = anstream::adapter::strip_str(&render(&status(), "serves", &tools)).to_string();
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "cutaway 0.1.0 serves 127.0.0.1:40001  (node 1, cluster 4Zi7avZ6QbyJx70cO0fPfw)",
                "  clients   PLAINTEXT://localhost:9092",
                "  data      '/my data'  (1 topic, 3 partitions)",
                "  recovery  a (and 1 more: see status)",
                "  write     echo hello | kcat -P -b localhost:9092 -t greetings",
                "  read      kcat -C -b localhost:9092 -t greetings -e",
                "  look      target/release/cutaway status --data '/my data'",
                "  stop      target/release/cutaway stop --data '/my data', or Ctrl-C",
            ]
        );
    }

    #[test]
    fn several_nodes_are_told_as_simulated() {
        let listener = |node: i32| ListenerStatus {
            node,
            name: "PLAINTEXT".into(),
            address: format!("PLAINTEXT://127.0.0.1:{node}9092"),
            advertised: format!("PLAINTEXT://127.0.0.1:{node}9092"),
        };
        let status = Status { nodes: 3, listeners: (1..=3).map(listener).collect(), ..status() };
        let tools = Tools { own_path: "cutaway".into(), has_kcat: true, ctrl_c: true };
        let text = anstream::adapter::strip_str(&render(&status, "serves", &tools)).to_string();
        let addresses = "127.0.0.1:19092 127.0.0.1:29092 127.0.0.1:39092";
        let first = format!("cutaway 0.1.0 serves {addresses}  (3 simulated nodes from 1 on, cluster 4Zi7av");
        assert!(text.starts_with(&first), "{text}");
        assert!(text.contains("(1 topic, 3 partitions; one copy: replicas are simulated)"), "{text}");
        assert!(text.contains(" -b 127.0.0.1:19092 -t greetings"), "{text}");
    }

    #[test]
    fn without_kcat_our_own_commands_are_offered() {
        let tools = Tools { own_path: "./cutaway".into(), has_kcat: false, ctrl_c: false };
        let text = anstream::adapter::strip_str(&render(&status(), "serves", &tools)).to_string();
        assert!(!text.contains("kcat") && !text.contains("Ctrl-C"), "{text}");
        assert!(text.contains("  write     echo hello | ./cutaway produce -b localhost:9092 -t greetings\n"), "{text}");
        assert!(text.contains("  read      ./cutaway consume -b localhost:9092 -t greetings -e\n"), "{text}");
    }

    #[test]
    fn shells_take_every_path() {
        for (path, word) in [("/a/b-c_d.e", "/a/b-c_d.e"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")] {
            assert_eq!(shell_word(Path::new(path)), word);
        }
    }
}
