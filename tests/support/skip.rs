//! What a test does where something it needs is not installed: it says so by name and passes; in CI it fails.

use std::env;
use std::io::Write;
use std::thread;

use anyhow::bail;

/// Set to 1, it makes every skipped test a failed one.
pub const REQUIRE_ALL: &str = "CUTAWAY_REQUIRE_ALL";

/// Says that the running test is skipped because `missing` is not there, and what to do about it; an error where nothing
/// may be skipped.
pub fn skip(missing: &str, remedy: &str) -> anyhow::Result<()> {
    if env::var(REQUIRE_ALL).is_ok_and(|value| value == "1") {
        bail!("{missing} is not installed, and {REQUIRE_ALL}=1 allows no test to be skipped. {remedy}");
    }
    // Written to the stream itself: what is printed with `eprintln!` is not shown for a test that passes.
    let test = thread::current().name().unwrap_or("a test").to_owned();
    writeln!(std::io::stderr(), "skipped {test}: {missing} is not installed. {remedy}")?;
    Ok(())
}
