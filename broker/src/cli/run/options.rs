//! The options of `cutaway run`, and the settings of its broker.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use cutaway::config::{Settings, SettingsError, on_free_ports};

use crate::cli::arguments::{FolderOptions, LogFormat, StartOptions};
use crate::cli::nodes::NodesOption;

/// Shown below `cutaway run --help`.
pub(crate) const EXAMPLES: &str = "\
Examples:
  cutaway run -- pytest
  cutaway run -- go test ./...
  cutaway run -- cargo test
  cutaway run -- npm test
  cutaway run --override num.partitions=3 -- mvn verify
  cutaway run --nodes 3 -- pytest          with three brokers, simulated; the address is then a list of three
  cutaway run -- sh -c 'echo hello | kcat -P -b $KAFKA_BROKER -t greetings'

The tests read the broker's address from the environment:
  Python   os.environ[\"KAFKA_BROKER\"]
  Go       os.Getenv(\"KAFKA_BROKER\")
  Rust     std::env::var(\"KAFKA_BROKER\")
  Node.js  process.env.KAFKA_BROKER
  Spring   nothing to do: SPRING_KAFKA_BOOTSTRAP_SERVERS is its own variable

Any number of runs go on side by side, each with a broker of its own. SIGINT, SIGTERM and SIGHUP are handed on to the
command. When the command has ended, the broker and its folder are gone. What the command leaves running is ended too if
the run was told to stop, or if this process was killed (kill -9).

Exit code: the command's; 128 and the signal's number if a signal ended it; 127 if there is no such command, 126 if it
cannot be run; 2 for mistakes in the options; 1 if the broker does not start.";

/// How to run a command with a broker.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunOptions {
    /// A file of Kafka settings, such as server.properties; its listeners and log.dirs are passed over.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// One setting of the broker; may be given again.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub(super) overrides: Vec<String>,
    #[command(flatten)]
    pub(super) nodes: NodesOption,
    /// Say nothing of the settings.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// The form of the broker's log.
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub(super) log_format: LogFormat,
    /// Show the broker's log on stderr: -v for debug, -vv for everything. Without it, only a broker that fails is heard.
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// This process is the broker of one that runs a command.
    #[arg(long, hide = true)]
    pub(super) serve: bool,
    /// The command and its arguments.
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

impl RunOptions {
    /// The broker's settings. The environment is the command's, not the broker's: what is meant for the program under
    /// test often begins with KAFKA_ too.
    pub(super) fn settings(&self) -> Result<Settings, SettingsError> {
        let (config, overrides) = (self.config.clone(), self.overrides.clone());
        let settings = FolderOptions { data: None, config, overrides }.settings(Vec::new())?;
        // Where the broker listens, whatever a file says: free ports of this machine.
        let settings = self.nodes.set(settings);
        let listeners = on_free_ports(settings.node_count());
        Ok(settings.with_flag("run", "listeners", listeners))
    }

    /// The arguments of the process that is the broker.
    pub(super) fn of_broker(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = ["run", "--serve"].map(OsString::from).into();
        if let Some(file) = &self.config {
            arguments.extend(["--config".into(), file.into()]);
        }
        for assignment in &self.overrides {
            arguments.extend(["--override", assignment].map(OsString::from));
        }
        arguments.extend(self.nodes.arguments().map(OsString::from));
        arguments.extend((0..self.verbose).map(|_| "--verbose".into()));
        if self.log_format == LogFormat::Json {
            arguments.extend(["--log-format", "json"].map(OsString::from));
        }
        arguments
    }

    /// What logging wants to know.
    pub(super) fn logging(&self) -> StartOptions {
        StartOptions { verbose: self.verbose, log_format: self.log_format, ..StartOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::arguments::{Arguments, Command};

    fn options(arguments: &[&str]) -> RunOptions {
        let all = ["cutaway", "run"].iter().chain(arguments);
        match Arguments::try_parse_from(all).expect("legal arguments").command {
            Some(Command::Run(options)) => *options,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_comes_after_the_command_is_its_own() {
        for arguments in [&["-v", "--", "go", "test", "-v", "--", "x"][..], &["-v", "go", "test", "-v", "--", "x"]] {
            let options = options(arguments);
            assert_eq!((options.verbose, options.command.len()), (1, 5), "{arguments:?}");
        }
    }

    #[test]
    fn the_broker_gets_the_same_settings() {
        let given =
            ["--override", "num.partitions=3", "--config=/f", "-vv", "--log-format=json", "--nodes", "3", "true"];
        let given = options(&given);
        let all = std::iter::once("cutaway".into()).chain(given.of_broker());
        let Some(Command::Run(broker)) = Arguments::try_parse_from(all).expect("legal").command else { panic!() };
        assert!(broker.serve && broker.command.is_empty());
        let told = |options: &RunOptions| {
            format!("{:?}", (&options.config, &options.overrides, &options.nodes, options.logging()))
        };
        assert_eq!(told(&broker), told(&given));
    }

    #[test]
    fn no_setting_moves_the_broker_to_an_address_that_others_may_have() {
        let settings = options(&["--override", "listeners=PLAINTEXT://127.0.0.1:9092", "true"]).settings();
        let config = settings.expect("readable").resolve().expect("legal");
        assert_eq!((config.listeners.len(), config.listeners[0].port), (1, 0));
        let settings = options(&["--nodes", "3", "true"]).settings();
        let config = settings.expect("readable").resolve().expect("legal");
        assert!(config.listeners.len() == 3 && config.listeners.iter().all(|listener| listener.port == 0));
    }
}
