//! The resume token on disk: where the next run goes on.
//!
//! It belongs to an event that the broker acknowledged, with all events before it. So a kill at any moment makes some events
//! come twice and none be lost. Those that come twice are found by the identities that are kept with the token: those of the
//! events of the last moments, which a resume brings again.

pub(crate) mod rewind;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::talk::say;

/// How large a file is read; ours have some hundred kilobytes at most.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// What a token belongs to: it means nothing anywhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Belonging {
    /// The stream's URL.
    pub source: String,
    /// The topic that the events went to.
    pub topic: String,
    /// The cluster that has the topic.
    pub cluster_id: String,
}

/// Where the stream goes on.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The SSE id, or the time of an event.
    pub token: Box<str>,
    /// The identities of the events just before.
    pub recent: Vec<u64>,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    #[serde(flatten)]
    belonging: Belonging,
    token: Box<str>,
    #[serde(default)]
    recent: Vec<u64>,
}

/// The file of one program.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    belonging: Belonging,
    /// Writing failed, which was said.
    is_unwritable: bool,
}

impl StateFile {
    /// For these events.
    pub fn new(path: PathBuf, belonging: Belonging) -> StateFile {
        StateFile { path, belonging, is_unwritable: false }
    }

    /// Where the last run ended; nothing when there was none, or when its token is of no use, which is said.
    pub fn load(&self) -> Option<Position> {
        let path = self.path.display();
        match self.read() {
            Ok(None) => None,
            Ok(Some(saved)) if saved.belonging == self.belonging => {
                say(format_args!("% Going on where {path} says that the last run ended"));
                Some(Position { token: saved.token, recent: saved.recent })
            }
            Ok(Some(saved)) => {
                let (was, is) = difference(&saved.belonging, &self.belonging);
                say(format_args!(
                    "% {path} belongs to {was}, not to {is}; it is not used and will be replaced: starting with the newest event"
                ));
                None
            }
            Err(error) => {
                say(format_args!("% {path} cannot be read ({error}); starting with the newest event"));
                None
            }
        }
    }

    fn read(&self) -> io::Result<Option<Saved>> {
        match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(metadata) if !metadata.is_file() => return Err(io::Error::other("it is not a file")),
            Ok(metadata) if metadata.len() > MAX_FILE_BYTES => return Err(io::Error::other("it is no resume token")),
            Ok(_) => {}
        }
        let text = fs::read(&self.path)?;
        match serde_json::from_slice(&text) {
            Ok(saved) => Ok(Some(saved)),
            Err(error) => Err(io::Error::other(format!("it is no resume token: {error}"))),
        }
    }

    /// Saves a position. When the file cannot be written that is said once; the program goes on without it.
    pub fn save(&mut self, token: &str, recent: Vec<u64>) {
        let saved = Saved { belonging: self.belonging.clone(), token: token.into(), recent };
        match write_whole(&self.path, &saved) {
            Ok(()) if std::mem::take(&mut self.is_unwritable) => {
                say(format_args!("% The resume token can be saved to {} again", self.path.display()));
            }
            Ok(()) => {}
            Err(error) => {
                if !std::mem::replace(&mut self.is_unwritable, true) {
                    say(format_args!(
                        "% The resume token cannot be saved to {} ({error}); going on without: the next run will not know \
                         where this one ended",
                        self.path.display()
                    ));
                }
            }
        }
    }
}

/// Writes a file beside the old one and puts it in its place: there is always a whole one.
fn write_whole(path: &Path, saved: &Saved) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    let mut file = fs::File::create(&beside)?;
    file.write_all(&serde_json::to_vec(saved)?)?;
    file.sync_data()?;
    fs::rename(&beside, path)
}

fn difference(was: &Belonging, is: &Belonging) -> (String, String) {
    let pair = |what: &str, was: &str, is: &str| (format!("{what} {was}"), is.to_owned());
    if was.source != is.source {
        pair("the source", &was.source, &is.source)
    } else if was.topic != is.topic {
        pair("the topic", &was.topic, &is.topic)
    } else {
        pair("the cluster", &was.cluster_id, &is.cluster_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belonging() -> Belonging {
        Belonging { source: "http://h/".to_owned(), topic: "t".to_owned(), cluster_id: "c".to_owned() }
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let mut file = StateFile::new(path.clone(), belonging());
        assert_eq!(file.load(), None);
        file.save("[1]", vec![1, u64::MAX]);
        file.save("[2]", vec![2]);
        assert_eq!(file.load(), Some(Position { token: "[2]".into(), recent: vec![2] }));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn another_source_topic_or_cluster_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        StateFile::new(path.clone(), belonging()).save("[1]", Vec::new());
        for index in 0..3 {
            let mut other = belonging();
            let field = [&mut other.source, &mut other.topic, &mut other.cluster_id].into_iter().nth(index).unwrap();
            field.push('x');
            assert_eq!(StateFile::new(path.clone(), other).load(), None);
        }
    }

    #[test]
    fn broken_files_are_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for text in ["", "{", "[]", "{\"source\":\"http://h/\"}", "\u{0}"] {
            fs::write(&path, text).unwrap();
            assert_eq!(StateFile::new(path.clone(), belonging()).load(), None, "{text}");
        }
        assert_eq!(StateFile::new(folder.path().to_owned(), belonging()).load(), None);
    }
}
