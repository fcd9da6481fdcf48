//! The demo's two programs, as processes beside this one that tell about themselves in lines of JSON.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use cutaway::clock::Clock;
use cutaway::storage::disk::Disk;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::notes::Notes;
use super::options::Service;

/// What builds the programs.
const BUILD: &str = "cargo build --release -p cutaway-clients";

/// How long a program may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the programs of a demo are.
#[derive(Debug)]
pub(super) struct Programs {
    producer: PathBuf,
    consumer: PathBuf,
}

/// A program that runs. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Program<S> {
    name: String,
    process: Child,
    says: watch::Receiver<S>,
}

impl Programs {
    /// Finds them beside this program.
    pub(super) fn find(service: Service) -> anyhow::Result<Programs> {
        let own = std::env::current_exe().context("the path of this program is not known")?;
        let folder = own.parent().unwrap_or(Path::new("."));
        let program = |role: &str| folder.join(format!("{}-{role}", service.name()));
        let programs = Programs { producer: program("producer"), consumer: program("consumer") };
        let disk = Disk::default();
        if let Some(missing) =
            [&programs.producer, &programs.consumer].into_iter().find(|program| !disk.exists(program))
        {
            bail!(
                "{} is not there; this builds the demo's programs (a C compiler and make are needed): {BUILD}",
                missing.display()
            );
        }
        Ok(programs)
    }

    /// Starts the producer, which reads events from a URL. What it needs to go on after a stop, it keeps in a folder.
    pub(super) fn start_producer<S: Says>(
        &self,
        broker: &str,
        source: &str,
        folder: &Path,
        notes: &Notes,
    ) -> anyhow::Result<Program<S>> {
        let mut command = Command::new(&self.producer);
        command
            .args(["--broker", broker, "--source", source, "--fresh", "--state"])
            .arg(folder.join("producer.resume"));
        Program::start(command, "producer", notes)
    }

    /// Starts the consumer.
    pub(super) fn start_consumer<S: Says>(&self, broker: &str, notes: &Notes) -> anyhow::Result<Program<S>> {
        let mut command = Command::new(&self.consumer);
        command.args(["--broker", broker]);
        Program::start(command, "consumer", notes)
    }
}

/// What a program tells about itself.
pub(super) trait Says: DeserializeOwned + Default + Clone + Send + Sync + 'static {}

impl<T: DeserializeOwned + Default + Clone + Send + Sync + 'static> Says for T {}

impl<S: Says> Program<S> {
    fn start(mut command: Command, name: &str, notes: &Notes) -> anyhow::Result<Program<S>> {
        command.args(["--json", "--quiet"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A terminal's Ctrl-C is for the demo, which stops its programs one after the other.
        command.process_group(0).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| format!("cannot start the {name}"))?;
        let output = process.stdout.take().expect("the output was piped above");
        let errors = process.stderr.take().expect("the output was piped above");
        let (tell, says) = watch::channel(S::default());
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                // What is no such line is for people.
                if let Ok(said) = serde_json::from_str(&line) {
                    tell.send_replace(said);
                }
            }
        });
        let (notes, who) = (notes.clone(), name.to_owned());
        tokio::spawn(async move {
            let mut lines = BufReader::new(errors).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                notes.add(format!("{who}: {}", line.trim_start_matches("% ")));
            }
        });
        Ok(Program { name: name.to_owned(), process, says })
    }

    /// What it said last.
    pub(super) fn says(&self) -> S {
        self.says.borrow().clone()
    }

    /// Fails if it has ended although nobody asked it to.
    pub(super) fn check(&mut self, notes: &Notes) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait().with_context(|| format!("cannot wait for the {}", self.name))? {
            let last = notes.last_of(&self.name).map_or_else(String::new, |note| format!("\n{note}"));
            bail!("the {} has ended by itself ({status}){last}", self.name);
        }
        Ok(())
    }

    /// Asks it to end in good order, and waits until it has said its last.
    pub(super) async fn stop(&mut self, clock: &Clock) -> anyhow::Result<S> {
        if let Some(id) = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            // One that has just ended does not need to be asked.
            let _ = kill_process(id, Signal::TERM);
        }
        let ended = async {
            let status = self.process.wait().await;
            // The channel closes when the output does.
            while self.says.changed().await.is_ok() {}
            status
        };
        tokio::select! {
            status = ended => {
                let status = status.with_context(|| format!("cannot wait for the {}", self.name))?;
                if !status.success() {
                    bail!("the {} did not end in good order ({status})", self.name);
                }
                Ok(self.says.borrow().clone())
            }
            () = clock.sleep(PATIENCE) => bail!("the {} was asked to end, and did not in {} s", self.name, PATIENCE.as_secs()),
        }
    }
}
