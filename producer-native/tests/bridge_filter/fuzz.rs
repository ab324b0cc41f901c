//! A fuzzer without instruments: frames of the corpus and of clients, damaged at random.
//!
//! A test runs a few thousand rounds from a fixed seed. For longer:
//! `FUZZ_MINUTES=30 cargo test --release -p producer-native --features bridge --test bridge_filter
//! fuzz -- --nocapture`; `FUZZ_SEED=n` starts elsewhere. What fails is printed as hex: put it into
//! `corpus/` as a file of hex digits. With instruments: `scripts/fuzz filter`, whose corpus is run
//! here too.

use std::path::Path;
use std::time::{Duration, Instant};

use super::check::{check, check_chosen, settings};
use super::frames::usual;

/// Numbers that look like chance (xorshift64*).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

#[test]
fn fuzz_damaged_frames_never_pass() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let minutes = number("FUZZ_MINUTES");
    let until = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let mut chance = Chance(number("FUZZ_SEED").unwrap_or(1).wrapping_mul(2) | 1);
    let corpus = corpus();
    let (mut rounds, mut refused) = (0_u64, 0_u64);
    while until.map_or(rounds < 5_000, |until| rounds % 1_000 != 0 || Instant::now() < until) {
        refused += u64::from(round(&corpus, &mut chance));
        rounds += 1;
    }
    println!("{rounds} streams, {refused} refused");
    assert!(refused > rounds / 20 && refused < rounds, "both ends are met");
}

/// Each file as it is, cut at every place.
#[test]
fn fuzz_corpus_passes_its_checks() {
    for (bytes, setting) in corpus().iter().flat_map(|bytes| settings().map(|s| (bytes, s))) {
        for cut in 0..=bytes.len() {
            check(&setting, bytes, &[cut]);
        }
    }
}

/// What libFuzzer has found that was new.
#[test]
fn fuzz_corpus_of_the_target_passes_its_checks() {
    let corpus = include_str!("../../../tests/fuzz/corpus/filter.hex");
    let refused = corpus.lines().filter(|line| check_chosen(&bytes_of(line)).is_some());
    assert!(refused.count() < corpus.lines().count(), "not all are refused");
}

/// One stream; whether it was refused.
fn round(corpus: &[Vec<u8>], chance: &mut Chance) -> bool {
    let mut bytes = Vec::new();
    for _ in 0..1 + chance.below(4) {
        bytes.extend_from_slice(&corpus[chance.below(corpus.len())]);
    }
    for _ in 0..chance.below(4) {
        damage(&mut bytes, corpus, chance);
    }
    let mut cuts: Vec<usize> =
        (0..chance.below(6)).map(|_| chance.below(bytes.len() + 1)).collect();
    cuts.sort_unstable();
    let setting = &settings()[chance.below(4)];
    let run = || check(setting, &bytes, &cuts).is_some();
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{cuts:?} {hex}");
        std::panic::resume_unwind(panic)
    })
}

/// Changes a few bytes: mostly lengths and what stands near the start of a frame.
fn damage(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], chance: &mut Chance) {
    const TELLING: [u8; 12] = [0, 1, 2, 3, 4, 20, 21, 34, 35, 0x7f, 0x80, 0xff];
    if bytes.is_empty() {
        return;
    }
    let near = if chance.below(2) == 0 { bytes.len() } else { bytes.len().min(60) };
    let at = chance.below(near);
    match chance.below(6) {
        0 => bytes[at] = chance.next() as u8,
        1 => bytes[at] = TELLING[chance.below(TELLING.len())],
        2 => bytes[at] ^= 1 << chance.below(8),
        3 => bytes.truncate(at),
        4 => {
            let end = (at + chance.below(30)).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => {
            let from = &corpus[chance.below(corpus.len())];
            let start = chance.below(from.len());
            let end = (start + chance.below(40)).min(from.len());
            bytes.splice(at..at, from[start..end].iter().copied());
        }
    }
}

/// What clients write, and the files.
fn corpus() -> Vec<Vec<u8>> {
    let mut all = usual("g-a", "a-1");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bridge_filter/corpus");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("the corpus")
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 10, "the corpus is there");
    for path in paths {
        let hex = std::fs::read_to_string(&path).expect("readable");
        all.push(bytes_of(&hex));
    }
    all
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}
