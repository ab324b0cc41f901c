//! The processes around a page: broker, bridge, relay.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use producer_native::bridge::{
    Bridge, BridgeConfig, ConnectionRules, Grants, LimitSettings, Names, Policy, Tokens,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::frames::{ANSWER_BYTES, OPAQUE_AT, answer};

/// The first word of a child's command line.
pub(crate) const BE: &str = "be";

/// A process, killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) at: Vec<SocketAddr>,
}

impl Process {
    /// A broker: see [`Ports`].
    pub(crate) fn broker() -> Self {
        Self::start(&["broker".to_owned()])
    }

    /// A bridge that lets pages through to these brokers, as fast as it can.
    pub(crate) fn bridge(listen: &str, requests_per_second: u32, brokers: &[SocketAddr]) -> Self {
        let mut words = vec!["bridge".to_owned(), listen.to_owned()];
        words.push(requests_per_second.to_string());
        words.extend(brokers.iter().map(SocketAddr::to_string));
        Self::start(&words)
    }

    /// A plain relay to one port.
    pub(crate) fn relay(to: SocketAddr) -> Self {
        Self::start(&["relay".to_owned(), to.to_string()])
    }

    fn start(words: &[String]) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n 65536 2>/dev/null; exec \"$0\" \"$@\""]);
        command.arg(std::env::current_exe().unwrap()).arg(BE).args(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let at = line.split_whitespace().map(|address| address.parse().unwrap()).collect();
        Self { child, at }
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Time of processors that it has used, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap();
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // A tick is a hundredth of a second wherever Linux runs.
        ticks as f64 * 1e7
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The ports of a broker, by their place in [`Process::at`].
pub(crate) struct Ports;

impl Ports {
    /// Answers every frame.
    pub(crate) const ANSWERS: usize = 0;
    /// Answers when it has read as many bytes as the number of the first frame says.
    pub(crate) const SINKS: usize = 1;
    /// Never reads.
    pub(crate) const STALLS: usize = 2;
    /// Writes all the time, and reads nothing.
    pub(crate) const FLOODS: usize = 3;
    const ALL: usize = 4;
}

/// What a child does, until the parent is gone.
pub(crate) fn be(words: &[String]) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build().unwrap();
    match words[0].as_str() {
        "broker" => runtime.block_on(broker()),
        "relay" => runtime.block_on(relay(words[1].parse().unwrap())),
        _ => runtime.block_on(bridge(&words[1..])),
    }
    let _parent_gone = std::io::stdin().read(&mut [0]);
    std::process::exit(0);
}

async fn broker() {
    let mut at = Vec::new();
    for port in 0..Ports::ALL {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        at.push(listener.local_addr().unwrap().to_string());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                match port {
                    Ports::ANSWERS => drop(tokio::spawn(answers(stream))),
                    Ports::SINKS => drop(tokio::spawn(sinks(stream))),
                    Ports::STALLS => std::mem::forget(stream),
                    _ => drop(tokio::spawn(floods(stream))),
                }
            }
        });
    }
    println!("{}", at.join(" "));
}

async fn answers(mut stream: TcpStream) -> Option<()> {
    let (mut buffer, mut have) = (vec![0; 128 * 1024], 0);
    let mut written = Vec::new();
    loop {
        let read = stream.read(&mut buffer[have..]).await.ok().filter(|read| *read > 0)?;
        have += read;
        let mut at = 0;
        written.clear();
        while let Some(length) = buffer[at..have].first_chunk::<4>() {
            let length = 4 + u32::from_be_bytes(*length) as usize;
            if have - at < length {
                break;
            }
            at += length;
            written.extend_from_slice(&answer());
        }
        buffer.copy_within(at..have, 0);
        have -= at;
        stream.write_all(&written).await.ok()?;
    }
}

async fn sinks(mut stream: TcpStream) -> Option<()> {
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let mut have = 0;
        while have < OPAQUE_AT + 4 {
            have += stream.read(&mut buffer[have..]).await.ok().filter(|read| *read > 0)?;
        }
        let number = buffer[OPAQUE_AT..].first_chunk::<4>()?;
        let all = u32::from_be_bytes(*number) as usize;
        while have < all {
            have += stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        }
        stream.write_all(&answer()).await.ok()?;
    }
}

async fn floods(mut stream: TcpStream) -> Option<()> {
    let many = answer().repeat(64 * 1024 / ANSWER_BYTES);
    loop {
        stream.write_all(&many).await.ok()?;
    }
}

async fn relay(to: SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut page, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut broker = TcpStream::connect(to).await.unwrap();
                page.set_nodelay(true).unwrap();
                broker.set_nodelay(true).unwrap();
                let size = 64 * 1024;
                tokio::io::copy_bidirectional_with_sizes(&mut page, &mut broker, size, size).await
            });
        }
    });
}

async fn bridge(words: &[String]) {
    let [listen, requests_per_second, brokers @ ..] = words else { panic!("{words:?}") };
    let requests_per_second = requests_per_second.parse().unwrap();
    let always = brokers.iter().map(|address| address.parse().unwrap()).collect();
    let limits = LimitSettings {
        connections_max: 20_000,
        connections_per_ip_max: 20_000,
        connections_per_subject_max: 20_000,
        requests_per_second,
        requests_burst: requests_per_second,
        ..LimitSettings::default()
    };
    let rules = ConnectionRules {
        bytes_per_second: 100 << 30,
        frames_per_second: 1 << 40,
        ..ConnectionRules::default()
    };
    let policy = Policy { always, loopback: true, ..Policy::default() };
    let config = BridgeConfig { limits, rules, policy, ..BridgeConfig::dev() };
    // The filter has to look at topic and group of each frame.
    let grants = Grants {
        topics: Names::new(["bench-*"]).unwrap(),
        groups: Names::new(["bench-*"]).unwrap(),
        ..Grants::everything()
    };
    let bridge = Bridge::builder(config).tokens(Tokens::NotNeeded(grants)).build();
    let listener = TcpListener::bind(listen).await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    tokio::spawn(async move { bridge.serve(listener).await });
}
