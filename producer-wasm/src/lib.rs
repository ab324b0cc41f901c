//! The producer of `producer-core` for JavaScript: what the npm package `rocketmq-web` drives.
//!
//! The driver is split where it is cheapest. Sockets, timers and promises belong to JavaScript
//! (`ts/`), which has them; this side has the core and one door to it: each call says what the time
//! is, changes something, and leaves what the core wants done as numbers and text
//! ([`outputs`]) for JavaScript to fetch. Nothing here calls JavaScript, so no call can come back
//! into the core while it is at work.
//!
//! Every method that takes `now`, in milliseconds of a clock that does not jump, returns how many
//! numbers it left; they are at [`Core::numbers`], in the module's memory, until the next call.
#![forbid(unsafe_code)]
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

mod failure;
mod message;
pub mod outputs;
mod settings;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

use producer_core::wire::bridge;
use producer_core::{
    Batch, Config, ConnId, ConnectionEnd, Decision, Environment, Instant, Message, Outcome, Output,
    Producer, Reply, RequestId, SendId, TopicName, Transaction,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::message::Wanted;
use crate::outputs::Outputs;

/// A producer. Connections have numbers, so have sends (tickets, chosen by the caller, small and
/// used again), and open transactions.
#[wasm_bindgen]
pub struct Core {
    core: Producer<u32>,
    /// By ticket, the core's name for it.
    names: Vec<Name>,
    /// By number, connections as the core knows them.
    conns: Vec<Option<ConnId>>,
    /// By number, transactions that are not ended.
    open: Vec<Option<Box<Transaction>>>,
    /// Messages of the batch that is being put together.
    batch: Vec<Message>,
    /// Bytes taken for a connection.
    frame: Vec<u8>,
    out: Outputs,
}

/// By what name the core knows a ticket.
#[derive(Clone, Copy)]
enum Name {
    None,
    Send(SendId),
    Request(RequestId),
}

/// What a call of [`Core::send`] sends.
mod kind {
    pub(super) const ONE_WAY: u32 = 1;
    pub(super) const HALF: u32 = 2;
    pub(super) const REQUEST: u32 = 3;
    pub(super) const REPLY: u32 = 4;
}

/// Capacity of a buffer that is used again.
const FRAME_KEPT_MAX: usize = 256 * 1024;

/// Most batches' messages that are put together before they are sent.
const BATCH_MAX: usize = 65_536;

#[wasm_bindgen]
impl Core {
    /// A producer with these settings (names and values in turn, each ended by U+0001), this random
    /// seed in two halves, and the wall clock in milliseconds since 1970. If a setting is wrong,
    /// [`text`](Self::text) says which, and how, and the producer is of no use.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str, seed: u32, more_seed: u32, unix_ms: f64) -> Self {
        let mut out = Outputs::default();
        let config = settings::read(settings).unwrap_or_else(|problem| {
            out.text = problem;
            Config::default()
        });
        let seed = (u64::from(seed) << 32) | u64::from(more_seed);
        let mut environment = Environment::new(seed, unix_ms as u64);
        environment.process = (seed & 0xFFFF) as u32;
        Self {
            core: Producer::new(config, environment),
            names: Vec::new(),
            conns: Vec::new(),
            open: Vec::new(),
            batch: Vec::new(),
            frame: Vec::new(),
            out,
        }
    }

    /// Sends a message: see module `message` for the head. A `timeout` that is not a number, or not
    /// above zero, is that of the settings.
    pub fn send(
        &mut self,
        now: f64,
        ticket: u32,
        kind: u32,
        head: &str,
        body: Vec<u8>,
        timeout: f64,
    ) -> u32 {
        self.begin();
        match message::read(head, body) {
            Err(problem) => self.out.invalid(ticket, &problem),
            Ok((message, wanted)) => {
                self.start(instant(now), ticket, kind, message, wanted, timeout)
            }
        }
        self.end()
    }

    /// Adds a message to the batch that is being put together. What is wrong with it is left as
    /// text, nothing if nothing is.
    pub fn add(&mut self, head: &str, body: Vec<u8>) {
        self.begin();
        match message::read(head, body) {
            _ if self.batch.len() == BATCH_MAX => {
                self.out.text = format!("a batch has at most {BATCH_MAX} messages");
            }
            Ok((message, _)) => self.batch.push(message),
            Err(problem) => self.out.text = problem,
        }
    }

    /// Forgets the batch that is being put together.
    pub fn drop_batch(&mut self) {
        self.batch.clear();
    }

    /// Sends the batch that was put together. Of `head` only queue and options count.
    pub fn send_batch(&mut self, now: f64, ticket: u32, head: &str, timeout: f64) -> u32 {
        self.begin();
        let messages = core::mem::take(&mut self.batch);
        match (Batch::new(messages), message::wanted(head)) {
            (Err(problem), _) => self.out.invalid(ticket, &problem.to_string()),
            (_, Err(problem)) => self.out.invalid(ticket, &problem),
            (Ok(batch), Ok(wanted)) => {
                let options = wanted.options(Reply::Awaited, timeout);
                let id = self.core.send_batch(instant(now), ticket, batch, options);
                self.name(ticket, Name::Send(id));
            }
        }
        self.end()
    }

    /// Gives a send up. The first number that is left says what is known of it: 0 that it is not
    /// sent, 2 that it may be stored, -1 that it has ended already. The ticket is free but for that.
    pub fn cancel(&mut self, now: f64, ticket: u32) -> u32 {
        self.begin();
        let now = instant(now);
        let name = self.names.get_mut(ticket as usize);
        let name = name.map_or(Name::None, |name| core::mem::replace(name, Name::None));
        let outcome = match name {
            Name::None => None,
            Name::Send(id) => {
                let outcome = self.core.outcome_if_cancelled(id);
                self.core.cancel(now, id).and(outcome)
            }
            // Whoever got the request may act on it.
            Name::Request(id) => self.core.cancel_request(now, id).map(|_| Outcome::Unknown),
        };
        self.out.cancelled(outcome);
        self.end()
    }

    /// Ends a transaction: 0 commits, 1 rolls back, any other number leaves it open to be asked
    /// about. The first number that is left is 1 if the broker will hear of it; one that does not
    /// hear asks. The transaction is forgotten in any case.
    pub fn end_transaction(&mut self, now: f64, transaction: u32, decision: u32, why: &str) -> u32 {
        self.begin();
        let decision = match decision {
            0 => Decision::Commit,
            1 => Decision::Rollback,
            _ => Decision::Unknown,
        };
        let place = self.open.get_mut(transaction as usize);
        let told = place.and_then(Option::take).is_some_and(|transaction| {
            let why = Some(why).filter(|why| !why.is_empty());
            self.core.end_transaction(instant(now), &transaction, decision, why)
        });
        self.out.flag(told);
        self.end()
    }

    /// Asks for a topic's route; with `connect`, its brokers are dialled.
    pub fn route(
        &mut self,
        now: f64,
        ticket: u32,
        topic: &str,
        timeout: f64,
        connect: bool,
    ) -> u32 {
        self.begin();
        match TopicName::new(topic) {
            Err(problem) => self.out.invalid(ticket, &problem.to_string()),
            Ok(topic) => {
                let timeout = span(timeout).unwrap_or_else(|| self.core.config().send_timeout);
                self.core.query_route(instant(now), ticket, &topic, timeout, connect);
            }
        }
        self.end()
    }

    /// Sends that wait to share a request leave now.
    pub fn flush(&mut self, now: f64) -> u32 {
        self.begin();
        self.core.flush(instant(now));
        self.end()
    }

    /// Accepts no more, finishes what is in hand within `deadline` milliseconds, says good-bye.
    pub fn close(&mut self, now: f64, deadline: f64) -> u32 {
        self.begin();
        let now = instant(now);
        self.core.close(now, now + span(deadline).unwrap_or_default());
        self.end()
    }

    /// A connection that was asked for is open.
    pub fn connected(&mut self, now: f64, conn: u32) -> u32 {
        self.begin();
        if let Some(conn) = self.conn(conn) {
            self.core.handle_connected(instant(now), conn);
        }
        self.end()
    }

    /// Bytes have come.
    pub fn received(&mut self, now: f64, conn: u32, bytes: &[u8]) -> u32 {
        self.begin();
        if let Some(conn) = self.conn(conn) {
            self.core.handle_received(instant(now), conn, bytes);
        }
        self.end()
    }

    /// The bridge has closed a connection, or it could not be made, with this code and reason
    /// (`wire::bridge`).
    pub fn closed(&mut self, now: f64, conn: u32, code: u16, reason: &str) -> u32 {
        self.ended(now, conn, bridge::connection_end(code, reason))
    }

    /// A connection could not be made, or broke, for a reason that is no code of the bridge;
    /// `is_token`: because the bridge takes no token of ours.
    pub fn failed(&mut self, now: f64, conn: u32, problem: &str, is_token: bool) -> u32 {
        let end = if is_token { ConnectionEnd::Token } else { ConnectionEnd::Proxy };
        self.ended(now, conn, end(problem.to_owned()))
    }

    /// Whoever is at the other end closes the connection soon.
    pub fn leaving(&mut self, now: f64, conn: u32) -> u32 {
        self.begin();
        if let Some(conn) = self.conn(conn) {
            self.core.handle_leaving(instant(now), conn);
        }
        self.end()
    }

    /// The network is back.
    pub fn online(&mut self, now: f64) -> u32 {
        self.begin();
        self.core.handle_online(instant(now));
        self.end()
    }

    /// Time has passed.
    pub fn timeout(&mut self, now: f64) -> u32 {
        self.begin();
        self.core.handle_timeout(instant(now));
        self.end()
    }

    /// The wall clock, in milliseconds since 1970.
    pub fn wall_clock(&mut self, now: f64, unix_ms: f64) {
        self.core.set_wall_clock(instant(now), unix_ms as u64);
    }

    /// Takes what is to be written to a connection; it counts as sent from now on, and is at
    /// [`frame`](Self::frame) until the next call.
    pub fn take(&mut self, conn: u32) -> u32 {
        self.begin();
        // The connection goes on with this buffer: one that was large once would stay so.
        if self.frame.capacity() > FRAME_KEPT_MAX {
            self.frame = Vec::new();
        }
        self.frame.clear();
        if let Some(conn) = self.conn(conn) {
            self.core.take_bytes(conn, &mut self.frame);
        }
        self.end()
    }

    /// Where the bytes that were taken are.
    pub fn frame(&self) -> *const u8 {
        self.frame.as_ptr()
    }

    /// How many they are.
    pub fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    /// Where the numbers are that the last call left.
    pub fn numbers(&self) -> *const f64 {
        self.out.numbers.as_ptr()
    }

    /// Where the text is that the last call left.
    pub fn text(&self) -> *const u8 {
        self.out.text.as_ptr()
    }

    /// How many bytes it has.
    pub fn text_bytes(&self) -> usize {
        self.out.text.len()
    }

    /// Where a body is that the last call left, by its number.
    pub fn body(&self, number: usize) -> *const u8 {
        self.out.body(number).as_ptr()
    }

    /// How many bytes it has.
    pub fn body_bytes(&self, number: usize) -> usize {
        self.out.body(number).len()
    }

    /// Leaves counters and levels, so many, and their names as text, with blanks in between.
    pub fn stats(&mut self) -> usize {
        self.out.stats(&self.core.stats());
        outputs::STATS.len()
    }

    /// Sends in hand.
    pub fn in_hand(&self) -> f64 {
        self.core.stats().in_hand as f64
    }

    /// Bytes of sends in hand.
    pub fn bytes_in_hand(&self) -> f64 {
        self.core.stats().bytes_in_hand as f64
    }

    /// Leaves, as text, the id that brokers know this producer by.
    pub fn client_id(&mut self) {
        self.begin();
        self.out.text.push_str(self.core.client_id());
    }
}

impl Core {
    fn begin(&mut self) {
        self.out.clear();
    }

    /// Asks the core what it wants done.
    fn end(&mut self) -> u32 {
        loop {
            match self.core.poll_output() {
                Output::Idle { wake_at } => {
                    self.out.wake_at(wake_at);
                    break;
                }
                Output::Connect { conn, address, deadline } => {
                    let number = place(&mut self.conns, conn);
                    self.out.connect(number, address.as_str(), deadline);
                }
                Output::Transmit { conn } => {
                    if let Some(number) = self.number(conn) {
                        self.out.transmit(number);
                    }
                }
                Output::Close { conn } => {
                    if let Some(number) = self.number(conn) {
                        self.conns[number] = None;
                        self.out.close(number);
                    }
                }
                Output::Prepared { ticket, result: Ok(half) } => {
                    let number = place(&mut self.open, Box::new(half.transaction));
                    self.out.prepared(ticket, number, &half.receipt);
                }
                Output::CheckTransaction(check) => {
                    let number = place(&mut self.open, Box::new(check.transaction.clone()));
                    self.out.check(number, *check);
                }
                output => self.out.put(output),
            }
        }
        u32::try_from(self.out.numbers.len()).unwrap_or(u32::MAX)
    }

    fn start(
        &mut self,
        now: Instant,
        ticket: u32,
        kind: u32,
        message: Message,
        wanted: Wanted,
        timeout: f64,
    ) {
        let reply = if kind == kind::ONE_WAY { Reply::OneWay } else { Reply::Awaited };
        let options = wanted.options(reply, timeout);
        let name = match kind {
            kind::HALF => Name::Send(self.core.send_half(now, ticket, message, options)),
            kind::REQUEST => Name::Request(self.core.request(now, ticket, message, options)),
            kind::REPLY => Name::Send(self.core.reply(now, ticket, message, options)),
            _ => Name::Send(self.core.send(now, ticket, message, options)),
        };
        self.name(ticket, name);
    }

    fn name(&mut self, ticket: u32, name: Name) {
        let ticket = ticket as usize;
        if self.names.len() <= ticket {
            self.names.resize(ticket + 1, Name::None);
        }
        self.names[ticket] = name;
    }

    fn ended(&mut self, now: f64, conn: u32, end: ConnectionEnd) -> u32 {
        self.begin();
        if let Some(conn) = self.conns.get_mut(conn as usize).and_then(Option::take) {
            self.core.handle_closed(instant(now), conn, end);
        }
        self.end()
    }

    fn conn(&self, number: u32) -> Option<ConnId> {
        self.conns.get(number as usize).copied().flatten()
    }

    fn number(&self, conn: ConnId) -> Option<usize> {
        self.conns.iter().position(|place| *place == Some(conn))
    }
}

/// Puts a value into the first free place; returns its number.
fn place<V>(places: &mut Vec<Option<V>>, value: V) -> usize {
    match places.iter().position(Option::is_none) {
        Some(free) => {
            places[free] = Some(value);
            free
        }
        None => {
            places.push(Some(value));
            places.len() - 1
        }
    }
}

/// Milliseconds of JavaScript's clock as an instant. What is no time is the beginning.
fn instant(ms: f64) -> Instant {
    Instant::from_nanos((ms * 1e6) as u64)
}

/// Milliseconds as a span; `None` for what is none.
fn span(ms: f64) -> Option<Duration> {
    // 2^53 ms are more than any clock counts; infinity is that much too.
    (ms >= 0.0).then(|| Duration::from_micros((ms.min(9e12) * 1e3) as u64))
}

/// Panics, for tests of what a page does then.
#[wasm_bindgen]
pub fn panic_for_test() {
    panic!("panic_for_test was called");
}

/// What of the standard library a page would download for nothing.
#[cfg(target_arch = "wasm32")]
mod page {
    use core::panic::PanicInfo;

    /// A third of the library's, and as fast.
    #[global_allocator]
    static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

    /// A trap without a word: its stack says more, by the numbers of functions, whose names are
    /// beside the module. Texts of panics and places in the source are a twentieth of a module.
    #[panic_handler]
    fn panicked(_: &PanicInfo<'_>) -> ! {
        core::arch::wasm32::unreachable()
    }
}
