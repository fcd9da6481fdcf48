//! What the log has to tell of a shard, and nothing that is over: what is written anew when the log has grown long.

use std::ops::Bound;

use super::Shard;
use crate::coordinator::group::Group;
use crate::coordinator::record::Record;
use crate::names::{GroupId, TopicName};

/// Which record comes next: that of the group, or that of one of its commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    group: GroupId,
    commit: Option<(TopicName, i32)>,
}

impl Shard {
    /// The records that say all that the log says of a shard, group by group: those from a place on, until they take so many
    /// bytes, and the place where it goes on. What changes between two calls is written down by itself.
    pub fn projection(&self, from: Option<&Place>, limit_bytes: usize) -> (Vec<Record>, Option<Place>) {
        let (mut records, mut size) = (Vec::new(), 0);
        let first = from.map_or(Bound::Unbounded, |place| Bound::Included(&place.group));
        for (id, group) in self.groups.range::<GroupId, _>((first, Bound::Unbounded)) {
            let place = |commit| Some(Place { group: id.clone(), commit });
            if size >= limit_bytes {
                return (records, place(None));
            }
            let commit = from.filter(|place| place.group == *id).and_then(|place| place.commit.as_ref());
            if commit.is_none() {
                size += push(&mut records, group.written());
            }
            for (topic, partition, committed) in group.offsets.iter_from(commit) {
                if size >= limit_bytes {
                    return (records, place(Some((topic.clone(), partition))));
                }
                let (group, topic, committed) = (id.clone(), topic.clone(), Some(committed.clone()));
                size += push(&mut records, Some(Record::Offset { group, topic, partition, committed }));
            }
        }
        (records, None)
    }

    /// About how many bytes the whole projection takes; rather too many than too few.
    pub fn projected_bytes(&self) -> u64 {
        let of_group = |(id, group): (&GroupId, &Group)| {
            let commits = group.offsets.iter().map(|(topic, _, one)| Record::size_of_commit(id, topic, Some(one)));
            (commits.sum::<usize>() + group.written().map_or(0, |record| record.size())) as u64
        };
        self.groups.iter().map(of_group).sum()
    }
}

fn push(records: &mut Vec<Record>, record: Option<Record>) -> usize {
    let size = record.as_ref().map_or(0, Record::size);
    records.extend(record);
    size
}
