//! Where in a message a walk is, as a name like `topics[0].partitions[3].index`.
//!
//! A path is a list on the stack, from the innermost step outwards, so that a walk names its place without allocating.

use std::fmt;

/// One step into a message, and the path that leads to it.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The message itself, which has no name in the path.
    Message,
    Field(&'static str),
    Element(usize),
    /// The tag section, or with a number a tagged field that the table does not know.
    Tags(Option<u32>),
}

impl<'a> Path<'a> {
    /// The message itself; it prints as nothing.
    pub fn message() -> Path<'static> {
        Path { parent: None, step: Step::Message }
    }

    /// A field of what this path leads to.
    pub fn field(&'a self, name: &'static str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Field(name) }
    }

    /// An element of the array that this path leads to.
    pub fn element(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Element(index) }
    }

    /// The tag section of the struct that this path leads to.
    pub fn tags(&'a self) -> Path<'a> {
        Path { parent: Some(self), step: Step::Tags(None) }
    }

    /// A tagged field that the table does not know, of the struct that this path leads to.
    pub fn unknown_tag(&'a self, tag: u32) -> Path<'a> {
        Path { parent: Some(self), step: Step::Tags(Some(tag)) }
    }

    /// The name of the last step, or None for an element or the whole message.
    pub fn name(&self) -> Option<&'static str> {
        match self.step {
            Step::Field(name) => Some(name),
            Step::Message | Step::Element(_) | Step::Tags(_) => None,
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(parent) = self.parent else {
            return Ok(());
        };
        parent.fmt(formatter)?;
        let dot = if parent.parent.is_some() { "." } else { "" };
        match self.step {
            Step::Message => Ok(()),
            Step::Field(name) => write!(formatter, "{dot}{name}"),
            Step::Element(index) => write!(formatter, "[{index}]"),
            Step::Tags(None) => write!(formatter, "{dot}tags"),
            Step::Tags(Some(tag)) => write!(formatter, "{dot}tags[{tag}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_one_would_write_it() {
        let message = Path::message();
        assert_eq!(message.to_string(), "");
        assert_eq!(message.tags().to_string(), "tags");
        let topics = message.field("topics");
        let topic = topics.element(0);
        assert_eq!(topic.field("name").to_string(), "topics[0].name");
        assert_eq!(topic.unknown_tag(7).to_string(), "topics[0].tags[7]");
    }
}
