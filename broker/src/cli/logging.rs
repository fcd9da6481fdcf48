//! Where the log goes: stderr, a line to read or a JSON object for each event. The only place that sets up logging.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::arguments::{LogFormat, StartOptions};

/// Sets up logging for this process.
pub(crate) fn start(options: &StartOptions) {
    let default = match options.verbose {
        0 => "warn",
        1 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // Colour where people look, not in the file that a broker in the background writes.
    let ansi = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let ansi = ansi && !options.detached && std::io::stderr().is_terminal();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi);
    // It fails only when it was set up before, and then it is set up.
    let _ = match options.log_format {
        LogFormat::Human => log.with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
