//! The suites, in reading order.

mod layering;
mod tidy;

mod schema;

mod crash;
mod log;

mod files;
mod kafka;
mod oracle;
