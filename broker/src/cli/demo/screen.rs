//! The screen of a demo: a few lines that are written again in their places, and the keys.

use std::io::{IsTerminal, Read, Write, stdin, stdout};
use std::time::Duration;

use event_simulator::Settings;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::sync::mpsc;

use super::offsets::Offsets;
use super::options::Service;
use super::show::Figures;
use crate::cli::output;

/// How many sentences the screen has room for.
const NOTES: usize = 6;

/// How many lines a screen has.
const HEIGHT: usize = 14 + NOTES;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Kill the broker.
    Kill,
    /// End the demo.
    Quit,
}

/// What is on the screen.
pub(super) struct View<'a> {
    pub(super) service: Service,
    pub(super) settings: &'a Settings,
    pub(super) elapsed: Duration,
    pub(super) figures: &'a Figures<'a>,
    /// How many letters a line has room for.
    pub(super) width: usize,
}

/// How wide the terminal is, if it is large enough for a screen.
pub(super) fn width() -> Option<usize> {
    let size = tcgetwinsize(stdout()).ok()?;
    (size.ws_col >= 60 && usize::from(size.ws_row) > HEIGHT).then_some(size.ws_col.into())
}

/// A sentence in pieces that fit.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(width).map(|piece| piece.iter().collect()).collect()
}

/// The lines of a screen that were written last.
#[derive(Debug, Default)]
pub(super) struct Screen {
    height: usize,
}

impl Screen {
    /// Writes the lines over those that were written last.
    pub(super) fn show(&mut self, view: &View<'_>) -> anyhow::Result<()> {
        let lines = view.lines();
        let mut text = String::new();
        if self.height > 0 {
            text.push_str(&format!("\x1b[{}A", self.height));
        }
        for line in &lines {
            // A line that is broken by the terminal would take two places.
            let shown: String = line.chars().take(view.width - 1).collect();
            text.push_str(&format!("{shown}\x1b[K\r\n"));
        }
        text.push_str("\x1b[J");
        self.height = lines.len();
        let mut out = stdout().lock();
        output::written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }
}

impl View<'_> {
    /// The lines, as plain text.
    fn lines(&self) -> Vec<String> {
        let mut lines = self.participants();
        lines.push(String::new());
        lines.extend(self.ledger());
        lines.push(String::new());
        let last = self.figures.notes.last(NOTES);
        let notes: Vec<String> = last.iter().flat_map(|note| wrapped(note, self.width - 4)).collect();
        lines.extend(notes.iter().skip(notes.len().saturating_sub(NOTES)).map(|note| format!("  {note}")));
        lines.extend((notes.len()..NOTES).map(|_| String::new()));
        let kill = self.figures.broker.is_out_of_reach().is_none();
        lines.push(if kill { "  k kills the broker and starts it again   q ends" } else { "  q ends" }.to_owned());
        lines
    }

    /// Who takes part, and how fast they are.
    fn participants(&self) -> Vec<String> {
        let View { service, figures, .. } = self;
        let Figures { broker, source, producer, consumer, offsets, .. } = figures;
        let seconds = self.elapsed.as_secs();
        let (rate, name, topic) = match service {
            Service::Wikipedia => (self.settings.wikipedia_rate(), service.name(), service.topic()),
            Service::Bluesky => (self.settings.bluesky_rate(), service.name(), service.topic()),
        };
        let store = match consumer.store.as_str() {
            "redis" => "counts in Redis",
            "memory" => "counts in memory: no Redis answers",
            _ => "starts",
        };
        let stands = match offsets {
            Some(Offsets { end, lag, .. }) => format!("offset {end}   not committed yet {lag}"),
            None => "the broker does not answer".to_owned(),
        };
        let (address, connections) = (broker.address(), output::count(producer.connections, "connection"));
        let (minutes, rest) = (seconds / 60, seconds % 60);
        vec![
            format!("cutaway demo: {name} through the broker at {address}   {minutes:02}:{rest:02}"),
            format!("  simulator     http://{source}   {rate} events/s"),
            format!(
                "  producer      {:.0} events/s   {} on their way   {connections}",
                producer.rate, producer.in_flight
            ),
            format!("  topic         {topic}   {stands}"),
            format!("  consumer      {:.0} records/s   {store}", consumer.rate),
        ]
    }

    fn ledger(&self) -> Vec<String> {
        let Figures { ledger, producer, consumer, .. } = self.figures;
        let aside = |what: &str, count: u64| if count == 0 { String::new() } else { format!("   {count} {what}") };
        let types = consumer.types.iter().map(|(name, count)| format!("   {name} {count}")).collect::<String>();
        let besides = aside("besides that become no records", ledger.besides);
        let line = |what: &str, count: u64, more: String| format!("  {what:12}  {count:>9}{more}");
        vec![
            "  LEDGER".to_owned(),
            line("sent", ledger.sent, besides + &aside("sent again after a cut, and dropped", producer.duplicates)),
            line("acknowledged", ledger.acknowledged, aside("refused", ledger.refused)),
            line("stored", ledger.stored, aside("were there before, not read yet", ledger.left_over)),
            line("read", ledger.read, aside("read again", ledger.read_again)),
            line("counted", ledger.counted, types),
        ]
    }
}

/// The terminal's keys, one by one and without an echo, until this is dropped.
pub(super) struct Keys {
    before: Option<Termios>,
    keys: mpsc::Receiver<Key>,
}

impl Keys {
    /// Listens, if there is a terminal.
    pub(super) fn listen() -> Keys {
        let (tell, keys) = mpsc::channel(8);
        let before = stdin().is_terminal().then(|| tcgetattr(stdin()).ok()).flatten();
        if let Some(before) = &before {
            let mut one_by_one = before.clone();
            one_by_one.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
            // If the terminal does not, keys count with the next Enter.
            let _ = tcsetattr(stdin(), OptionalActions::Now, &one_by_one);
            // A thread of its own waits: nothing can call a read of a terminal back.
            std::thread::spawn(move || hear(&tell));
        }
        Keys { before, keys }
    }

    /// The next key that asks for something.
    pub(super) async fn next(&mut self) -> Key {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

fn hear(tell: &mpsc::Sender<Key>) {
    let mut byte = [0];
    while stdin().lock().read_exact(&mut byte).is_ok() {
        let key = match byte[0] {
            b'k' | b'K' => Key::Kill,
            b'q' | b'Q' => Key::Quit,
            _ => continue,
        };
        if tell.blocking_send(key).is_err() {
            return;
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that is gone needs nothing.
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}
