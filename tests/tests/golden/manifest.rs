//! No byte of the recorded cases changes unnoticed.

use std::fmt::Write as _;
use std::{env, fs};

use crate::support::{files, read, root, short};
use producer_core::wire::crc32::crc32;

const MANIFEST: &str = "MANIFEST";

/// One line per file: CRC-32, size in bytes, path.
fn current() -> String {
    let mut lines = String::new();
    for path in files(&root()) {
        let name = short(&path);
        if name == MANIFEST {
            continue;
        }
        let bytes = read(&path).into_bytes();
        writeln!(lines, "{:08x} {:>7} {name}", crc32(&bytes), bytes.len()).expect("in memory");
    }
    lines
}

#[test]
fn every_golden_file_is_as_recorded() {
    let current = current();
    if env::var_os("GOLDEN_MANIFEST_WRITE").is_some() {
        // For whoever has recorded new cases; what is written then has to be committed.
        fs::write(root().join(MANIFEST), &current).expect("manifest");
    }

    let recorded = read(&root().join(MANIFEST));

    for line in current.lines() {
        assert!(recorded.lines().any(|known| known == line), "not in the manifest: {line}");
    }
    assert_eq!(current, recorded, "files are missing");
    println!("{} files", recorded.lines().count());
    assert!(recorded.lines().count() >= 889);
}
