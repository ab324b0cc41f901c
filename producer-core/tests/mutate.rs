//! A fuzzer without instruments: bytes at random, and those of a corpus, damaged.
//!
//! A test runs some rounds from a fixed seed. For longer: `FUZZ_MINUTES=30 cargo test --release -p
//! producer-core --all-features --test behaviour fuzz_ -- --nocapture --test-threads=1`;
//! `FUZZ_SEED=n` starts elsewhere, `FUZZ_INPUT=hex` runs one input. What fails is printed as hex:
//! put it into `tests/fuzz/corpus` as one more line. With instruments: `scripts/fuzz`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// SplitMix64, so that a seed means the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Each line of the corpus as it is, then `rounds` inputs of at most `longest` bytes.
pub(crate) fn fuzz(corpus: &str, rounds: u64, longest: usize, check: fn(&[u8])) {
    let variable = |name| std::env::var(name).ok();
    if let Some(hex) = variable("FUZZ_INPUT") {
        return check(&bytes_of(&hex));
    }
    let number = |name| variable(name).and_then(|text| text.parse::<u64>().ok());
    let minutes = number("FUZZ_MINUTES");
    let until = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let mut dice = Dice(number("FUZZ_SEED").unwrap_or(1));
    let corpus: Vec<Vec<u8>> = corpus.lines().map(bytes_of).collect();
    for input in &corpus {
        try_one(input, check);
    }
    let mut round = 0;
    while until.map_or(round < rounds, |until| round % 256 != 0 || Instant::now() < until) {
        try_one(&input(&corpus, longest, &mut dice), check);
        round += 1;
    }
    println!("{} inputs of the corpus, {round} others", corpus.len());
}

fn try_one(input: &[u8], check: fn(&[u8])) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(input))) {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("FUZZ_INPUT={hex}");
        resume_unwind(panic);
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

/// Half of them random, half one of the corpus after some damage.
fn input(corpus: &[Vec<u8>], longest: usize, dice: &mut Dice) -> Vec<u8> {
    if corpus.is_empty() || dice.below(2) == 0 {
        return (0..dice.below(longest + 1)).map(|_| dice.next() as u8).collect();
    }
    let mut bytes = corpus[dice.below(corpus.len())].clone();
    for _ in 0..1 + dice.below(6) {
        damage(&mut bytes, corpus, dice);
    }
    bytes.truncate(longest);
    bytes
}

fn damage(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], dice: &mut Dice) {
    const TELLING: [u8; 14] =
        [0, 1, 2, 4, 8, b'"', b'{', b'}', b',', b':', b'\\', 0x7f, 0x80, 0xff];
    let at = dice.below(bytes.len() + 1);
    let Some(byte) = bytes.get_mut(at) else { return bytes.push(dice.next() as u8) };
    match dice.below(7) {
        0 => *byte = dice.next() as u8,
        1 => *byte = TELLING[dice.below(TELLING.len())],
        2 => *byte ^= 1 << dice.below(8),
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..(at + dice.below(30)).min(bytes.len()))),
        5 => {
            let copy = bytes[at..(at + dice.below(20)).min(bytes.len())].to_vec();
            bytes.splice(at..at, copy);
        }
        _ => {
            let from = &corpus[dice.below(corpus.len())];
            let start = dice.below(from.len());
            let end = (start + dice.below(40)).min(from.len());
            bytes.splice(at..at, from[start..end].iter().copied());
        }
    }
}
