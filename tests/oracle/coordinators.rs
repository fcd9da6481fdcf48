//! Who looks after a group or a transactional id.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::FindCoordinatorRequest;

use super::text;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// A kind of key that no version knows.
const NOTHING: i8 = 9;

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    for kind in [GROUP, TRANSACTION] {
        // The first question makes Kafka's internal topic, and is told to come back.
        talk.learn_until(4, &keys(kind, &["anyone"]), |answer| answer["coordinators"][0]["errorCode"] == 0)?;
    }
    for version in 0..=6 {
        for (name, kind) in [("a group", GROUP), ("a transactional id", TRANSACTION), ("nothing known", NOTHING)] {
            if version == 0 && kind != GROUP {
                continue;
            }
            for key in ["anyone", ""] {
                let request = if version < 4 {
                    FindCoordinatorRequest::default().with_key_type(kind).with_key(text(key))
                } else {
                    keys(kind, &[key])
                };
                talk.ask(&format!("{name} called {key:?}"), version, &request)?;
            }
        }
        if version >= 4 {
            talk.ask("two groups and one of them twice", version, &keys(GROUP, &["one", "two", "one"]))?;
            talk.ask("no groups", version, &keys(GROUP, &[]))?;
        }
    }
    Ok(())
}

fn keys(kind: i8, keys: &[&str]) -> FindCoordinatorRequest {
    let keys = keys.iter().map(|key| text(key));
    FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(keys.collect())
}
