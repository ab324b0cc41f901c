//! Sends the lines of a file, or of standard input, as messages: any number in little memory, with
//! a progress bar, and from where it was when it is started again.
//!
//!     cargo run -p producer-native --example batch_loader -- lines.txt   # [--name-server …]
//!     seq 100000 | cargo run -p producer-native --example batch_loader
//!
//! How far it is, it notes in `lines.txt.done`; delete that to begin anew. After an interruption at
//! most [`WINDOW`] lines are sent twice. Each message has the number of its line as its key, by
//! which consumers can tell.

use std::collections::VecDeque;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use producer_native::Message;
use producer_native::blocking::{Producer, Ticket};

pub mod support;

/// Most lines in hand, and most bytes of them: what was read and is not yet stored.
pub const WINDOW: usize = 1_000;
const WINDOW_BYTES: usize = 16 << 20;
/// A longer line is no line.
const LINE_MAX: u64 = 1 << 20;
/// Lines between two notes of how far we are.
const NOTE_EVERY: u64 = 10_000;

/// Sends all lines but those that an earlier run has sent. Returns how many lines there are.
pub fn load(
    producer: &Producer,
    mut input: impl BufRead,
    done_file: Option<&Path>,
    mut show: impl FnMut(u64, u64),
) -> support::Result<u64> {
    let before = done_file.map_or(Ok(0), read_note)?;
    let mut window: VecDeque<(Ticket, usize)> = VecDeque::new();
    let (mut bytes_in_hand, mut bytes_done) = (0, 0);
    let (mut read, mut done) = (0, before);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line)?;
        let ended = length == 0;
        // The oldest are waited for first: `done` lines from the start of the input are stored,
        // whatever becomes of those after them.
        while window.len() >= WINDOW || bytes_in_hand > WINDOW_BYTES || ended {
            let Some((ticket, bytes)) = window.pop_front() else { break };
            let stored = ticket.wait();
            if stored.is_err() || (done + 1) % NOTE_EVERY == 0 {
                note(done_file, done + u64::from(stored.is_ok()))?;
            }
            stored.map_err(|error| format!("line {}: {error}", done + 1))?;
            (done, bytes_in_hand, bytes_done) =
                (done + 1, bytes_in_hand - bytes, bytes_done + bytes);
            show(done, bytes_done as u64);
        }
        if ended {
            note(done_file, done)?;
            return Ok(done);
        }
        read += 1;
        if read <= before {
            bytes_done += length;
            continue;
        }
        if length as u64 == LINE_MAX {
            return Err(format!("line {read} is longer than {LINE_MAX} bytes").into());
        }
        let body = line.strip_suffix(b"\n").unwrap_or(&line);
        // An empty body is no message to RocketMQ.
        let body = if body.is_empty() { b" " } else { body };
        let message = Message::new("lines", body.to_vec())?.keys([&*read.to_string()])?;
        // Does not wait: a thousand are under way at once, from one thread.
        window.push_back((producer.enqueue(message), length));
        bytes_in_hand += length;
    }
}

fn read_note(file: &Path) -> support::Result<u64> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(text.trim().parse()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Whole or not at all: a rename does not stop half-way.
fn note(file: Option<&Path>, done: u64) -> io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    let new = file.with_extension("new");
    std::fs::write(&new, done.to_string())?;
    std::fs::rename(new, file)
}

/// A bar on the terminal, five times a second; nothing if there is no terminal.
fn bar(total: Option<u64>) -> impl FnMut(u64, u64) {
    let (started, mut shown) = (Instant::now(), Instant::now());
    move |lines, bytes| {
        let complete = Some(bytes) == total;
        if !io::stderr().is_terminal() || (shown.elapsed().as_millis() < 200 && !complete) {
            return;
        }
        shown = Instant::now();
        let rate = lines as f64 / started.elapsed().as_secs_f64();
        let part = total.map_or(0, |total| (bytes * 40 / total.max(1)) as usize);
        let _gone =
            write!(io::stderr(), "\r[{:<40}] {lines} lines, {rate:.0}/s ", "#".repeat(part));
    }
}

fn main() -> support::Result<()> {
    let mut arguments = support::Arguments::of_process(&["FILE"]);
    let file = arguments.operands.pop();
    let runtime = tokio::runtime::Runtime::new()?; // for the models, if they are wanted
    let cluster = runtime.block_on(support::Cluster::of(arguments, "lines"))?;
    // A batch job has time: it waits a minute for a cluster that is away, then stops.
    let producer =
        cluster.producer("loader").send_timeout(Duration::from_secs(60)).build_blocking()?;
    let lines = match file {
        None => load(&producer, io::stdin().lock(), None, bar(None))?,
        Some(file) => {
            let input = std::fs::File::open(&file)?;
            let total = input.metadata()?.len();
            let done = PathBuf::from(format!("{file}.done"));
            load(&producer, io::BufReader::new(input), Some(&done), bar(Some(total)))?
        }
    };
    producer.close(Duration::from_secs(5));
    println!("\n{lines} lines are stored");
    Ok(())
}
