//! Both services, as a client meets them: over sockets, byte by byte.

#[path = "services/client.rs"]
mod client;
#[path = "services/jetstream.rs"]
mod jetstream;
#[path = "services/wikimedia.rs"]
mod wikimedia;
