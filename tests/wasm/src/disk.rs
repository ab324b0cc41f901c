//! The golden files, as the host has handed them over.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

static HANDED: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static FILES: OnceLock<BTreeMap<PathBuf, String>> = OnceLock::new();

/// Room for so many bytes of JSON, before the first test: an object of texts by their paths below
/// `tests/golden`.
#[unsafe(no_mangle)]
extern "C" fn room(bytes: usize) -> *mut u8 {
    let mut handed = HANDED.lock().expect("one thread");
    handed.resize(bytes, 0);
    handed.as_mut_ptr()
}

fn all() -> &'static BTreeMap<PathBuf, String> {
    FILES.get_or_init(|| {
        let handed = std::mem::take(&mut *HANDED.lock().expect("one thread"));
        let files: BTreeMap<String, String> =
            serde_json::from_slice(&handed).expect("golden files");
        files.into_iter().map(|(path, text)| (root().join(path), text)).collect()
    })
}

/// The folder of the recorded cases.
pub(crate) fn root() -> PathBuf {
    PathBuf::from("/golden")
}

/// All files below `folder`, sorted by path.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    all().keys().filter(|path| path.starts_with(folder)).cloned().collect()
}

/// The content of a file.
pub(crate) fn read(path: &Path) -> String {
    all().get(path).unwrap_or_else(|| panic!("no file {}", path.display())).clone()
}
