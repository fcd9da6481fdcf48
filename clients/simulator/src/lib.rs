//! Wikipedia's and Bluesky's event streams, made up on this machine.
//!
//! Programs that read the public streams read these as well: the same addresses below another host, the same framing, the
//! same ways to resume, the same errors. Nothing is copied from there; accounts, texts and ids are made of a seed, so that
//! two runs with one seed and one beginning send the same bytes, without the Internet, at any rate. And the
//! [oracle](Oracle) knows exactly what was sent, which lets a test hold it against what arrived.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use event_simulator::{Settings, Simulator};
//!
//! let simulator = Simulator::start(Settings { seed: 7, events: Some(100), ..Settings::default() }).await?;
//! println!("http://{}/v2/stream/recentchange", simulator.address());
//! assert_eq!(simulator.oracle().wikipedia.map(|sent| sent.events), Some(0));
//! # Ok(())
//! # }
//! ```
//!
//! Every event has a number in the order of time, and everything about it follows from the number and the seed. A
//! timeline says when which number is due; `wikipedia` and `bluesky` say what it is; `server` hands it to who asks, and writes
//! into a ledger what it has sent. So there is no history to be kept, and a client may begin anywhere in the last days.

mod bluesky;
mod chance;
mod ledger;
mod server;
mod settings;
mod timeline;
mod wikipedia;
mod words;

pub use server::oracle::{BlueskySent, Oracle, StreamSent, WikipediaSent};
pub use server::world::Connections;
pub use server::{Simulator, StartError};
pub use settings::{Answer, Bursts, Faults, Services, Settings, Unworkable};
