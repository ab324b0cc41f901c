//! The folder of the recorded cases. `tests/wasm`, where there are no folders, has another.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the recorded cases.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

/// All files below `folder`, sorted by path.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("golden folder") {
            let path = entry.expect("golden entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The content of a file.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("golden file")
}
