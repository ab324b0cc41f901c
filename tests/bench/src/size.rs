//! What a client costs whoever builds it: crates, time, and the size of a program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde::Serialize;

use crate::peer::{Peer, output};

/// One client; `None` where it cannot be said here.
#[derive(Debug, Serialize)]
pub(crate) struct Size {
    client: String,
    /// Packages of others that a program with it contains.
    packages: Option<usize>,
    /// Of a release build from nothing, all fetched before.
    clean_build_seconds: Option<f64>,
    /// Of a program that does little else, without symbols; of Java, of all jars.
    program_bytes: Option<u64>,
}

pub(crate) fn measure(peers: &[Peer]) -> Vec<Size> {
    [ours()].into_iter().chain(peers.iter().copied().map(theirs)).collect()
}

fn ours() -> Size {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = output("clean");
    // It need not be there.
    drop(fs::remove_dir_all(&target));
    drop(said(cargo(here, &["fetch", "--locked", "-q"])));
    let folder = target.to_string_lossy();
    let build = ["build", "-q", "--locked", "--release", "--target-dir", &folder];
    eprintln!("building the producer from nothing");
    let begun = Instant::now();
    let built = said(cargo(here, &[&build[..], &["-p", "producer-native", "--lib"]].concat()));
    let seconds = begun.elapsed().as_secs_f64();
    eprintln!("building a program that sends");
    let program = ["-p", "bench", "--bin", "one-send"];
    let bytes = said(cargo(here, &[&build[..], &program].concat()))
        .and_then(|_| stripped(&target.join("release/one-send")));
    Size {
        client: "ours".to_owned(),
        packages: crates(here, "producer-native"),
        clean_build_seconds: built.map(|_| seconds),
        program_bytes: bytes,
    }
}

fn theirs(peer: Peer) -> Size {
    let folder = peer.folder();
    let (packages, program_bytes) = match peer {
        Peer::Java => {
            let jars = fs::read_dir(output("java/dependency")).into_iter().flatten().flatten();
            let sizes: Vec<u64> = jars.filter_map(|jar| Some(jar.metadata().ok()?.len())).collect();
            (Some(sizes.len()), Some(sizes.iter().sum()))
        }
        Peer::Go => {
            let mut go = Command::new("go");
            let format = "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}";
            go.args(["list", "-deps", "-f", format, "."]).current_dir(&folder);
            let modules = said(go).map(|text| distinct(&text).len());
            (modules, stripped(&peer.built()))
        }
        Peer::Rust => (crates(&folder, "peer"), stripped(&peer.built())),
    };
    let client = peer.name().to_owned();
    Size { client, packages, clean_build_seconds: None, program_bytes }
}

/// Crates of others below this one, with default features, without those of builds and tests.
fn crates(folder: &Path, package: &str) -> Option<usize> {
    let words =
        ["tree", "--locked", "-e", "normal", "--prefix", "none", "-f", "{p}", "-p", package];
    let text = said(cargo(folder, &words))?;
    // Those of this repository have a path.
    let others: String = text
        .lines()
        .filter(|line| !line.contains("(/"))
        .fold(String::new(), |all, line| all + line.trim_end_matches(" (*)") + "\n");
    Some(distinct(&others).len())
}

fn distinct(lines: &str) -> BTreeSet<&str> {
    lines.lines().filter(|line| !line.is_empty()).collect()
}

fn cargo(folder: &Path, words: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(words).current_dir(folder);
    cargo
}

/// What it printed; `None` if it failed.
fn said(mut command: Command) -> Option<String> {
    let done = command.stderr(Stdio::inherit()).output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Bytes without symbols.
fn stripped(program: &Path) -> Option<u64> {
    let copy: PathBuf = output("stripped");
    let mut strip = Command::new("strip");
    strip.arg("-s").arg("-o").arg(&copy).arg(program);
    said(strip)?;
    Some(fs::metadata(copy).ok()?.len())
}

pub(crate) fn table(sizes: &[Size]) {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    println!(
        "\n{:32} {:>9} {:>22} {:>12}",
        "whoever builds it", "packages", "clean release build", "program"
    );
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for of in sizes {
        println!(
            "{:32} {:>9} {:>22} {:>12}",
            of.client,
            or_dash(of.packages.map(|packages| packages.to_string())),
            or_dash(of.clean_build_seconds.map(|seconds| format!("{seconds:.0} s, {cores} cores"))),
            or_dash(of.program_bytes.map(|bytes| format!("{:.1} MiB", bytes as f64 / 1048576.0))),
        );
    }
    println!(
        "packages: of others, with default features, in a program. Without symbols; of Java all jars,\n\
         and no virtual machine."
    );
}
