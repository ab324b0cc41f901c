//! How fast are bodies compressed and read, next to what each crate does by itself, level for level,
//! in the same run?
//!
//! `cargo bench -p tests --bench compression` prints a table and fails where our way takes more than
//! 1.3 times as long as the fastest crate that is written in the language of the one we use: Rust for
//! zlib and LZ4, C for zstd, for which there is nothing else. Crates in C are shown for all; they are
//! not taken, so that whoever builds this with the features by default needs no C compiler.
#![allow(clippy::unwrap_used, reason = "a bench")]

use std::hint::black_box;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use producer_native::{Compress, Compression, compress, decompress};

/// Longest, in times of the fastest.
const LIMIT: f64 = 1.3;
/// Rounds of which the best counts, at least: others have this machine, too.
const ROUNDS: usize = 15;
const ROUND: Duration = Duration::from_millis(8);
/// How often that is done again before we are believed to be too slow.
const TRIES: usize = 4;

/// Somebody who does it; `gated` if we must keep up.
struct Rival {
    name: &'static str,
    gated: bool,
    run: Box<dyn Fn()>,
}

fn rival(name: &'static str, gated: bool, run: impl Fn() + 'static) -> Rival {
    Rival { name, gated, run: Box::new(run) }
}

fn main() {
    let mut worst = Vec::new();
    println!("{:<28}{:>9}  {:<44}{:>8}", "MB/s", "ours", "others", "ratio");
    for bytes in [4 << 10, 64 << 10, 1 << 20] {
        for (kind, levels) in [
            (Compression::Zlib, &[1, 5, 9][..]),
            (Compression::Lz4, &[0]),
            (Compression::Zstd, &[1, 3, 9]),
        ] {
            for &level in levels {
                let plain = body(bytes);
                let how = Compress { kind, level, threshold: 0 };
                let (packed, flag) = (compress(how, &plain).unwrap(), 1 | kind.flag());
                let title = format!("{} {level}, {} KiB", kind.name(), bytes >> 10);
                let ours = rival("ours", false, {
                    let plain = plain.clone();
                    move || drop(black_box(compress(how, black_box(&plain))))
                });
                worst.extend(contest(&title, &plain, ours, packers(kind, level, &plain)));
                let others = unpackers(kind, &packed, bytes);
                let ours = rival("ours", false, move || {
                    drop(black_box(decompress(flag, black_box(&packed), 4 << 20).unwrap()));
                });
                worst.extend(contest(&format!("{title}, read"), &plain, ours, others));
            }
        }
    }
    assert!(worst.is_empty(), "more than {LIMIT} times as long as the fastest: {worst:#?}");
}

/// Prints a line; gives it back if we are too slow.
fn contest(title: &str, plain: &[u8], ours: Rival, others: Vec<Rival>) -> Option<String> {
    let all: Vec<_> = std::iter::once(ours).chain(others).collect();
    let mut best = vec![f64::INFINITY; all.len()];
    let (mut ratio, mut rounds) = (f64::INFINITY, 0);
    for _ in 0..ROUNDS * TRIES {
        for (best, rival) in best.iter_mut().zip(&all) {
            *best = best.min(seconds(&*rival.run));
        }
        let gated = all.iter().zip(&best).filter(|(rival, _)| rival.gated);
        let fastest = gated.map(|(_, seconds)| *seconds).fold(f64::INFINITY, f64::min);
        ratio = best[0] / fastest;
        rounds += 1;
        if rounds >= ROUNDS && ratio <= LIMIT {
            break;
        }
    }
    let speed = |seconds: f64| plain.len() as f64 / seconds / 1e6;
    let shown = |(rival, seconds): (&Rival, &f64)| format!("{} {:.0}", rival.name, speed(*seconds));
    let others: Vec<_> = all.iter().zip(&best).skip(1).map(shown).collect();
    let line = format!("{title:<28}{:>9.0}  {:<44}{ratio:>8.2}", speed(best[0]), others.join(", "));
    println!("{line}");
    (ratio > LIMIT).then_some(line)
}

/// Time of one run, the mean of a round.
fn seconds(run: &dyn Fn()) -> f64 {
    let (begun, mut runs) = (Instant::now(), 0);
    while begun.elapsed() < ROUND {
        run();
        runs += 1;
    }
    begun.elapsed().as_secs_f64() / f64::from(runs)
}

fn packers(kind: Compression, level: i32, plain: &[u8]) -> Vec<Rival> {
    let plain = plain.to_vec();
    let again = plain.clone();
    let number = level.unsigned_abs();
    match kind {
        Compression::Zlib => vec![
            rival("zlib-rs", true, move || {
                let level = flate2::Compression::new(number);
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(&plain).unwrap();
                black_box(encoder.finish().unwrap());
            }),
            rival("miniz_oxide", true, {
                let plain = again.clone();
                move || {
                    let level = u8::try_from(number).unwrap();
                    black_box(miniz_oxide::deflate::compress_to_vec_zlib(&plain, level));
                }
            }),
            rival("libdeflate (C)", false, move || {
                let level = libdeflater::CompressionLvl::new(level).unwrap();
                let mut compressor = libdeflater::Compressor::new(level);
                let mut out = vec![0; compressor.zlib_compress_bound(again.len())];
                black_box(compressor.zlib_compress(&again, &mut out).unwrap());
            }),
        ],
        Compression::Lz4 => vec![
            rival("lz4_flex", true, move || {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(&plain).unwrap();
                black_box(encoder.finish().unwrap());
            }),
            rival("lz4 (C)", false, move || {
                let mut encoder = lz4::EncoderBuilder::new().build(Vec::new()).unwrap();
                encoder.write_all(&again).unwrap();
                black_box(encoder.finish().0);
            }),
        ],
        Compression::Zstd => vec![rival("zstd (C)", true, move || {
            black_box(zstd::bulk::compress(&plain, level).unwrap());
        })],
    }
}

fn unpackers(kind: Compression, packed: &[u8], bytes: usize) -> Vec<Rival> {
    let packed = packed.to_vec();
    let again = packed.clone();
    let whole = move |from: &mut dyn Read| {
        let mut out = Vec::with_capacity(bytes);
        from.read_to_end(&mut out).unwrap();
        black_box(out);
    };
    match kind {
        Compression::Zlib => vec![
            rival("zlib-rs", true, move || whole(&mut flate2::read::ZlibDecoder::new(&*packed))),
            rival("miniz_oxide", true, {
                let packed = again.clone();
                move || drop(black_box(miniz_oxide::inflate::decompress_to_vec_zlib(&packed)))
            }),
            rival("libdeflate (C)", false, move || {
                let mut out = vec![0; bytes];
                let mut reader = libdeflater::Decompressor::new();
                black_box(reader.zlib_decompress(&again, &mut out).unwrap());
            }),
        ],
        Compression::Lz4 => vec![
            rival("lz4_flex", true, move || {
                whole(&mut lz4_flex::frame::FrameDecoder::new(&*packed));
            }),
            rival("lz4 (C)", false, move || whole(&mut lz4::Decoder::new(&*again).unwrap())),
        ],
        Compression::Zstd => vec![rival("zstd (C)", true, move || {
            black_box(zstd::bulk::decompress(&packed, bytes).unwrap());
        })],
    }
}

/// Lines of JSON that are alike and not the same, as in many topics.
fn body(bytes: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut text = Vec::with_capacity(bytes + 100);
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (order, sum, place) = (state >> 44, (state >> 33) % 9_999, (state >> 20) % 17);
        writeln!(text, r#"{{"order":{order},"sum":"{sum}.00","store":"S{place}","paid":true}}"#)
            .unwrap();
    }
    text.truncate(bytes);
    text
}
