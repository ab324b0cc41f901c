//! The Java client 5.4.0 as a lasting peer: one JVM that does what it is told, a line a command.
//! Starting it costs about a second, a command on it only what the client does.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::home::{Home, tail};
use super::java::Peer;
use super::process::Process;
use super::{Error, Release, Result};

/// A JVM with the program `Client.java`; killed when dropped.
#[derive(Debug)]
pub struct Session {
    stdin: Mutex<ChildStdin>,
    calls: Arc<Mutex<Calls>>,
    next: AtomicU64,
    // After the JVM is dead its folder goes.
    _process: Process,
    home: Home,
}

type Calls = HashMap<u64, Sender<Said>>;

/// What the program says of a command.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Said {
    Result(Value),
    Ready(()),
    End(()),
    Failed(Value),
}

#[derive(Deserialize)]
struct Line {
    id: u64,
    #[serde(flatten)]
    said: Said,
}

impl Session {
    /// Starts the JVM with these flags before the main class.
    pub fn start(flags: &[&str]) -> Result<Self> {
        let peer = Peer::new(Release::V5_4_0)?;
        let home = Home::create()?;
        let program = peer.program(&home, flags, "Client")?;
        let stderr = home.path().join("client.err");
        let (process, stdin, stdout) = Process::start_piped(program, &stderr)?;
        let calls = Arc::new(Mutex::new(Calls::new()));
        let heard = Arc::clone(&calls);
        thread::spawn(move || listen(stdout, &heard));
        Ok(Self {
            stdin: Mutex::new(stdin),
            calls,
            next: AtomicU64::new(0),
            _process: process,
            home,
        })
    }

    /// Begins a command. Settings are `name=value`; neither may hold a tab or a line break.
    pub fn begin(&self, command: &str, settings: &[(&str, &str)]) -> Result<Call<'_>> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, said) = mpsc::channel();
        guard(&self.calls).insert(id, sender);
        self.write(id, command, settings)?;
        Ok(Call { session: self, id, command: command.to_owned(), said, results: Vec::new() })
    }

    fn write(&self, id: u64, command: &str, settings: &[(&str, &str)]) -> Result<()> {
        let mut line = format!("{id}\t{command}");
        for (name, value) in settings {
            if value.contains(['\t', '\n']) {
                return Err(Error::new(format!("{name} of {command}: {value:?}")));
            }
            line += &format!("\t{name}={value}");
        }
        line.push('\n');
        let mut stdin = guard(&self.stdin);
        let written = stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush());
        written.map_err(Error::doing("telling the Java client"))
    }

    fn failed(&self, what: String) -> Error {
        Error::new(format!("Java client: {what}\n{}", self.log_tails()))
    }

    fn log_tails(&self) -> String {
        let tail = |name| tail(&self.home.path().join(name));
        format!("{}\n{}", tail("client.err"), tail("server.log"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- Java client ---\n{}", self.log_tails());
        }
    }
}

/// A command under way.
#[derive(Debug)]
pub struct Call<'a> {
    session: &'a Session,
    id: u64,
    command: String,
    said: Receiver<Said>,
    results: Vec<Value>,
}

impl Call<'_> {
    /// Waits until the command says that it is at work. Only some do.
    pub fn ready(&mut self, limit: Duration) -> Result<()> {
        self.until(limit, |said| matches!(said, Said::Ready(_)))
    }

    /// Ends a command that runs until it is told to stop.
    pub fn stop(self, limit: Duration) -> Result<Vec<Value>> {
        // A stop has no answer of its own, so it needs no number either.
        self.session.write(self.id, "stop", &[("of", &self.id.to_string())])?;
        self.finish(limit)
    }

    /// Waits for its end: the results, in the order in which they came.
    pub fn finish(mut self, limit: Duration) -> Result<Vec<Value>> {
        self.until(limit, |said| matches!(said, Said::End(_)))?;
        Ok(std::mem::take(&mut self.results))
    }

    fn until(&mut self, limit: Duration, is_last: impl Fn(&Said) -> bool) -> Result<()> {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let said = self.said.recv_timeout(left).map_err(|error| match error {
                RecvTimeoutError::Timeout => {
                    let so_far = &self.results;
                    let command = &self.command;
                    self.session.failed(format!("{command}: not within {limit:?}: {so_far:?}"))
                }
                RecvTimeoutError::Disconnected => self.session.failed("it has ended".to_owned()),
            })?;
            match said {
                said if is_last(&said) => return Ok(()),
                Said::Result(result) => self.results.push(result),
                Said::Failed(why) => {
                    return Err(Error::new(format!("Java client: {}: {why}", self.command)));
                }
                Said::Ready(_) | Said::End(_) => {}
            }
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        guard(&self.session.calls).remove(&self.id);
    }
}

/// Until the program ends; the commands under way hear of that by their closed channels.
fn listen(stdout: ChildStdout, calls: &Mutex<Calls>) {
    for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
        let Ok(Line { id, said }) = serde_json::from_str(&line) else { continue };
        if let Some(call) = guard(calls).get(&id) {
            // Nobody waits for a command whose caller has given up.
            let _ = call.send(said);
        }
    }
    guard(calls).clear();
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
