//! What a process takes of its machine, over time.

use std::fmt;

use tests::browser::{Believed, State};

/// At one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resources {
    resident_kib: u64,
    files: u64,
    threads: u64,
}

impl Resources {
    /// Of this process.
    pub(crate) fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let files = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        Self { resident_kib: number("VmRSS:"), files, threads: number("Threads:") }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.resident_kib, self.files, self.threads)
    }
}

/// What the sender says.
pub(crate) enum Line {
    Believed(Believed),
    Resources(Resources),
}

impl Line {
    pub(crate) fn read(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse().unwrap();
        let state = match words[0] {
            "r" => {
                return Self::Resources(Resources {
                    resident_kib: number(1),
                    files: number(2),
                    threads: number(3),
                });
            }
            "a" => State::Acked,
            "u" => State::Unknown,
            _ => State::NotStored,
        };
        let at = (words[0] == "a")
            .then(|| (words[2].to_owned(), words[3].parse().unwrap(), words[4].parse().unwrap()));
        let maybe_duplicate = words.get(5) == Some(&"true");
        Self::Believed(Believed { name: words[1].to_owned(), state, at, maybe_duplicate })
    }
}

/// Memory may grow by so much from the second quarter to the last: what an allocator keeps.
const GROWTH_KIB_MAX: u64 = 2 << 10;
/// A connection that is about to end, beside the one that takes its place, and a dial.
const FILES_MORE: u64 = 4;

/// All that was seen, once a second.
#[derive(Default)]
pub(crate) struct Watch(Vec<Resources>);

impl Watch {
    pub(crate) fn push(&mut self, now: Resources) {
        self.0.push(now);
    }

    /// The most of each quarter.
    fn quarters(&self, of: impl Fn(&Resources) -> u64) -> [u64; 4] {
        let quarter = (self.0.len() / 4).max(1);
        let most = |n: usize| self.0.iter().skip(n * quarter).take(quarter).map(&of).max();
        [0, 1, 2, 3].map(|n| most(n).unwrap_or(0))
    }

    /// KiB a minute, by least squares over all but the first quarter.
    fn slope(&self) -> f64 {
        let tail = &self.0[self.0.len() / 4..];
        let (n, mean_x) = (tail.len() as f64, (tail.len() as f64 - 1.0) / 2.0);
        let mean_y = tail.iter().map(|it| it.resident_kib as f64).sum::<f64>() / n;
        let (mut above, mut below) = (0.0, 0.0);
        for (x, it) in tail.iter().enumerate() {
            above += (x as f64 - mean_x) * (it.resident_kib as f64 - mean_y);
            below += (x as f64 - mean_x).powi(2);
        }
        above / below * 60.0
    }

    pub(crate) fn print(&self) {
        println!("most in each quarter of the time:");
        println!(
            "  resident KiB {:?}, {:+.1} a minute",
            self.quarters(|it| it.resident_kib),
            self.slope()
        );
        println!("  open files   {:?}", self.quarters(|it| it.files));
        println!("  threads      {:?}", self.quarters(|it| it.threads));
    }

    /// No more in the last quarter than in the second, and no slope that comes to more either.
    pub(crate) fn must_be_flat(&self) {
        let minutes = (self.0.len() - self.0.len() / 4) as f64 / 60.0;
        let grown = self.slope() * minutes;
        assert!(grown <= GROWTH_KIB_MAX as f64, "memory grows by {grown:.0} KiB: {}", self.slope());
        let [_, early, _, late] = self.quarters(|it| it.resident_kib);
        assert!(late <= early + GROWTH_KIB_MAX, "memory grows from {early} to {late} KiB");
        let [_, early, _, late] = self.quarters(|it| it.files);
        assert!(late <= early + FILES_MORE, "open files grow from {early} to {late}");
        let [_, early, _, late] = self.quarters(|it| it.threads);
        assert!(late <= early, "threads grow from {early} to {late}");
    }
}
