//! How a demo shows itself: on a screen, in lines, or as JSON.

use std::net::SocketAddr;
use std::time::Duration;

use cutaway::clock::Clock;
use event_simulator::Settings;
use serde::Serialize;

use super::broker::Broker;
use super::ledger::{ConsumerSays, Ledger, ProducerSays};
use super::notes::Notes;
use super::offsets::Offsets;
use super::options::{DemoOptions, Service};
use super::screen::{self, Screen, View};
use crate::cli::banner::{self, shell_word};
use crate::cli::output;

/// How often there is a line where there is no screen.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// Where a demo shows itself.
pub(super) struct Show {
    service: Service,
    settings: Settings,
    is_json: bool,
    screen: Option<Screen>,
    clock: Clock,
    begun: std::time::Instant,
    last_line: Option<std::time::Instant>,
}

/// The figures of one moment.
pub(super) struct Figures<'a> {
    pub(super) broker: &'a Broker,
    pub(super) source: SocketAddr,
    pub(super) producer: &'a ProducerSays,
    pub(super) consumer: &'a ConsumerSays,
    /// `None` while the broker does not answer.
    pub(super) offsets: Option<Offsets>,
    pub(super) ledger: &'a Ledger,
    pub(super) notes: &'a Notes,
    /// Nothing moves any more.
    pub(super) are_final: bool,
}

/// What is told as JSON.
#[derive(Serialize)]
struct Told<'a> {
    kind: &'a str,
    broker: Option<&'a str>,
    #[serde(flatten)]
    ledger: &'a Ledger,
    balances: Option<bool>,
}

impl Show {
    pub(super) fn new(options: &DemoOptions, settings: Settings, is_screen: bool) -> Show {
        let clock = Clock::system();
        let begun = clock.instant();
        let screen = is_screen.then(Screen::default);
        Show { service: options.service, settings, is_json: options.json, screen, clock, begun, last_line: None }
    }

    /// Shows the figures; where there is no screen, once a second.
    pub(super) fn figures(&mut self, figures: &Figures<'_>) -> anyhow::Result<()> {
        let elapsed = self.clock.elapsed_since(self.begun);
        if let Some(screen) = &mut self.screen {
            let width = screen::width().unwrap_or(80);
            return screen.show(&View { service: self.service, settings: &self.settings, elapsed, figures, width });
        }
        if !figures.are_final && self.last_line.is_some_and(|last| self.clock.elapsed_since(last) < LINE_EVERY) {
            return Ok(());
        }
        self.last_line = Some(self.clock.instant());
        let (broker, ledger) = (figures.broker.address(), figures.ledger);
        if self.is_json {
            return output::json(&Told { kind: "progress", broker: Some(broker), ledger, balances: None });
        }
        let Ledger { sent, acknowledged, stored, read, counted, .. } = ledger;
        output::line(format_args!(
            "{sent} sent, {acknowledged} acknowledged, {stored} stored, {read} read, {counted} counted"
        ))
    }

    /// Says whether the ledger balances.
    pub(super) fn verdict(&self, ledger: &Ledger) -> anyhow::Result<()> {
        if self.is_json {
            return output::json(&Told {
                kind: "summary",
                broker: None,
                ledger,
                balances: Some(ledger.gaps().is_empty()),
            });
        }
        output::line(ledger.verdict())
    }
}

/// What to look at now.
pub(super) fn farewell(service: Service, broker: &Broker) -> anyhow::Result<()> {
    let (topic, address) = (service.topic(), broker.address());
    let own = std::env::args().next().unwrap_or_else(|| "cutaway".to_owned());
    let own = shell_word(own.as_ref());
    output::line("")?;
    let Some(folder) = broker.folder() else {
        output::line(title("the log is at the broker; look at it:"))?;
        output::line(format_args!("  {own} topics describe {topic} -b {address}"))?;
        output::line(format_args!("  {own} consume {topic} -b {address} -o -3 -e"))?;
        return output::line(format_args!("  {own} groups describe {} -b {address}", service.group()));
    };
    let shown = shell_word(folder);
    let log = shell_word(&folder.join(format!("{topic}-0")));
    output::line(title(&format!("the log stays in {shown}; look at it:")))?;
    output::line(format_args!("  ls -l {log}"))?;
    let again = match address.rsplit(':').next() {
        // The demo has stopped the broker that it had started.
        Some(port) if broker.is_own() => format!("{own} --data {shown} --port {port} --detach && "),
        _ => String::new(),
    };
    output::line(format_args!("  {again}{own} topics describe {topic} -b {address}"))?;
    output::line(format_args!("  {own} consume {topic} -b {address} -o -3 -e"))
}

/// A line over others.
fn title(text: &str) -> String {
    banner::paint(text, banner::LABEL)
}
