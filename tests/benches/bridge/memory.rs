//! What does a bridge keep, for those that are silent, that are busy, and that stand still?

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use tests::interop::pass;

use crate::Row;
use crate::children::{Ports, Process};
use crate::frames::{ANSWER_BYTES, send};
use crate::line::Line;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

fn kib(bytes: u64) -> String {
    format!("{:.1} KiB", bytes as f64 / KIB as f64)
}

/// A broker, and a bridge before it that has served one page.
fn stage() -> (Process, Process) {
    let broker = Process::broker();
    let bridge = Process::bridge("127.0.0.1:0", 1 << 20, &broker.at);
    let mut first = Line::page(bridge.at[0], broker.at[Ports::ANSWERS]);
    first.writer.write_all(&first.coded([&*send(256, 1)])).unwrap();
    first.reader.wait(ANSWER_BYTES);
    (broker, bridge)
}

/// Waits until the memory of a process stands still, and says how much it is.
fn settled(process: &Process) -> u64 {
    let mut last = process.memory();
    loop {
        pass(Duration::from_millis(500));
        let now = process.memory();
        if now.abs_diff(last) < 256 * KIB {
            return now;
        }
        last = now;
    }
}

/// Connections that have sent and received something, and nothing more.
pub(crate) fn idle() -> Vec<Row> {
    // Two files each at the bridge, and some more for itself.
    let pages = (files_max().saturating_sub(100) / 2).min(10_000);
    let (broker, bridge) = stage();
    let before = settled(&bridge);
    let mut lines: Vec<TcpStream> = Vec::with_capacity(pages);
    for _ in 0..pages {
        let mut line = Line::page(bridge.at[0], broker.at[Ports::ANSWERS]);
        line.writer.write_all(&line.coded([&*send(256, 1)])).unwrap();
        line.reader.wait(ANSWER_BYTES);
        lines.push(line.writer);
    }
    let after = settled(&bridge);
    drop(lines);
    let each = (after - before) / pages as u64;
    let all = before + 10_000 * each;
    let text = format!("{} MiB (by {pages} measured)", all / MIB);
    vec![
        Row::new("memory of 10,000 idle connections", text, "700 MB", all <= 700_000_000),
        Row::new("memory of an idle connection", kib(each), "64 KiB", each <= 64 * KIB),
    ]
}

/// How many files a process may have.
fn files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    files.split_whitespace().nth(1).unwrap().parse().unwrap_or(usize::MAX)
}

/// Connections that all send 64 KiB bodies, faster than they are taken.
pub(crate) fn busy() -> Vec<Row> {
    const PAGES: usize = 1_000;
    const WRITERS: usize = 4;
    const SPAN: Duration = Duration::from_secs(10);
    let (broker, bridge) = stage();
    let before = settled(&bridge);
    let (bridge_at, broker_at) = (bridge.at[0], broker.at[Ports::ANSWERS]);
    let until = Instant::now() + SPAN;
    let most = thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(move || write_to_all(PAGES / WRITERS, bridge_at, broker_at, until));
        }
        let mut most = 0;
        while Instant::now() < until {
            pass(Duration::from_millis(50));
            most = most.max(bridge.memory());
        }
        most
    });
    let each = (most - before) / PAGES as u64;
    vec![Row::new("memory of a busy connection (1,000)", kib(each), "640 KiB", each <= 640 * KIB)]
}

/// Writes what the sockets of these pages take, and reads no answers; until a time.
fn write_to_all(pages: usize, bridge: SocketAddr, broker: SocketAddr, until: Instant) {
    let mut lines: Vec<_> = (0..pages).map(|_| Line::page(bridge, broker)).collect();
    let coded = lines[0].coded([&*send(64 * 1024, 1)]);
    let mut at = vec![0; pages];
    lines.iter().for_each(|line| line.writer.set_nonblocking(true).unwrap());
    while Instant::now() < until {
        for (line, at) in lines.iter_mut().zip(&mut at) {
            if let Ok(written) = line.writer.write(&coded[*at..]) {
                *at = (*at + written) % coded.len();
            }
            line.reader.drop_all();
        }
    }
}

/// A broker that takes nothing while a page writes 64 MB, and a page that takes nothing of a broker
/// that writes all the time.
pub(crate) fn stalled() -> Vec<Row> {
    const SENT: usize = 64_000_000;
    let (broker, bridge) = stage();
    let before = settled(&bridge);

    let line = Line::page(bridge.at[0], broker.at[Ports::STALLS]);
    line.writer.set_nonblocking(true).unwrap();
    let coded = line.coded([&*send(64 * 1024, 1)]);
    let (mut written, mut at, mut most) = (0, 0, 0);
    let until = Instant::now() + Duration::from_secs(5);
    while written < SENT && Instant::now() < until {
        match (&line.writer).write(&coded[at..]) {
            Ok(bytes) => {
                written += bytes;
                at = (at + bytes) % coded.len();
            }
            Err(_) => pass(Duration::from_millis(1)),
        }
        most = most.max(bridge.memory());
    }
    let grown = most.saturating_sub(before);
    eprintln!("a broker that stands still: the sockets took {written} bytes of {SENT}");

    let page = Line::page(bridge.at[0], broker.at[Ports::FLOODS]);
    let (mut most, until) = (0, Instant::now() + Duration::from_secs(3));
    while Instant::now() < until {
        pass(Duration::from_millis(10));
        most = most.max(bridge.memory());
    }
    drop(page);
    let flooded = most.saturating_sub(before);
    vec![
        Row::new(
            "a broker stands still, a page sends 64 MB",
            kib(grown),
            "4 MiB",
            grown <= 4 * MIB,
        ),
        Row::new(
            "a page stands still, its broker floods",
            kib(flooded),
            "4 MiB",
            flooded <= 4 * MIB,
        ),
    ]
}
