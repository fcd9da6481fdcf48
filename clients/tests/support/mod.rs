//! A broker, services with a script, the programs, and a Redis of one's own.

pub(crate) mod broker;
pub(crate) mod program;
pub(crate) mod redis;
pub(crate) mod service;
pub(crate) mod socket;
