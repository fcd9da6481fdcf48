//! How far the topic and the group have come, by the broker itself.

use std::time::Duration;

use cutaway::clock::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::options::Service;
use crate::cli::client::{BrokerOptions, Client, EARLIEST, Failure, LATEST};
use crate::cli::groups::find::find;

/// How often the broker is asked.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Where the topic and the group stand; `None` while the broker does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Offsets {
    /// Log start offsets, added up.
    pub(super) start: i64,
    /// Log end offsets, added up.
    pub(super) end: i64,
    /// What the group has not committed yet.
    pub(super) lag: i64,
}

/// Asks again and again.
#[derive(Debug)]
pub(super) struct Watcher {
    offsets: watch::Receiver<Option<Offsets>>,
    asking: JoinHandle<()>,
}

impl Watcher {
    /// Begins; what is known so far is told at once.
    pub(super) fn start(address: &str, service: Service, first: Offsets) -> Watcher {
        let (tell, offsets) = watch::channel(Some(first));
        let broker = BrokerOptions::at(address.to_owned());
        let asking = tokio::spawn(async move {
            let clock = Clock::system();
            loop {
                let mut client = Client::connect(&broker, "cutaway-demo").await;
                while let Ok(connected) = &mut client {
                    let asked = ask(connected, service).await;
                    let is_up = asked.is_ok();
                    tell.send_replace(asked.ok());
                    clock.sleep(ASK_EVERY).await;
                    if !is_up {
                        break;
                    }
                }
                tell.send_replace(None);
                clock.sleep(ASK_EVERY).await;
            }
        });
        Watcher { offsets, asking }
    }

    /// What the broker said last.
    pub(super) fn offsets(&self) -> Option<Offsets> {
        *self.offsets.borrow()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

/// Asks a broker once, before the demo begins: where topic and group stand, and how many members the group has.
pub(super) async fn ask_once(address: &str, service: Service) -> Result<(Offsets, usize), Failure> {
    let mut client = Client::connect(&BrokerOptions::at(address.to_owned()), "cutaway-demo").await?;
    let group = find(&mut client, service.group()).await?;
    Ok((ask(&mut client, service).await?, group.group.members.len()))
}

async fn ask(client: &mut Client, service: Service) -> Result<Offsets, Failure> {
    let name = service.topic().to_owned();
    let Some(topic) = client
        .metadata(Some(std::slice::from_ref(&name)), false)
        .await?
        .topics
        .into_iter()
        .find(|topic| topic.error_code == 0)
    else {
        return Ok(Offsets::default());
    };
    let starts = client.offsets(&topic, EARLIEST, false).await?;
    let ends = client.offsets(&topic, LATEST, false).await?;
    let node = client.coordinator(service.group()).await?;
    let committed = client.committed(node, service.group()).await?;
    let mut offsets = Offsets::default();
    for (partition, end) in ends {
        let (end, start) = (end?, starts.get(&partition).cloned().unwrap_or(Ok(0))?);
        let read = committed.get(&(name.clone(), partition)).copied().unwrap_or(start);
        offsets.start += start;
        offsets.end += end;
        offsets.lag += (end - read.max(start)).max(0);
    }
    Ok(offsets)
}
