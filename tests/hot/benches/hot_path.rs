//! How many instructions does a message cost? Run by `scripts/hot-path` under callgrind.
//!
//! `hot_path json|binary WINDOW ROUNDS` sends `ROUNDS` times `WINDOW` messages of 128 bytes to two
//! brokers that answer at once. Counted are [`Hot::send`] and the take of its bytes, and the receipt
//! of answers, nothing that plays broker.
//!
//! `hot_path page|tenant WINDOW ROUNDS` shows the bridge's filter as many frames of 256-byte
//! messages, `WINDOW` at a time; a tenant's token names topics and groups. Counted is [`show`].

#[path = "../../benches/bridge/frames.rs"]
#[expect(dead_code, reason = "shared with the bench of the bridge")]
mod frames;

use hot::Hot;
use producer_core::wire::SerializeType;
use producer_native::bridge::{Filter, FilterLimits, Grants, Names, TargetKind};

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let what = args.next().unwrap_or_default();
    let mut number = |default| args.next().and_then(|arg| arg.parse().ok()).unwrap_or(default);
    let (window, rounds) = (number(64), number(100));
    match what.as_str() {
        "page" => filter(Grants::everything(), window, rounds),
        "tenant" => {
            let topics = Names::new(["bench-*"]).expect("valid");
            let groups = Names::new(["bench-*"]).expect("valid");
            filter(Grants { topics, groups, ..Grants::everything() }, window, rounds);
        }
        "binary" => send(SerializeType::RocketMq, window, rounds),
        _ => send(SerializeType::Json, window, rounds),
    }
}

fn send(serialize: SerializeType, window: usize, rounds: usize) {
    let mut hot = Hot::new(serialize, window);
    let before = hot.stored;
    for _ in 0..rounds {
        hot.round(window);
    }
    assert_eq!(hot.stored - before, (window * rounds) as u64, "every message is stored");
    println!("{} messages", window * rounds);
}

fn filter(grants: Grants, window: usize, rounds: usize) {
    let piece = frames::send(256, 1).repeat(window);
    let mut filter = Filter::new(TargetKind::Broker, FilterLimits::default(), grants.into());
    for _ in 0..rounds {
        assert_eq!(show(&mut filter, &piece), window as u64, "every frame passes");
    }
    println!("{} frames", window * rounds);
}

#[inline(never)]
fn show(filter: &mut Filter, piece: &[u8]) -> u64 {
    let verdict = filter.check(piece);
    assert_eq!(verdict.passed, piece.len());
    let mut frames = 0;
    filter.take_frames(|_, count| frames += count);
    frames
}
