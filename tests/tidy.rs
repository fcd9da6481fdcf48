//! What every file of the house has in common: an opening, a size, links that lead somewhere.

use std::path::Path;

use cutaway_tests::sources;

const MAX_FILE_LINES: usize = 400;
const MAX_FUNCTION_LINES: usize = 60;

#[test]
fn files_open_with_what_they_are() {
    for file in sources::all_rust_files() {
        let text = sources::read(&file);
        assert!(text.starts_with("//!"), "{} does not open with //!", file.display());
    }
}

#[test]
fn files_and_functions_stay_small() {
    let mut too_long = Vec::new();
    for file in sources::all_rust_files() {
        let text = sources::read(&file);
        let lines = text.lines().count();
        if lines > MAX_FILE_LINES {
            too_long.push(format!("{} has {lines} lines, {MAX_FILE_LINES} are allowed", file.display()));
        }
        for (name, start, length) in functions(&text) {
            if length > MAX_FUNCTION_LINES {
                too_long.push(format!(
                    "{}:{start}: {name} has {length} lines, {MAX_FUNCTION_LINES} are allowed",
                    file.display()
                ));
            }
        }
    }
    assert!(too_long.is_empty(), "{}", too_long.join("\n"));
}

/// Name, first line and number of lines of each function; relies on rustfmt's indentation.
fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split_whitespace().take_while(|word| *word != "fn").collect();
        let is_function = code.split_whitespace().any(|word| word == "fn")
            && words.iter().all(|word| matches!(*word, "pub" | "async" | "const") || word.starts_with("pub("))
            && !code.ends_with(';');
        if !is_function {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let closing = format!("{indent}}}");
        let end = lines[index..].iter().position(|line| *line == closing).unwrap_or(0);
        let name = code.split("fn ").nth(1).unwrap_or_default().split(['(', '<']).next().unwrap_or_default();
        found.push((name.to_owned(), index + 1, end + 1));
    }
    found
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut dead = Vec::new();
    for page in sources::files_with_suffix(".", ".md") {
        let text = sources::read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            let folder = page.parent().unwrap_or(Path::new("."));
            if !folder.join(path).exists() {
                dead.push(format!("{} links to {target}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn nothing_is_left_of_a_merge() {
    for file in sources::all_rust_files().into_iter().chain(sources::files_with_suffix(".", ".md")) {
        for (number, line) in sources::read(&file).lines().enumerate() {
            let is_marker = ["<<<<<<<", ">>>>>>>", "======="].iter().any(|marker| line.starts_with(marker));
            assert!(!is_marker, "{}:{}: {line}", file.display(), number + 1);
        }
    }
}

/// The repository speaks of the product alone.
#[test]
fn no_paths_of_a_machine() {
    for file in sources::all_rust_files().into_iter().chain(sources::files_with_suffix(".", ".md")) {
        for (number, line) in sources::read(&file).lines().enumerate() {
            let path = ["/ho", "me/"].concat();
            assert!(!line.contains(&path), "{}:{}: {line}", file.display(), number + 1);
        }
    }
}
