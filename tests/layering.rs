//! The rooms of the broker and who may use whom: imports point down only.
//!
//! The table here is the one of `docs/architecture.md`. A room may use those listed, and the five that everybody may
//! use; `super::` stays inside a room.

use std::path::{Path, PathBuf};

use cutaway_tests::sources;

/// May be used by every room.
const FOUNDATIONS: [&str; 5] = ["config", "clock", "names", "schema", "journal"];

/// Room → what it may use besides the foundations.
const ROOMS: [(&str, &[&str]); 12] = [
    ("config", &[]),
    ("clock", &[]),
    ("names", &[]),
    ("schema", &[]),
    ("journal", &[]),
    ("storage", &[]),
    ("topics", &["storage"]),
    ("coordinator", &["topics", "storage"]),
    ("handlers", &["coordinator", "topics", "storage"]),
    ("server", &["handlers", "storage"]),
    ("web", &["topics", "storage"]),
    ("broker", &["topics", "storage", "coordinator", "handlers", "server", "web"]),
];

/// A foundation may use the foundations before it, which keeps them free of circles.
fn allowed(room: &str) -> Vec<&'static str> {
    let below = FOUNDATIONS.iter().take_while(|foundation| **foundation != room).copied();
    let listed = ROOMS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, uses)| uses);
    below.chain(listed.iter().copied()).collect()
}

/// The room that a file of the library belongs to; `None` for the crate's own door.
fn room_of(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(sources::root().join("broker/src")).ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    let room = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(room, "lib" | "main" | "cli")).then(|| room.to_owned())
}

fn library() -> Vec<PathBuf> {
    sources::rust_files("broker/src")
}

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for file in library() {
        let Some(room) = room_of(&file) else { continue };
        assert!(ROOMS.iter().any(|(name, _)| *name == room), "{} is in no room of the table", file.display());
        let may_use = allowed(&room);
        for (number, line) in sources::code_lines(&file) {
            assert!(!line.contains("crate::{"), "{}:{number}: one import a line between rooms", file.display());
            for used in line.split("crate::").skip(1) {
                let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if used != room && !may_use.contains(&used.as_str()) && ROOMS.iter().any(|(name, _)| *name == used) {
                    wrong.push(format!("{}:{number}: {room} may not use {used}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn storage_and_the_foundations_do_not_know_tokio() {
    for file in library() {
        let room = room_of(&file).unwrap_or_default();
        if !matches!(room.as_str(), "storage" | "config" | "names" | "schema") {
            continue;
        }
        for (number, line) in sources::code_lines(&file) {
            assert!(!line.contains("tokio::"), "{}:{number}: {line}", file.display());
        }
    }
}

#[test]
fn handlers_do_not_know_each_other() {
    let shared = ["mod", "apis", "call", "context", "epochs", "errors", "hurry", "operations", "settings", "tests"];
    for file in library() {
        let inside = file.strip_prefix(sources::root().join("broker/src/handlers")).map(Path::to_owned);
        let Ok(inside) = inside else { continue };
        let own = inside
            .components()
            .next()
            .and_then(|part| part.as_os_str().to_str())
            .unwrap_or_default()
            .trim_end_matches(".rs")
            .to_owned();
        if shared.contains(&own.as_str()) {
            continue;
        }
        for (number, line) in sources::code_lines(&file) {
            for other in sources::children("broker/src/handlers") {
                if other != own && !shared.contains(&other.as_str()) {
                    let named = ["handlers", "super"].iter().any(|above| {
                        [":", ";", " as "].iter().any(|end| line.contains(&format!("{above}::{other}{end}")))
                    });
                    assert!(!named, "{}:{number}: {own} uses {other}", file.display());
                }
            }
        }
    }
}

/// Those that share a folder because of their theme, neither.
#[test]
fn handlers_of_a_theme_do_not_know_each_other() {
    let themes = ["access", "cluster", "configs", "groups", "topics", "transactions"];
    // What several of a theme need.
    let shared = ["merged"];
    for theme in themes {
        let folder = format!("broker/src/handlers/{theme}");
        let all = sources::children(&folder);
        assert!(all.len() > 2, "{folder} has nothing in it: {all:?}");
        for own in all.iter().filter(|own| *own != "mod") {
            let file = sources::root().join(&folder).join(format!("{own}.rs"));
            for (number, line) in sources::code_lines(&file) {
                let others = all.iter().filter(|other| *other != own && *other != "mod");
                for other in others.filter(|other| !shared.contains(&other.as_str())) {
                    let named =
                        line.contains(&format!("super::{other}")) || line.contains(&format!("{theme}::{other}"));
                    assert!(!named, "{}:{number}: {own} uses {other}", file.display());
                }
            }
        }
    }
}

const TELLS_TIME: [&str; 7] = [
    "SystemTime::now",
    "Instant::now",
    ".elapsed()",
    "thread::sleep",
    "time::sleep",
    "time::timeout",
    "time::interval",
];

/// Only `storage/disk` calls the operating system on files, only `clock` reads time or sleeps.
#[test]
fn seams_hold() {
    let mut wrong = Vec::new();
    for file in library() {
        let shown = file.display().to_string();
        let disk = shown.contains("storage/disk");
        let clock = shown.ends_with("src/clock.rs");
        for (number, line) in sources::code_lines(&file) {
            let touches_files =
                ["std::fs::", "fs::File", "rustix::fs", "tokio::fs"].iter().any(|call| line.contains(call));
            if touches_files && !disk {
                wrong.push(format!("{shown}:{number}: files are the business of storage/disk: {}", line.trim()));
            }
            if TELLS_TIME.iter().any(|call| line.contains(call)) && !clock {
                wrong.push(format!("{shown}:{number}: time is the business of clock: {}", line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
