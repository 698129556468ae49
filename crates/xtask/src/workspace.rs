//! Where the workspace's files are, and which of them are ours.

use crate::failure::{During, Outcome};
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what others wrote or what a build made.
const FOREIGN: [&str; 6] = ["target", "node_modules", ".git", "__pycache__", "venv", "corpus"];

/// The root of the workspace: two above this crate.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A folder for what tests leave behind, made if need be.
///
/// # Errors
/// When it cannot be made.
pub fn scratch(name: &str) -> Outcome<PathBuf> {
    let folder = root().join("target/tmp").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).during(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).during(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// Every file under the root that is ours, in a fixed order.
///
/// # Errors
/// When a folder cannot be read.
pub fn files() -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).during(|| format!("read {}", folder.display()))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let name = entry.file_name();
            if kind.is_dir() && !FOREIGN.iter().any(|foreign| name == *foreign) {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// `path` as a reader of the repository names it.
pub fn name_of(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
