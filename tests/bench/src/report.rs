//! The table, the file for machines, and the picture.

use std::fmt::Write as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::child::Places;
use crate::row::Row;

pub(crate) fn begin(places: Places) {
    println!("{}", machine());
    println!(
        "{}; {}",
        if places.pinned { "client on processor 0, broker on 1" } else { "not pinned" },
        if places.undisturbed { "undisturbed by other jobs" } else { "other jobs come in between" },
    );
}

pub(crate) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let kernel = said("uname", "-sr");
    let compiler = said("rustc", "--version");
    format!("{threads} x {}, {kernel}, {compiler}", model.unwrap_or("unknown processor"))
}

fn said(program: &str, word: &str) -> String {
    let output = Command::new(program).arg(word).output();
    output
        .map_or_else(|_| String::new(), |it| String::from_utf8_lossy(&it.stdout).trim().to_owned())
}

pub(crate) fn table(rows: &[Row], rounds: usize) {
    println!("{rounds} rounds, medians; every ratio is to the limit measured before and after");
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    println!(
        "\n{:width$}  {:>10} {:>9} {:>11} {:>9} {:>9} {:>6} {:>8} {:>6}  goals",
        "", "messages/s", "of limit", "", "p50 us", "p99 us", "of it", "CPU us", "of it"
    );
    for row in rows {
        let (least, most) = row.spread();
        let of_limit =
            |ratio: f64| if ratio.is_finite() { format!("{ratio:.2}") } else { "-".into() };
        print!(
            "{:width$}  {:>10.0} {:>8.0}% {:>11} {:>9.1} {:>9.1} {:>6} {:>8.2} {:>6}",
            row.name,
            row.median(|sample| sample.rate()),
            row.share() * 100.0,
            format!("{:.0}..{:.0}", least * 100.0, most * 100.0),
            row.median(|sample| sample.p50_us),
            row.median(|sample| sample.p99_us),
            of_limit(row.latency()),
            row.median(|sample| sample.cpu_us()),
            of_limit(row.cpu()),
        );
        for (goal, met) in row.judged() {
            print!("  {goal} {}", if met { "met" } else { "MISSED" });
        }
        println!();
        let failed: u64 = row.samples.iter().map(|(ours, _)| ours.failed).sum();
        if failed > 0 {
            println!("{:width$}  {failed} sends failed", "");
        }
    }
}

/// What a message costs that can be counted, ours beside the limit.
pub(crate) fn costs(rows: &[Row]) {
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    println!(
        "\n{:width$}  {:>9} {:>9} {:>9} {:>9} {:>13} {:>11}   of the limit: calls, writes",
        "a message costs",
        "bytes out",
        "bytes in",
        "writes",
        "reads",
        "system calls",
        "allocations"
    );
    let known = |calls: Option<f64>| match calls {
        Some(calls) => format!("{calls:.4}"),
        None => "-".to_owned(),
    };
    for row in rows {
        let Some((ours, limit)) = &row.counted else { continue };
        println!(
            "{:width$}  {:>9.1} {:>9.1} {:>9.4} {:>9.4} {:>13} {:>11.4}   {}, {:.4}",
            row.name,
            ours.bytes_out,
            ours.bytes_in,
            ours.writes,
            ours.reads,
            known(ours.system_calls),
            ours.allocations,
            known(limit.system_calls),
            limit.writes,
        );
    }
    if rows.iter().all(|row| row.counted.is_none_or(|(ours, _)| ours.system_calls.is_none())) {
        println!("system calls: perf may not count them here (raw_syscalls:sys_enter)");
    }
}

pub(crate) fn json(rows: &[Row]) -> Value {
    let row = |row: &Row| {
        json!({
            "name": row.name,
            "load": row.load,
            "rate": row.median(|sample| sample.rate()),
            "ofLimit": row.share(),
            "spread": row.spread(),
            "p50Us": row.median(|sample| sample.p50_us),
            "p99Us": row.median(|sample| sample.p99_us),
            "cpuUs": row.median(|sample| sample.cpu_us()),
            "goals": row.judged(),
            "counted": row.counted,
            "samples": row.samples,
        })
    };
    rows.iter().map(row).collect()
}

const ROW: usize = 22;
const LEFT: usize = 260;
const BAR: f64 = 420.0;

/// The shares of the limit, with their spread.
pub(crate) fn svg(rows: &[Row]) -> String {
    let height = rows.len() * ROW + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"760\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n"
    );
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"16\">share of the limit of this machine</text>");
    for (n, row) in rows.iter().enumerate() {
        let (y, (least, most)) = (30 + n * ROW, row.spread());
        let x = |share: f64| LEFT as f64 + share.clamp(0.0, 1.2) * BAR / 1.2;
        let text = y + 13;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text>\
             <rect x=\"{LEFT}\" y=\"{y}\" width=\"{:.1}\" height=\"16\" fill=\"#3b82f6\"/>\
             <path d=\"M{:.1} {} H{:.1}\" stroke=\"#111\"/>\
             <text x=\"700\" y=\"{text}\">{:.0} %</text>",
            LEFT - 8,
            row.name,
            x(row.share()) - LEFT as f64,
            x(least),
            y + 8,
            x(most),
            row.share() * 100.0,
        );
    }
    svg + "</svg>\n"
}
