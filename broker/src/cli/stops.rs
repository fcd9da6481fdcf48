//! The signals by which people and machines ask a process to stop.

use anyhow::Context;
use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

/// What a shell reports for a process that a signal ended: 128 and the signal's number.
const KILLED_BY_SIGNAL: u8 = 128;

/// SIGINT, SIGTERM and SIGHUP, which end this process no longer once they are listened to.
pub(crate) struct Stops {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
    /// Beyond a file-size limit the kernel sends this; once it is listened to, the write fails instead of the process.
    _file_too_large: unix::Signal,
}

impl Stops {
    /// Listens from now on; needs a running tokio runtime.
    pub(crate) fn listen() -> anyhow::Result<Stops> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Stops {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
            _file_too_large: listen(SignalKind::from_raw(Signal::XFSZ.as_raw()))?,
        })
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.hang_up.recv() => Signal::HUP,
        }
    }
}

/// The exit code that tells of an end by this signal.
pub(crate) fn exit_code(signal: i32) -> u8 {
    KILLED_BY_SIGNAL.saturating_add(u8::try_from(signal).unwrap_or(0))
}
