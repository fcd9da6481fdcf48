//! What the demo programs share: two public event streams, a Kafka client, counters in Redis.
//!
//! ```text
//!   Wikipedia (SSE)    ┐                ┌────────┐              ┌────────────────┐
//!                      ├─► *-producer ─►│ broker │─► *-consumer─►│ Redis: INCR type│
//!   Bluesky (WebSocket)┘                └────────┘              └────────────────┘
//! ```
//!
//! The programs stand in `src/bin`; each opens with its story and is short. From the source to the counters:
//! - [`source`]: connects, reads, and connects again where it was; [`event`]: what one event is, and what tells it apart;
//! - [`resume`]: the token kept on disk, so that the next run goes on where this one stopped;
//! - [`kafka`]: topics, settings, sending with acknowledgements; [`produce`]: the run of a producer;
//! - [`consume`]: the run of a consumer, and the counters in Redis;
//! - [`backpressure`]: what to do about a source that is faster than its reader.
//!
//! Nothing here knows which broker answers: Apache Kafka and Cutaway get the same requests.
//!
//! Building it compiles librdkafka, which needs a C compiler, make and bash. So the package is not among the workspace's
//! default members: `cargo build --release -p cutaway-clients` builds it.

pub mod backpressure;
pub mod consume;
pub mod event;
pub mod kafka;
pub mod options;
pub mod produce;
pub mod resume;
pub mod run;
pub mod source;
pub mod stop;
pub mod talk;
pub mod tally;
