//! The local control socket: HTTP on a Unix socket in the data folder, for `cutaway status`, `cutaway stop` and all
//! that Kafka has no API for.
//!
//! | route | answer |
//! |---|---|
//! | `GET /status` | a [`Status`] as JSON |
//! | `POST /stop` | 202; the broker then stops in good order |
//!
//! Whoever may open the socket may do everything: it belongs to the owner of the data folder alone (mode 0600). The page
//! will have the same routes. What the routes do is decided in the rooms below; Kafka's messages are not known here.

mod control;
mod socket;
mod status;

#[cfg(test)]
mod tests;

pub use control::ControlSocket;
pub use socket::{SOCKET_FILE, connect};
pub use status::{ListenerStatus, Status};
