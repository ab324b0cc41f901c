//! What do arbitrary bytes mean? A configuration, then one operation after the other.
//!
//! Every byte string is a script, and bytes that are missing are zeros, so that a fuzzer which
//! changes, cuts or joins strings still has scripts.

use std::time::Duration;

use producer_core::wire::SerializeType;
use producer_core::wire::acl::Credentials;
use producer_core::{
    Adaptive, Address, AutoBatch, Config, FaultTable, Health, OnUnknown, Order, QueueChoice, Reply,
    Require, SendOptions, Trace,
};

/// Bytes as a list of choices.
pub(crate) struct Choices<'b>(&'b [u8]);

impl<'b> Choices<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn pick<C: Copy>(&mut self, from: &[C]) -> C {
        from[usize::from(self.byte()) % from.len()]
    }

    fn one_in(&mut self, n: u8) -> bool {
        self.byte() % n == n - 1
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    fn some_bytes(&mut self) -> &'b [u8] {
        let wanted = usize::from(self.byte() % 64);
        let (taken, rest) = self.0.split_at(wanted.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_empty()
    }
}

/// A message and what is asked of its send.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub(crate) topic: u8,
    pub(crate) options: SendOptions,
    /// The key of a strict lane, and that of any lane.
    pub(crate) strict: Option<u8>,
    /// Bytes of the body beside its mark.
    pub(crate) padding: usize,
    pub(crate) group: u8,
    /// 1 delays it, 2 sends it under an id that was used before.
    pub(crate) special: u8,
}

/// One thing that happens to a producer. Numbers name things that are there, round and round.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Send(Sending),
    Batch(Sending, usize),
    Half(Sending),
    Request(Sending),
    Reply(Sending),
    Cancel(u8),
    EndTransaction(u8, u8),
    Ask {
        target: u8,
        code: u8,
        timeout: Duration,
    },
    Query {
        topic: u8,
        timeout: Duration,
        connect: bool,
    },
    /// A dial succeeds.
    Connected(u8),
    /// A dial fails, or a connection ends.
    Ended(u8, u8),
    Leaving(u8),
    /// The driver takes what is to be written; its peer reads it.
    Take(u8),
    /// A peer answers something it has read.
    Answer {
        which: u8,
        how: u8,
        what: u8,
    },
    /// The rest of an answer whose first half has come.
    Rest(u8),
    /// A peer sends what it likes.
    Bytes(u8, Vec<u8>),
    /// A peer asks something.
    Push {
        conn: u8,
        what: u8,
        about: u8,
    },
    /// All peers are well for a while.
    Serve {
        rounds: u8,
        what: u8,
    },
    /// Time passes, and the driver keeps the alarms.
    Wait(Duration),
    /// Time passes, and the driver was asleep.
    Jump(Duration),
    /// The wall clock is set.
    Wall(u8),
    NameServers(u8),
    AwaitNameServers,
    Credentials(bool),
    Group {
        which: u8,
        what: u8,
    },
    Flush,
    Online,
    Close(Duration),
}

const SPANS: [u64; 16] =
    [0, 1, 5, 10, 20, 50, 100, 150, 200, 300, 500, 1_000, 1_500, 3_000, 5_000, 10_000];

fn span(choices: &mut Choices<'_>) -> Duration {
    Duration::from_millis(choices.pick(&SPANS))
}

/// A timeout that somebody may ask for; now and then one that never ends.
fn timeout(choices: &mut Choices<'_>) -> Duration {
    match choices.byte() {
        255 => Duration::MAX,
        254 => Duration::from_nanos(1),
        byte => Duration::from_millis(SPANS[usize::from(byte) % SPANS.len()]),
    }
}

fn sending(choices: &mut Choices<'_>) -> Sending {
    let kind = choices.byte();
    let mut options = SendOptions::default();
    let (mut strict, mut special) = (None, 0);
    if kind & 1 == 1 {
        let key = choices.byte();
        let text = (key % 3).to_string();
        options.queue = match key / 3 % 8 {
            0..=2 => {
                strict = Some(key % 3);
                QueueChoice::ordered(&text, Order::Strict)
            }
            3 | 4 => QueueChoice::ordered(&text, Order::Available),
            5 => QueueChoice::hash(&text),
            6 => QueueChoice::Random,
            _ => QueueChoice::select(move |queues, _| {
                queues.len().checked_sub(1).map(|last| last + usize::from(key > 240))
            }),
        };
    }
    if kind & 2 == 2 {
        options.timeout = Some(timeout(choices));
    }
    if kind & 12 == 12 {
        options.reply = Reply::OneWay;
    }
    if kind & 48 == 48 {
        special = choices.byte() % 3;
        options.attempt_timeout = Some(timeout(choices));
        options.require = Some(choices.pick(&[Require::Stored, Require::Flushed, Require::SendOk]));
    }
    let padding = match kind & 192 {
        192 => 16 * usize::from(choices.byte()),
        _ => usize::from(kind & 15),
    };
    let place = choices.byte();
    Sending { topic: place % 3, options, strict, padding, group: place / 64, special }
}

/// The next operation.
pub(crate) fn operation(choices: &mut Choices<'_>) -> Operation {
    use Operation::*;
    match choices.byte() % 48 {
        0..=7 => Send(sending(choices)),
        8 => Batch(sending(choices), usize::from(choices.byte() % 5) + 1),
        9 => Half(sending(choices)),
        10 => Request(sending(choices)),
        11 => Reply(sending(choices)),
        12 | 13 => Cancel(choices.byte()),
        14 => EndTransaction(choices.byte(), choices.byte()),
        15 => Ask { target: choices.byte(), code: choices.byte(), timeout: timeout(choices) },
        16 => Query {
            topic: choices.byte(),
            timeout: timeout(choices),
            connect: choices.byte() & 1 == 0,
        },
        17..=19 => Connected(choices.byte()),
        20 | 21 => Ended(choices.byte(), choices.byte()),
        22 => Leaving(choices.byte()),
        23..=25 => Take(choices.byte()),
        26..=29 => Answer { which: choices.byte(), how: choices.byte(), what: choices.byte() },
        30 => Rest(choices.byte()),
        31 => Bytes(choices.byte(), choices.some_bytes().to_vec()),
        32 | 33 => Push { conn: choices.byte(), what: choices.byte(), about: choices.byte() },
        34..=38 => Serve { rounds: choices.byte() % 8, what: choices.byte() },
        39 | 40 => Wait(span(choices)),
        41 => Jump(match choices.byte() {
            255 => Duration::from_secs(1 << 32),
            byte => Duration::from_millis(u64::from(byte) * u64::from(byte) * 4),
        }),
        42 => Wall(choices.byte()),
        43 => NameServers(choices.byte()),
        44 => match choices.byte() % 4 {
            0 => AwaitNameServers,
            1 => Credentials(choices.byte() & 1 == 0),
            2 => Flush,
            _ => Online,
        },
        45 => Group { which: choices.byte(), what: choices.byte() },
        46 if choices.one_in(3) => Close(span(choices)),
        _ => Wait(Duration::from_millis(u64::from(choices.number() % 3_000))),
    }
}

/// The configuration that a script begins with.
pub(crate) fn config(choices: &mut Choices<'_>) -> Config {
    let base = if choices.one_in(4) { Config::java() } else { Config::default() };
    let health = match choices.byte() % 4 {
        0 => Health::Java(FaultTable { detector: true, ..FaultTable::default() }),
        1 => Health::Off,
        2 => Health::Adaptive(Adaptive { silence: span(choices), ..Adaptive::default() }),
        _ => base.health,
    };
    let shape = choices.byte();
    let (small, header) = (choices.byte(), choices.byte());
    let auto_batch = (shape & 3 == 3).then(|| AutoBatch {
        bytes_max: 16 * usize::from(choices.byte()),
        messages_max: usize::from(choices.byte() % 9),
        linger: span(choices),
    });
    let trace = (shape & 12 == 12).then(|| Trace {
        batch: usize::from(choices.byte() % 4),
        records_max: usize::from(choices.byte() % 9),
        failures: choices.byte() & 1 == 0,
        ..Trace::default()
    });
    let strange = shape & 48 == 48;
    let odd = |base: Duration, choices: &mut Choices<'_>| match strange {
        true => timeout(choices),
        false => base,
    };
    Config {
        health,
        name_servers: name_servers(choices.byte()),
        auto_batch,
        trace,
        events: shape & 64 != 0,
        header: if header & 1 == 0 { SerializeType::Json } else { SerializeType::RocketMq },
        credentials: (header & 6 == 6).then(credentials),
        vip_channel: header & 24 == 24,
        namespace: (header & 96 == 96).then(|| String::from("MQ_INST_1")),
        auto_create_topics: header & 128 == 128,
        sends_max: if small & 3 == 3 { usize::from(small % 8) } else { base.sends_max },
        bytes_max: if small & 12 == 12 { 2_000 * usize::from(small % 8) } else { base.bytes_max },
        waiting_max: if small & 1 == 1 { usize::from(small % 16) } else { base.waiting_max },
        waiting_bytes_max: if small & 16 == 16 { 4_000 } else { base.waiting_bytes_max },
        topics_max: if small & 96 == 96 { 2 } else { base.topics_max },
        frame_bytes_max: if small & 64 == 64 { 8_192 } else { base.frame_bytes_max },
        retry_not_ok: choices.one_in(4),
        on_unknown: if choices.one_in(4) { OnUnknown::Stop } else { base.on_unknown },
        require: choices.pick(&[Require::Stored, Require::Stored, Require::SendOk]),
        attempts_max: u32::from(choices.pick(&[3, 3, 3, 0, 1, 2, 9_u8])),
        attempts_all_max: u32::from(choices.pick(&[16, 16, 3, 1, 0_u8])),
        send_timeout: odd(base.send_timeout, choices),
        request_timeout: odd(base.request_timeout, choices),
        connect_timeout: odd(base.connect_timeout, choices),
        route_poll: odd(base.route_poll, choices),
        heartbeat: odd(base.heartbeat, choices),
        idle_timeout: odd(base.idle_timeout, choices),
        absent_for: odd(base.absent_for, choices),
        ..base
    }
}

/// Whether a producer that is configured so can be expected to send, once all is well: with timeouts
/// of a millisecond, or routes that are never asked for again, nothing ever is.
pub(crate) fn may_be_well(config: &Config) -> bool {
    let usual = Config::default();
    let spans = |it: &Config| [it.connect_timeout, it.request_timeout, it.route_poll, it.heartbeat];
    let absent = config.absent_for <= usual.absent_for;
    spans(config) == spans(&usual) && absent && config.topics_max >= 3
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("account", "not a secret").expect("valid")
}

/// Those whose bits are set.
pub(crate) fn name_servers(mask: u8) -> Vec<Address> {
    let all = (0..3).filter(|bit| mask == 0 || mask & 1 << bit != 0);
    all.map(|bit| Address::new(&format!("ns{bit}:1")).expect("valid")).collect()
}
