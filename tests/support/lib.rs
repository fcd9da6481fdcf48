//! What the suites share: chance with a seed, folders, brokers of both kinds, talking to them, and what to do where
//! something is not installed.

pub mod batches;
pub mod broker;
pub mod chance;
pub mod client;
pub mod decode;
pub mod folders;
pub mod kafka;
pub mod patience;
pub mod raw_client;
pub mod skip;
pub mod sources;
pub mod talk;
pub mod transactional;
