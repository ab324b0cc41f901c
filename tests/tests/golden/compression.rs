//! Bodies that Java has compressed are read, and what Java cannot read is not read.

use crate::support::{hex, is_error, json, root, text};
use producer_native::{Compression, DecompressError, decompress};

const COMPRESSED: i32 = 1;

fn kind(row: &serde_json::Value) -> Compression {
    Compression::from_name(text(&row["in"], "type")).expect("a name of Java's")
}

#[test]
fn what_java_compressed_is_read() {
    let table = json(&root().join("tables/compression.json"));
    let rows = table["rows"].as_array().expect("rows");
    for row in rows {
        let (plain, packed) =
            (hex(text(&row["in"], "plain_hex")), hex(text(&row["out"], "compressed_hex")));
        let flag = COMPRESSED | kind(row).flag();

        let read = decompress(flag, &packed, plain.len());
        assert_eq!(read.as_deref(), Ok(&plain[..]), "{:?} {}", kind(row), row["in"]["level"]);
        if let Some(less) = plain.len().checked_sub(1) {
            let refused = decompress(flag, &packed, less);
            assert_eq!(refused, Err(DecompressError::TooLong { bytes_max: less }));
        }
    }
    assert!(rows.len() >= 45);
}

#[test]
fn what_is_not_compressed_is_an_error() {
    let table = json(&root().join("tables/decompression-odd-input.json"));
    let mut refused = 0;
    for row in table["rows"].as_array().expect("rows") {
        let bytes = hex(text(&row["in"], "bytes_hex"));
        if !is_error(&row["out"]) || bytes.is_empty() {
            continue;
        }
        let ours = decompress(COMPRESSED | kind(row).flag(), &bytes, 1 << 20);
        // An LZ4 frame that ends where no block has begun is empty to some and cut to others.
        let is_empty = ours.as_ref().is_ok_and(|plain| plain.is_empty());
        assert!(ours.is_err() || is_empty, "{row}: {ours:?}");
        refused += usize::from(ours.is_err());
    }
    assert!(refused >= 12, "{refused}");
}
