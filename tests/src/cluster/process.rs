//! Child processes that never outlive the test: started, signalled, waited for.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;
use std::{io, thread};

use super::interop_wait::wait_for;
use super::{Error, Result};

/// A running child, killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
}

/// What a program that ended left behind.
pub(super) struct Finished {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// The signals the harness sends, by the names `kill` knows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Signal {
    Stop,
    Cont,
    Term,
}

impl Process {
    /// Starts `program` with stdout and stderr written to files.
    pub(super) fn start(program: Command, stdout: &Path, stderr: &Path) -> Result<Self> {
        let name = program.get_program().to_string_lossy().into_owned();
        let file = |path: &Path| {
            File::create(path).map_err(Error::doing(format!("creating {}", path.display())))
        };
        let mut program = mortal(program);
        program.stdin(Stdio::null()).stdout(file(stdout)?).stderr(file(stderr)?);
        let child = spawn(program).map_err(Error::doing(format!("starting {name}")))?;
        Ok(Self { child })
    }

    /// Starts `program` with stdin and stdout in the caller's hands, and stderr in a file.
    pub(super) fn start_piped(
        program: Command,
        stderr: &Path,
    ) -> Result<(Self, ChildStdin, ChildStdout)> {
        let name = program.get_program().to_string_lossy().into_owned();
        let file = File::create(stderr);
        let file = file.map_err(Error::doing(format!("creating {}", stderr.display())))?;
        let mut program = mortal(program);
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let mut child = spawn(program).map_err(Error::doing(format!("starting {name}")))?;
        let pipes = (child.stdin.take(), child.stdout.take());
        match (Self { child }, pipes) {
            (process, (Some(stdin), Some(stdout))) => Ok((process, stdin, stdout)),
            _ => Err(Error::new(format!("{name} has no pipes"))),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `None` while it runs.
    pub(super) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// SIGKILL; returns when the process is gone. Works on a stopped process too.
    pub(super) fn kill(&mut self) {
        // Both fail only if the process is gone already, which is what we want.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        let name = match signal {
            Signal::Stop => "-STOP",
            Signal::Cont => "-CONT",
            Signal::Term => "-TERM",
        };
        let status = Command::new("kill")
            .args([name, &self.pid().to_string()])
            .status()
            .map_err(Error::doing("starting kill"))?;
        match status.success() {
            true => Ok(()),
            false => Err(Error::new(format!("kill {name} {}: {status}", self.pid()))),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `program` to its end, or kills it after `limit`. Output goes through files in `folder`.
pub(super) fn run(program: Command, limit: Duration, folder: &Path) -> Result<Finished> {
    let name = program.get_program().to_string_lossy().into_owned();
    let (stdout, stderr) = (folder.join("run.out"), folder.join("run.err"));
    let mut process = Process::start(program, &stdout, &stderr)?;
    let read = |path: &Path| {
        let bytes = std::fs::read(path);
        bytes
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .map_err(Error::doing(format!("reading {}", path.display())))
    };
    let status = wait_for(limit, || Ok(process.exit_status()));
    process.kill();
    let (stdout, stderr) = (read(&stdout)?, read(&stderr)?);
    match status? {
        Some(status) => Ok(Finished { status, stdout, stderr }),
        None => Err(Error::new(format!("{name} did not end in {limit:?}:\n{stdout}\n{stderr}"))),
    }
}

/// The same program, killed by the kernel when the thread that started it ends, in a process group
/// of its own so that Ctrl-C reaches the test first. Without `setpriv` only `Drop` kills it.
/// Give it a program without its streams: they are not copied.
fn mortal(program: Command) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let works = SETPRIV.get_or_init(|| {
        let mut probe = Command::new("setpriv");
        probe.args(["--pdeathsig", "KILL", "true"]).stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|status| status.success())
    });
    let mut mortal = if *works { under_setpriv(&program) } else { program };
    mortal.process_group(0);
    mortal
}

fn under_setpriv(program: &Command) -> Command {
    let mut outer = Command::new("setpriv");
    outer.args(["--pdeathsig", "KILL"]).arg(program.get_program()).args(program.get_args());
    for (key, value) in program.get_envs() {
        match value {
            Some(value) => outer.env(key, value),
            None => outer.env_remove(key),
        };
    }
    if let Some(folder) = program.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

/// Starts the child from a thread that lives as long as this process: the kernel's death signal
/// fires when the *thread* that started the child ends, and test threads end early.
fn spawn(program: Command) -> io::Result<Child> {
    type Job = (Command, mpsc::Sender<io::Result<Child>>);
    static STARTER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (jobs, inbox) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut program, reply) in inbox {
                // The asker waits for the reply, so it is there to receive it.
                let _ = reply.send(program.spawn());
            }
        });
        jobs
    });
    let (reply, answer) = mpsc::channel();
    starter.send((program, reply)).expect("the starter thread never ends");
    answer.recv().expect("the starter thread answers each job")
}
