//! A bridge starts anew: who is back when, and how many come at a time?

use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tests::interop::pass;

use crate::Row;
use crate::children::{Ports, Process};
use crate::line::Line;

const CLIENTS: usize = 500;
/// New connections a second that the bridge takes of an address; all clients have the same one.
const RATE: u32 = 150;

pub(crate) fn storm() -> Vec<Row> {
    let broker = Process::broker();
    let target = broker.at[Ports::ANSWERS];
    let bridge = Process::bridge("127.0.0.1:0", RATE, &broker.at);
    let at = bridge.at[0];
    // All are there, as after a day.
    let lines: Vec<_> = come_all(at, target);
    drop(bridge);
    let bridge = Process::bridge(&at.to_string(), RATE, &broker.at);
    let start = Instant::now();
    drop(lines);

    let mut back: Vec<_> = come_all(bridge.at[0], target)
        .into_iter()
        .map(|(_, when)| when.duration_since(start))
        .collect();

    back.sort_unstable();
    let last = back[CLIENTS - 1];
    // A bucket of one second's worth, which fills again: at most this many within any second at the
    // bridge. A client may hear of it a tenth of a second later than another one.
    let most = (0..CLIENTS)
        .map(|first| back[first..].iter().take_while(|when| **when < back[first] + SECOND).count());
    let most = most.max().unwrap_or_default();
    let allowed = 2 * RATE as usize;
    vec![
        Row::new(
            "500 clients are back after a restart within",
            format!("{:.1} s", last.as_secs_f64()),
            "5 s",
            last <= 5 * SECOND,
        ),
        Row::new(
            "most of them within one second",
            most,
            format!("{allowed} (rate and burst)"),
            most <= allowed + RATE as usize / 10,
        ),
    ]
}

const SECOND: Duration = Duration::from_secs(1);

/// Each tries until it is let in; when that was.
fn come_all(bridge: SocketAddr, target: SocketAddr) -> Vec<(Line, Instant)> {
    thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|n| scope.spawn(move || come(n as u64, bridge, target))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

/// As a page does: after a refusal it waits as long as it was told, and up to that once more, or as
/// long as it has waited before, twice.
fn come(number: u64, bridge: SocketAddr, target: SocketAddr) -> (Line, Instant) {
    let mut chance = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut backoff = Duration::from_millis(50);
    loop {
        let stream = TcpStream::connect(bridge);
        match stream.map(|stream| Line::upgrade(stream, bridge, target)) {
            Ok(Ok(line)) => return (line, Instant::now()),
            _refused => {}
        }
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        pass(backoff.mul_f64((chance >> 11) as f64 / (1_u64 << 53) as f64 + 0.5));
        backoff = (backoff * 2).min(SECOND);
    }
}
