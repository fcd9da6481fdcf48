//! `cutaway events`: Wikipedia's and Bluesky's streams, made up on this machine, for programs that read the real ones.

mod options;

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use event_simulator::{Oracle, Settings, Simulator, StartError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::{banner, converse_until_stopped, output, say};

pub(crate) use options::{EXAMPLES, EventsOptions};

/// Serves events until it is stopped; then tells what was sent.
pub(crate) fn run(options: &EventsOptions) -> anyhow::Result<ExitCode> {
    let settings = options.settings()?;
    converse_until_stopped(async |mut stopped| {
        let simulator = Simulator::start(settings.clone()).await.map_err(advised)?;
        let text = text(&settings, simulator.address());
        // Whoever reads the first line alone may have closed the pipe; that is no reason to stop.
        let _ = anstream::stderr().write_all(text.as_bytes());
        let telling = (!options.quiet).then(|| tokio::spawn(tell(simulator.notes())));
        // An error means that nobody can stop it any more but by a kill.
        let _ = stopped.wait_for(Option::is_some).await;
        if let Some(telling) = telling {
            telling.abort();
        }
        let oracle = simulator.oracle();
        if options.json {
            output::json(&oracle)?
        } else {
            print(&oracle)?
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// A port that is taken is the error that people meet.
fn advised(error: StartError) -> anyhow::Error {
    let is_taken = matches!(&error, StartError::Listen(_, cause) if cause.kind() == std::io::ErrorKind::AddrInUse);
    let advice = if is_taken { " (--port 8091 takes another port, --port 0 one that is free)" } else { "" };
    anyhow::anyhow!("{error}{advice}")
}

/// Where the events are.
fn text(settings: &Settings, address: SocketAddr) -> String {
    let mut text = format!("cutaway {} serves events at http://{address}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |label: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {}", banner::detail(label, value));
    };
    if settings.services.has_wikipedia() {
        let rate = settings.wikipedia_rate() * settings.speed;
        line("wikipedia", format!("http://{address}/v2/stream/recentchange  ({rate} events/s)"));
        line("try", format!("curl -N -A 'lesson/1 (me@example.org)' http://{address}/v2/stream/recentchange"));
    }
    if settings.services.has_bluesky() {
        let rate = settings.bluesky_rate() * settings.speed;
        line("bluesky", format!("ws://{address}/subscribe?wantedCollections=app.bsky.feed.post  ({rate} events/s)"));
    }
    line("oracle", format!("curl -s http://{address}/oracle  (what was sent)"));
    line("stop", "Ctrl-C".to_owned());
    text
}

/// Tells who comes and goes.
async fn tell(mut notes: Receiver<String>) {
    loop {
        match notes.recv().await {
            Ok(note) => say(note),
            Err(RecvError::Lagged(count)) => say(format_args!("{count} lines are left out")),
            Err(RecvError::Closed) => return,
        }
    }
}

/// What was sent, for people.
fn print(oracle: &Oracle) -> anyhow::Result<()> {
    let row = |what: &str, count: u64| [what.to_owned(), count.to_string()];
    let mut rows = Vec::new();
    if let Some(sent) = &oracle.wikipedia {
        rows.push(row("wikipedia events", sent.events));
        rows.extend(sent.types.iter().map(|(name, count)| row(&format!("  {name}"), *count)));
        rows.extend([
            row("  canaries, besides", sent.canaries),
            row("  not events, besides", sent.malformed),
            row("  sent again", sent.again),
        ]);
    }
    for sent in oracle.bluesky.iter().flat_map(|sent| &sent.streams) {
        let wanted = if sent.wanted.is_empty() { "everything" } else { &sent.wanted };
        rows.push(row(&format!("bluesky commits ({wanted})"), sent.events));
        rows.extend(sent.operations.iter().map(|(name, count)| row(&format!("  {name}"), *count)));
        rows.extend([row("  identity, besides", sent.identity), row("  account, besides", sent.account)]);
        rows.extend([row("  not events, besides", sent.malformed), row("  sent again", sent.again)]);
    }
    output::table(["SENT", "COUNT"], &rows)
}
