//! The repository's own files, for the tests that keep the house.

use std::path::{Path, PathBuf};

/// The folder of the workspace.
///
/// # Panics
/// Never: the tests' folder stands in the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace").to_owned()
}

/// Every file below a folder of the workspace whose name ends so; build results and other people's code left out.
pub fn files_with_suffix(folder: &str, suffix: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_dir()
                && !matches!(name.as_str(), "target" | ".git" | "node_modules")
                && !name.starts_with("cutaway-data")
            {
                folders.push(path);
            } else if name.ends_with(suffix) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The Rust files below a folder.
pub fn rust_files(folder: &str) -> Vec<PathBuf> {
    files_with_suffix(folder, ".rs")
}

/// The Rust files of the broker, of the clients and of the tests.
pub fn all_rust_files() -> Vec<PathBuf> {
    ["broker", "clients", "tests"].into_iter().flat_map(rust_files).collect()
}

/// The modules directly in a folder.
pub fn children(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned()).collect()
}

/// A file's text.
///
/// # Panics
/// When the file cannot be read.
pub fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The lines of a file that are code of the product: no comments, nothing after the unit tests begin.
pub fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let name = file.strip_prefix(root()).unwrap_or(file).to_string_lossy().into_owned();
    if name.ends_with("/tests.rs") || name.contains("/tests/") {
        return Vec::new();
    }
    let text = read(file);
    let code = text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    code.filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}
