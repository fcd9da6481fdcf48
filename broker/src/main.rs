//! The binary `cutaway`: everything is in [`cli`] and, below it, in the library.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
