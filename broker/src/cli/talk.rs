//! What a broker in the foreground tells people, on stderr.

use std::fmt::Display;
use std::io::Write;

/// Tells a line. A terminal that is gone must not end a broker in the middle of its stop, as `eprintln!` would.
pub(super) fn say(line: impl Display) {
    let _ = writeln!(anstream::stderr(), "{line}");
}
