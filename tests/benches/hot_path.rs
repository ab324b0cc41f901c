//! How many instructions does a message cost? Run by `scripts/hot-path` under callgrind.
//!
//! `hot_path json|binary WINDOW ROUNDS` sends `ROUNDS` times `WINDOW` messages of 128 bytes to two
//! brokers that answer at once. Counted are [`Hot::send`] and the take of its bytes, and the receipt
//! of answers, nothing that plays broker.

use producer_core::wire::SerializeType;
use tests::hot::Hot;

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| !arg.starts_with("--"));
    let serialize = match args.next().as_deref() {
        Some("binary") => SerializeType::RocketMq,
        _ => SerializeType::Json,
    };
    let mut number = |default| args.next().and_then(|arg| arg.parse().ok()).unwrap_or(default);
    let (window, rounds) = (number(64), number(100));
    let mut hot = Hot::new(serialize, window);
    let before = hot.stored;
    for _ in 0..rounds {
        hot.round(window);
    }
    assert_eq!(hot.stored - before, (window * rounds) as u64, "every message is stored");
    println!("{} messages", window * rounds);
}
