//! The suites, in reading order.

mod layering;
mod tidy;

mod schema;
mod settings;

mod crash;
mod group;
mod log;

mod command_line;
mod embedded;
mod full_disk;
mod hostile;
mod kills;
mod nodes;
mod offsets_topic;
mod removed_folder;
mod run_command;
mod starts;

mod adopting;
mod files;
mod kafka;
mod oracle;
mod tools;
