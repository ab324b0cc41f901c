//! How long does a request take, and how many go over one connection?
//!
//! What is written is coded before the clock starts, for a page as for the relay: masks and headers
//! of a browser cost nothing here, so a ratio compares the bridge with the relay and nothing else.
//! The page writes 2 % more bytes, eight for each message.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::Row;
use crate::children::{Ports, Process};
use crate::frames::{ANSWER_BYTES, send};
use crate::line::Line;

/// A broker, and the three ways to one of its ports.
struct Ways {
    _broker: Process,
    relay: Process,
    bridge: Process,
    direct_line: Line,
    relay_line: Line,
    bridge_line: Line,
}

impl Ways {
    fn to(port: usize) -> Self {
        let broker = Process::broker();
        let at = broker.at[port];
        let relay = Process::relay(at);
        let bridge = Process::bridge("127.0.0.1:0", 1_000, &broker.at);
        Self {
            direct_line: Line::plain(at),
            relay_line: Line::plain(relay.at[0]),
            bridge_line: Line::page(bridge.at[0], at),
            _broker: broker,
            relay,
            bridge,
        }
    }
}

pub(crate) fn latency() -> Vec<Row> {
    // Whether client and bridge run on one processor or wake each other up on two is decided when
    // they start, and counts for more than what they do.
    const STAGES: usize = 9;
    const ROUNDS: usize = 5;
    const REQUESTS: usize = 1_000;
    let frame = send(256, 1);
    let mut added: [Vec<f64>; 4] = Default::default();
    let mut directs = Vec::new();
    let mut ways = Ways::to(Ports::ANSWERS);
    for round in 0..STAGES * ROUNDS {
        if round % ROUNDS == 0 {
            ways = Ways::to(Ports::ANSWERS);
        }
        let quantiles = |line: &mut Line| {
            let coded = line.coded([&*frame]);
            let mut times: Vec<_> = (0..REQUESTS).map(|_| round_trip(line, &coded)).collect();
            times.sort_unstable();
            [REQUESTS / 2, REQUESTS * 99 / 100].map(|at| times[at].as_secs_f64() * 1e6)
        };
        let direct = quantiles(&mut ways.direct_line);
        let relay = quantiles(&mut ways.relay_line);
        let bridge = quantiles(&mut ways.bridge_line);
        directs.push(direct[0]);
        let pairs = [(bridge, 0), (bridge, 1), (relay, 0), (relay, 1)];
        for (list, (way, quantile)) in added.iter_mut().zip(pairs) {
            list.push(way[quantile] - direct[quantile]);
        }
    }
    let [p50, p99, relay_p50, relay_p99] = added.map(median);
    let with = |own: f64, relay: f64| format!("{own:.0} us (relay {relay:.0} us)");
    let direct = median(directs);
    eprintln!("a request and its answer take {direct:.0} us on a direct connection");
    vec![
        Row::new("added latency at 256 B, p50", with(p50, relay_p50), "60 us", p50 <= 60.0),
        Row::new("added latency at 256 B, p99", with(p99, relay_p99), "300 us", p99 <= 300.0),
    ]
}

fn round_trip(line: &mut Line, coded: &[u8]) -> Duration {
    let start = Instant::now();
    line.writer.write_all(coded).unwrap();
    line.reader.wait(ANSWER_BYTES);
    start.elapsed()
}

pub(crate) fn frames() -> Vec<Row> {
    let one_way = through(256, 400_000);
    let both_ways = answered(200_000);
    let row = |what, Compared { rate, ratio, cpu, relay_cpu }: Compared| {
        let measured = format!("{:.0} k/s, {:.0} % of the relay", rate / 1e3, ratio * 100.0);
        eprintln!("{what}: {cpu:.0} ns of a processor each, relay {relay_cpu:.0} ns");
        Row::new(what, measured, "250 k/s and 60 %", rate >= 250e3 && ratio >= 0.6)
    };
    vec![
        row("256 B frames a second, one connection", one_way),
        row("the same, each answered", both_ways),
    ]
}

pub(crate) fn bodies() -> Vec<Row> {
    let Compared { rate, ratio, cpu, relay_cpu } = through(64 * 1024, 8_000);
    let rate = rate * 64.0 / 1024.0;
    eprintln!("bodies: {cpu:.0} ns of a processor each, relay {relay_cpu:.0} ns");
    let measured = format!("{rate:.0} MiB/s, {:.0} % of the relay", ratio * 100.0);
    let held = rate >= 400.0 || ratio >= 0.8;
    vec![Row::new("64 KiB bodies, one connection", measured, "400 MiB/s or 80 %", held)]
}

/// The bridge, and the relay beside it.
struct Compared {
    /// Frames a second.
    rate: f64,
    /// Of the relay's.
    ratio: f64,
    /// Nanoseconds of a processor for a frame.
    cpu: f64,
    relay_cpu: f64,
}

const ROUNDS: usize = 9;

/// Frames that go one way. One message of the page each.
fn through(body: usize, frames: usize) -> Compared {
    let mut ways = Ways::to(Ports::SINKS);
    let length = send(body, 0).len();
    // So many are written at once; the broker looks at the number of the first of a round.
    let group = (128 * 1024 / length).max(1);
    let frames = frames / group * group;
    let frame = send(body, i32::try_from(frames * length).unwrap());
    let round = |line: &mut Line| {
        let coded = line.coded(std::iter::repeat_n(&*frame, group));
        let start = Instant::now();
        for _ in 0..frames / group {
            line.writer.write_all(&coded).unwrap();
        }
        line.reader.wait(ANSWER_BYTES);
        start.elapsed()
    };
    compare(&mut ways, frames, round)
}

/// Frames that are answered, as many under way as sockets hold.
fn answered(frames: usize) -> Compared {
    let mut ways = Ways::to(Ports::ANSWERS);
    let frame = send(256, 0);
    const GROUP: usize = 200;
    let round = |line: &mut Line| {
        let coded = line.coded(std::iter::repeat_n(&*frame, GROUP));
        let Line { writer, reader } = line;
        let start = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| (0..frames / GROUP).for_each(|_| writer.write_all(&coded).unwrap()));
            reader.wait(frames / GROUP * GROUP * ANSWER_BYTES);
        });
        start.elapsed()
    };
    compare(&mut ways, frames, round)
}

fn compare(
    ways: &mut Ways,
    frames: usize,
    mut round: impl FnMut(&mut Line) -> Duration,
) -> Compared {
    let frames = frames as f64;
    let (mut rates, mut ratios) = (Vec::new(), Vec::new());
    round(&mut ways.relay_line);
    round(&mut ways.bridge_line);
    let before = [ways.bridge.cpu_ns(), ways.relay.cpu_ns()];
    for _ in 0..ROUNDS {
        let relay = round(&mut ways.relay_line).as_secs_f64();
        let bridge = round(&mut ways.bridge_line).as_secs_f64();
        rates.push(frames / bridge);
        ratios.push(relay / bridge);
    }
    let each = |after: f64, before: f64| (after - before) / (frames * ROUNDS as f64);
    Compared {
        rate: median(rates),
        ratio: median(ratios),
        cpu: each(ways.bridge.cpu_ns(), before[0]),
        relay_cpu: each(ways.relay.cpu_ns(), before[1]),
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
