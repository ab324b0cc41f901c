//! The clients of others: a small program of ours around each (`tests/bench/peers`), with the
//! settings that its documentation recommends, fetched by its own package manager.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::child::{ONE, Places};
use crate::sample::Sample;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Peer {
    Java,
    Go,
    Rust,
}

impl Peer {
    pub(crate) const ALL: [Self; 3] = [Self::Java, Self::Go, Self::Rust];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Java => "Java client 5.4.0",
            Self::Go => "Go client 2.1.2",
            Self::Rust => "rocketmq-client-rust 1.0.0",
        }
    }

    /// What it does as well as it can, by how many sends are in flight.
    pub(crate) fn modes(self) -> &'static [(usize, &'static str)] {
        match self {
            Self::Java | Self::Go => &[(1, "sync"), (64, "sync"), (64, "async"), (1_024, "async")],
            // Past 512 it refuses; then its users have to wait for their turn themselves.
            Self::Rust => &[(1, "tasks"), (64, "tasks"), (1_024, "bounded")],
        }
    }

    /// How it sends at a fixed rate; the last word of a mode names it.
    pub(crate) fn rate_modes(self) -> &'static [&'static str] {
        match self {
            Self::Java => &["rate-sync", "rate-async"],
            Self::Go | Self::Rust => &["rate"],
        }
    }

    pub(crate) fn folder(self) -> PathBuf {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        here.join(match self {
            Self::Java => "java",
            Self::Go => "go",
            Self::Rust => "rust",
        })
    }

    /// What is there once it was built.
    pub(crate) fn built(self) -> PathBuf {
        output(match self {
            Self::Java => "java/classes/Peer.class",
            Self::Go => "go/peer",
            Self::Rust => "rust/release/peer",
        })
    }

    /// Fetches and builds all that can be had here, and says what cannot, and why.
    pub(crate) fn build_all(wanted: impl Fn(&str) -> bool) -> Vec<Self> {
        let mut built = Vec::new();
        for peer in Self::ALL.into_iter().filter(|peer| wanted(peer.name())) {
            match peer.build() {
                Ok(()) => built.push(peer),
                Err(why) => println!("without the {}: {why}", peer.name()),
            }
        }
        built
    }

    fn build(self) -> Result<(), String> {
        let is_new = !self.built().exists();
        if is_new && self == Self::Rust {
            eprintln!("building {}: some 270 crates, ten minutes of a core at least", self.name());
        }
        let (go, rust) = (output("go/peer"), output("rust"));
        let (go, rust) = (go.to_string_lossy(), rust.to_string_lossy());
        let (program, words) = match self {
            Self::Java => ("mvn", &["-B", "-q", "compile", "dependency:copy-dependencies"][..]),
            Self::Go => ("go", &["build", "-o", &*go, "."][..]),
            Self::Rust => {
                ("cargo", &["build", "-q", "--release", "--locked", "--target-dir", &*rust][..])
            }
        };
        let begun = Instant::now();
        let mut command = Command::new(program);
        let done = command.args(words).current_dir(self.folder()).stdout(Stdio::null()).status();
        match done {
            Ok(status) if status.success() => {
                if is_new {
                    eprintln!("built {} in {} s", self.name(), begun.elapsed().as_secs());
                }
                Ok(())
            }
            Ok(status) => Err(format!("{program} ended with {status}")),
            Err(error) => Err(format!("{program}: {error}")),
        }
    }

    fn command(self, places: Places) -> Command {
        match self {
            Self::Java => {
                let mut command = places.command(ONE, "java");
                let (classes, jars) = (output("java/classes"), output("java/dependency/*"));
                let path = format!("{}:{}", classes.display(), jars.display());
                command.args(["-Xms512m", "-Xmx512m"]);
                command.arg("--add-opens=java.base/java.nio=ALL-UNNAMED");
                command.arg("--add-exports=java.base/sun.nio.ch=ALL-UNNAMED");
                command.args(["-cp", &path, "Peer"]);
                command
            }
            Self::Go | Self::Rust => places.command(ONE, &self.built().to_string_lossy()),
        }
    }

    /// Runs it to its end. `line` is shown all that it prints before its sample, at once.
    pub(crate) fn run(
        self,
        places: Places,
        words: &[&str],
        line: impl FnMut(&str),
    ) -> Result<Sample, String> {
        let mut command = self.command(places);
        command.args(words);
        run(command, line).map_err(|why| format!("{}: {why}", self.name()))
    }
}

/// Runs a client to its end. It prints `first` after its first receipt, perhaps other lines, and
/// last its sample, whose cold start is replaced by what its parent sees of it.
pub(crate) fn run(mut command: Command, mut line: impl FnMut(&str)) -> Result<Sample, String> {
    let begun = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    let out = BufReader::new(child.stdout.take().expect("it was piped"));
    let (mut first_ms, mut sample) = (0.0, Err("it printed no sample".to_owned()));
    for text in out.lines().map_while(Result::ok) {
        if text == "first" {
            first_ms = begun.elapsed().as_secs_f64() * 1e3;
        } else if text.starts_with('{') {
            sample = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"));
        } else {
            line(&text);
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match status.success() {
        true => sample.map(|sample: Sample| Sample { first_ms, ..sample }),
        false => Err(format!("it ended with {status}")),
    }
}

/// Below what all builds of this repository go to, which `cargo clean` removes.
pub(crate) fn output(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench").join(name)
}
