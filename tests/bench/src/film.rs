//! Failovers over time, as a picture.

use std::fmt::Write as _;

use crate::failover::Case;
use crate::series::STEP_MS;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 90.0;
const LEFT: f64 = 60.0;
const TOP: f64 = 60.0;
/// From one panel to the next.
const ACROSS: f64 = WIDTH + 90.0;
const DOWN: f64 = HEIGHT + 56.0;
/// Latencies are drawn by their logarithm, from 1 ms to 10 s.
const LATENCY_DECADES: f64 = 4.0;

/// A panel for each case, two beside each other: those of one client and one kind of settings.
pub(crate) fn svg(cases: &[Case]) -> String {
    let rows = cases.len().div_ceil(2) as f64;
    let (width, height) = (LEFT + 2.0 * ACROSS, TOP + rows * DOWN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"18\">one of three brokers fails: blue, acknowledged in each 100 ms \
         as a share of what is offered (100 % is the grey line);</text>\n\
         <text x=\"{LEFT}\" y=\"32\">red, 99th percentile of latency, logarithmic from 1 ms to 10 s; \
         black, the fault</text>\n"
    );
    for (n, case) in cases.iter().enumerate() {
        let (x, y) = (LEFT + (n % 2) as f64 * ACROSS, TOP + (n / 2) as f64 * DOWN);
        panel(&mut svg, case, x, y);
    }
    svg + "</svg>\n"
}

fn panel(svg: &mut String, case: &Case, x: f64, y: f64) {
    let Some(run) = case.runs.first() else { return };
    let (series, bottom) = (&run.series, y + HEIGHT);
    let steps = series.acknowledged.len().max(1) as f64;
    let across = |step: f64| x + step * WIDTH / steps;
    // What was held up comes at once: the scale goes up to twice the rate.
    let offered = (case.rate * STEP_MS) as f64 / 1e3;
    let share = |count: u64| bottom - (count as f64 / offered).min(2.0) * HEIGHT / 2.0;
    let latency = |ms: f64| bottom - (ms.max(1.0).log10() / LATENCY_DECADES).min(1.0) * HEIGHT;
    let line = |points: &mut dyn Iterator<Item = f64>| {
        let at = |(n, y): (usize, f64)| format!("{:.1},{y:.1}", across(n as f64 + 0.5));
        points.enumerate().map(at).collect::<Vec<_>>().join(" ")
    };
    let acknowledged = line(&mut series.acknowledged.iter().map(|count| share(*count)));
    let p99 = line(&mut series.p99_ms.iter().map(|ms| latency(*ms)));
    let (fault, full) = (across((case.fault_ms / STEP_MS) as f64), bottom - HEIGHT / 2.0);
    let title = format!("{}, {} settings, {}", case.client, case.settings, case.fault.name());
    let (right, label, seconds) = (x + WIDTH, bottom + 13.0, steps * STEP_MS as f64 / 1e3);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{}\">{title}</text>\
         <path d=\"M{x} {full} H{right}\" stroke=\"#ccc\"/>\
         <path d=\"M{x} {y} V{bottom} H{right} V{y}\" stroke=\"#999\" fill=\"none\"/>\
         <path d=\"M{fault} {y} V{bottom}\" stroke=\"#111\"/>\
         <polyline points=\"{acknowledged}\" fill=\"none\" stroke=\"#2563eb\"/>\
         <polyline points=\"{p99}\" fill=\"none\" stroke=\"#dc2626\"/>\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">100 %</text>\
         <text x=\"{}\" y=\"{}\">10 s</text><text x=\"{}\" y=\"{bottom}\">1 ms</text>\
         <text x=\"{x}\" y=\"{label}\">0</text>\
         <text x=\"{right}\" y=\"{label}\" text-anchor=\"end\">{seconds} s</text>",
        y - 6.0,
        x - 6.0,
        full + 4.0,
        right + 6.0,
        y + 8.0,
        right + 6.0,
    );
}
