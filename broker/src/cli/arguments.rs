//! What can be written on the command line, and which settings come of it.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use cutaway::config::limits::SETTINGS_FILE_BYTES;
use cutaway::config::{BrokerConfig, Settings, SettingsError};
use cutaway::storage::disk::Disk;

use super::completions::CompletionsOptions;
use super::consume::ConsumeArguments;
use super::demo::{self, DemoOptions};
use super::events::{self, EventsOptions};
use super::explain::ConfigOptions;
use super::groups::GroupsOptions;
use super::nodes::{NodesOption, from_port};
use super::produce::ProduceArguments;
use super::run::{self, RunOptions};
use super::topics::TopicsOptions;

const EXAMPLES: &str = "\
Examples:
  cutaway                                   a broker on 127.0.0.1:9092, data in ./cutaway-data
  cutaway --port 0 --temp                   on a free port, and nothing left behind
  cutaway --nodes 3                         three brokers, simulated, from 127.0.0.1:19092 on
  cutaway --config server.properties        with the settings of a real Kafka
  cutaway --override log.segment.bytes=1048576 --override num.partitions=3
  cutaway --detach; cutaway status; cutaway stop
  cutaway run -- pytest                     tests with a broker of their own

Settings have Kafka's names. Where one is set more than once, this counts, the weakest first: Kafka's defaults,
--config, the environment (KAFKA_LOG_SEGMENT_BYTES is log.segment.bytes), --override, other flags.";

/// A Kafka broker you can see inside.
///
/// Cutaway speaks the Kafka protocol and keeps Kafka's own files. Without a command it starts a broker; it needs no
/// configuration. Point kcat, or any Kafka client, at 127.0.0.1:9092.
#[derive(Debug, Parser)]
#[command(name = "cutaway", version, after_long_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) start: StartOptions,
    /// When to use colour.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a broker; the same as no command.
    #[command(after_long_help = EXAMPLES)]
    Start(Box<StartOptions>),
    /// Run a command, such as tests, with a broker of its own that is gone afterwards.
    ///
    /// The broker listens on a free port of this machine and keeps its data in a temporary folder. The command finds its
    /// address in KAFKA_BROKER, KAFKA_BOOTSTRAP_SERVERS and SPRING_KAFKA_BOOTSTRAP_SERVERS.
    #[command(after_long_help = run::EXAMPLES, override_usage = "cutaway run [OPTIONS] -- COMMAND [ARGUMENT]...")]
    Run(Box<RunOptions>),
    /// Show the broker that runs on a data folder.
    Status(StatusOptions),
    /// Stop the broker that runs on a data folder, and wait until it has let go of it.
    Stop(FolderOptions),
    /// Move the data folder aside, so that the next start begins empty.
    ///
    /// Nothing is deleted: the command that brings the folder back is printed.
    Reset(ResetOptions),
    /// List, create, describe, alter and delete topics.
    #[command(alias = "topic")]
    Topics(TopicsOptions),
    /// List, describe and delete consumer groups, and set what they have committed.
    #[command(alias = "group")]
    Groups(GroupsOptions),
    /// Send lines of stdin, or of files, to a topic.
    Produce(Box<ProduceArguments>),
    /// Print the records of a topic, from the beginning, and wait for more.
    Consume(Box<ConsumeArguments>),
    /// Stream Wikipedia's edits or Bluesky's posts through a broker, and see that none is lost.
    #[command(after_long_help = demo::EXAMPLES)]
    Demo(Box<DemoOptions>),
    /// Serve Wikipedia's and Bluesky's event streams, made up on this machine, for programs that read the real ones.
    #[command(after_long_help = events::EXAMPLES)]
    Events(Box<EventsOptions>),
    /// Explain settings: what they do, what they take, where they are set.
    Config(ConfigOptions),
    /// Print what lets a shell complete commands and options.
    Completions(CompletionsOptions),
}

/// Which data folder is meant, and other settings.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FolderOptions {
    /// The data folder (log.dirs).
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// A file of Kafka settings, such as server.properties.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// One setting; may be given again.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    pub(crate) overrides: Vec<String>,
}

/// How to start a broker.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct StartOptions {
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// The port on 127.0.0.1 to listen on; 0 for one that is free. Of several nodes the first has it, the second the port
    /// after it, and so on; with 0 each has one that is free.
    #[arg(long, short, value_name = "N", conflicts_with = "listen", value_parser = port, allow_negative_numbers = true)]
    pub(crate) port: Option<u16>,
    /// The address to listen on (listeners): HOST:PORT, or NAME://HOST:PORT. Several are separated by commas, or the option
    /// is given again; of several nodes each has its own, in this order.
    #[arg(long, visible_alias = "listeners", value_name = "ADDRESS")]
    pub(crate) listen: Vec<String>,
    #[command(flatten)]
    pub(crate) nodes: NodesOption,
    /// Let other machines connect, although without encryption and passwords.
    #[arg(long)]
    pub(crate) allow_insecure_listeners: bool,
    /// Keep the data in a temporary folder that is removed at exit.
    #[arg(long, conflicts_with = "data")]
    pub(crate) temp: bool,
    /// Go on in the background once the broker serves; its log is cutaway.log in the data folder.
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Do not tell on the terminal what happens.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// The form of the log on stderr.
    #[arg(long, value_name = "FORM", default_value = "human")]
    pub(crate) log_format: LogFormat,
    /// Log more: -v for debug, -vv for everything. RUST_LOG takes the usual filters.
    #[arg(long, short, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// This process is the one in the background.
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
    /// The temporary folder that the process in the foreground has chosen for the one in the background.
    #[arg(long, hide = true, value_name = "DIR", requires = "temp")]
    pub(crate) temp_folder: Option<PathBuf>,
}

/// How to show a status.
#[derive(Args, Clone, Debug)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// As JSON, on one line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How to reset.
#[derive(Args, Clone, Debug)]
pub(crate) struct ResetOptions {
    #[command(flatten)]
    pub(crate) folder: FolderOptions,
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb say otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Makes it count for everything that is printed.
    pub(crate) fn write_global(self) {
        let choice = match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line to read.
    #[default]
    Human,
    /// A JSON object a line.
    Json,
}

impl FolderOptions {
    /// The settings of file, environment and these options.
    pub(crate) fn settings(
        &self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Settings, SettingsError> {
        let mut settings = Settings::default();
        if let Some(file) = &self.config {
            settings = settings.with_file(&file.display().to_string(), &read(file)?)?;
        }
        settings = settings.with_environment(environment);
        for assignment in &self.overrides {
            settings = settings.with_override(assignment)?;
        }
        if let Some(folder) = &self.data {
            settings = settings.with_flag("--data", "log.dirs", flag_text(folder)?);
        }
        Ok(settings)
    }

    /// The data folder that file, environment and these options name; it need not be there, but no file may be.
    pub(crate) fn data_folder(&self) -> Result<PathBuf, SettingsError> {
        let folder = self.settings(environment())?.resolve()?.log_dir;
        refuse_file(&folder)?;
        Ok(folder)
    }
}

impl StartOptions {
    /// The broker's settings, the strongest layer last.
    pub(crate) fn broker_config(
        &self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<BrokerConfig, SettingsError> {
        let mut settings = self.nodes.set(self.folder.settings(environment)?);
        if let Some(port) = self.port {
            let listeners = from_port(port, settings.node_count())?;
            settings = settings.with_flag("--port", "listeners", listeners);
        }
        if !self.listen.is_empty() {
            settings = settings.with_flag("--listen", "listeners", with_names(&self.listen.join(",")));
        }
        if self.allow_insecure_listeners {
            settings = settings.with_flag("--allow-insecure-listeners", "cutaway.allow.insecure.listeners", true);
        }
        let config = settings.resolve()?;
        refuse_file(&config.log_dir)?;
        Ok(config)
    }
}

/// A port, or what is allowed.
fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "must be a number from 1 to 65535, or 0 for any port that is free".into())
}

/// A path as a setting holds it: a text. Another folder than the one that was named would be a bad surprise.
fn flag_text(folder: &Path) -> Result<&str, SettingsError> {
    folder.to_str().ok_or_else(|| SettingsError {
        sentences: vec![format!("--data {}: is not UTF-8; choose a folder whose path is", folder.display())],
    })
}

/// Says so where a file stands in place of the data folder.
fn refuse_file(folder: &Path) -> Result<(), SettingsError> {
    let disk = Disk::default();
    if disk.exists(folder) && !disk.is_dir(folder) {
        let shown = folder.display();
        let sentence = format!(
            "{shown} is a file, not a data folder; name a folder with --data (log.dirs), or a new one to be made"
        );
        return Err(SettingsError { sentences: vec![sentence] });
    }
    Ok(())
}

/// The environment, as far as it is text.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// `HOST:PORT` is short for `PLAINTEXT://HOST:PORT`.
fn with_names(listen: &str) -> String {
    let named = |address: &str| match address.contains("://") {
        true => address.to_owned(),
        false => format!("PLAINTEXT://{address}"),
    };
    listen.split(',').map(|address| named(address.trim())).collect::<Vec<_>>().join(",")
}

/// A settings file that cannot be read is a mistake in the settings, like what stands in it.
fn read(file: &Path) -> Result<Vec<u8>, SettingsError> {
    let refuse = |why: String| SettingsError { sentences: vec![format!("--config: {why}")] };
    let opened = Disk::default().open_to_read(file).map_err(|error| refuse(error.to_string()))?;
    let mut text = Vec::new();
    let read = opened.take(SETTINGS_FILE_BYTES + 1).read_to_end(&mut text);
    read.map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))?;
    if text.len() as u64 > SETTINGS_FILE_BYTES {
        let shown = file.display();
        return Err(refuse(format!("{shown} is larger than {SETTINGS_FILE_BYTES} bytes; no file of settings is")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn start(arguments: &[&str]) -> StartOptions {
        let all = std::iter::once("cutaway").chain(arguments.iter().copied());
        Arguments::try_parse_from(all).expect("legal arguments").start
    }

    fn config(arguments: &[&str]) -> Result<BrokerConfig, SettingsError> {
        start(arguments).broker_config(Vec::new())
    }

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_command_is_start() {
        let with = Arguments::try_parse_from(["cutaway", "start", "--port", "0"]).expect("legal");
        assert!(matches!(with.command, Some(Command::Start(options)) if options.port == Some(0)));
        assert_eq!(start(&["--port", "0"]).port, Some(0));
    }

    #[test]
    fn a_port_is_a_listener_on_this_machine() {
        let config = config(&["--port", "0", "--data", "/x"]).expect("legal");
        assert_eq!((config.listeners[0].host.as_str(), config.listeners[0].port), ("127.0.0.1", 0));
        assert_eq!(config.log_dir, PathBuf::from("/x"));
    }

    #[test]
    fn an_address_needs_no_name_but_a_word_to_be_open() {
        assert_eq!(config(&["--listen", "[::1]:9"]).expect("legal").listeners[0].host, "::1");
        let refused = config(&["--listen", "0.0.0.0:9092"]).expect_err("open to all").to_string();
        assert!(refused.starts_with("listeners=PLAINTEXT://0.0.0.0:9092 (--listen): "), "{refused}");
        let open = config(&["--listen", "0.0.0.0:9092", "--allow-insecure-listeners"]).expect("asked for");
        assert_eq!(open.listeners[0].host, "0.0.0.0");
    }

    #[test]
    fn flags_win_over_overrides_and_overrides_over_the_environment() {
        let options = start(&["--override", "log.dirs=/o", "--override", "num.partitions=3", "--data", "/flag"]);
        let environment = [("KAFKA_NUM_PARTITIONS", "2"), ("KAFKA_LOG_DIRS", "/e"), ("KAFKA_BROKER", "x:1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = options.broker_config(environment).expect("legal");
        assert_eq!((config.num_partitions, config.log_dir), (3, PathBuf::from("/flag")));
        assert_eq!(config.notes, Vec::<String>::new());
    }

    #[test]
    fn a_port_that_is_none_is_told_what_is_allowed() {
        for text in ["abc", "-1", "65536", "70000", "", "1.5"] {
            let refused = Arguments::try_parse_from(["cutaway", "--port", text]).expect_err("no port").to_string();
            assert!(refused.contains("must be a number from 1 to 65535, or 0 for any port that is free"), "{refused}");
        }
        assert_eq!(start(&["-p", "65535"]).port, Some(65535));
    }

    #[test]
    fn a_data_folder_is_a_folder_whose_name_is_text() {
        use std::os::unix::ffi::OsStrExt;
        let refused = config(&["--data", "/dev/null"]).expect_err("a file").to_string();
        assert!(refused.starts_with("/dev/null is a file, not a data folder; name a folder"), "{refused}");
        let named = FolderOptions { data: Some("/dev/null".into()), ..FolderOptions::default() };
        assert_eq!(named.data_folder().expect_err("a file").to_string(), refused);
        let bytes = PathBuf::from(std::ffi::OsStr::from_bytes(b"/caf\xe9"));
        let named = FolderOptions { data: Some(bytes), ..FolderOptions::default() };
        assert!(named.settings(Vec::new()).expect_err("no text").to_string().contains("is not UTF-8"));
    }

    #[test]
    fn a_missing_file_is_a_sentence() {
        let sentence = config(&["--config", "/no/such/file"]).expect_err("missing").to_string();
        assert!(sentence.starts_with("--config: cannot open /no/such/file: "), "{sentence}");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for arguments in
            [["--port=1", "--listen=h:1"], ["--temp", "--data=/x"], ["--temp-folder=/x", "-d"], ["--port=x", "--temp"]]
        {
            let all = std::iter::once("cutaway").chain(arguments);
            assert!(Arguments::try_parse_from(all).is_err(), "{arguments:?}");
        }
    }
}
