//! What became of partitions, in the order in which Kafka tells it.
//!
//! Its request handler answers for topics and partitions that are not there, and its coordinator for the others; then the
//! two answers are merged (`OffsetCommitResponse.Builder.merge`, `OffsetDeleteResponse.Builder.merge`).

use std::collections::HashMap;
use std::sync::Arc;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::TopicName as WireName;

use super::code;
use crate::coordinator::conversation::Outcomes;
use crate::handlers::Core;
use crate::topics::Topic;

/// A topic and the partitions of it that a request names, each with whatever belongs to it.
pub(super) type Asked<T> = (WireName, Vec<(i32, T)>);

/// A topic, and the error codes of its partitions.
pub(super) type Told = (WireName, Vec<(i32, i16)>);

/// A request's partitions: those that exist, topic by topic, and the answer for the others.
pub(super) struct Sorted<T> {
    pub(super) existing: Vec<(Arc<Topic>, Asked<T>)>,
    missing: Answer,
}

/// Topics in the order in which they were first told of, each once.
#[derive(Default)]
struct Answer {
    topics: Vec<Told>,
    places: HashMap<WireName, usize>,
}

/// Looks all partitions up; `find` says which topic is meant, or what is told of one that is not there.
pub(super) fn sort<T>(
    asked: Vec<Asked<T>>,
    find: impl Fn(&WireName) -> Result<Arc<Topic>, ResponseError>,
) -> Sorted<T> {
    let mut sorted = Sorted { existing: Vec::new(), missing: Answer::default() };
    let unknown = ResponseError::UnknownTopicOrPartition.code();
    for (name, partitions) in asked {
        let topic = match find(&name) {
            Ok(topic) => topic,
            Err(error) => {
                sorted.missing.add(name, partitions.iter().map(|(index, _)| (*index, error.code())).collect());
                continue;
            }
        };
        let (there, gone): (Vec<_>, Vec<_>) =
            partitions.into_iter().partition(|(index, _)| topic.partition(*index).is_some());
        if !gone.is_empty() {
            sorted.missing.add(name.clone(), gone.iter().map(|(index, _)| (*index, unknown)).collect());
        }
        if !there.is_empty() {
            sorted.existing.push((topic, (name, there)));
        }
    }
    sorted
}

/// A topic by its name.
pub(super) fn by_name(core: &Core) -> impl Fn(&WireName) -> Result<Arc<Topic>, ResponseError> {
    |name| core.topics.get(name).ok_or(ResponseError::UnknownTopicOrPartition)
}

impl<T> Sorted<T> {
    /// The whole answer, once it is known what became of those partitions that exist, one after another.
    pub(super) fn merge(self, outcomes: Outcomes) -> Vec<Told> {
        let (mut each, failure) = match outcomes {
            Ok(each) => (each.into_iter(), None),
            Err(error) => (Vec::new().into_iter(), Some(error)),
        };
        let mut told = |(_, (name, partitions)): (_, Asked<T>)| {
            let tell = |(index, _)| (index, code(failure.or_else(|| each.next().and_then(Result::err))));
            (name, partitions.into_iter().map(tell).collect::<Vec<_>>())
        };
        let existing: Vec<Told> = self.existing.into_iter().map(&mut told).collect();
        if self.missing.topics.is_empty() {
            return existing;
        }
        let mut merged = self.missing;
        existing.into_iter().for_each(|(name, codes)| merged.add(name, codes));
        merged.topics
    }
}

impl Answer {
    /// Adds partitions to a topic that is told of already, or at the end.
    fn add(&mut self, name: WireName, mut codes: Vec<(i32, i16)>) {
        let place = *self.places.entry(name.clone()).or_insert(self.topics.len());
        match self.topics.get_mut(place) {
            Some((_, known)) => known.append(&mut codes),
            None => self.topics.push((name, codes)),
        }
    }
}
