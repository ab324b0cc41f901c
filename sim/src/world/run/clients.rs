//! The applications of a plan, on the real producer.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use producer_core::{CloseReport, Instant};
use producer_native::{Batch, Message, Order, Producer, QueueChoice, SendOptions};
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::super::host::elapsed;
use super::board::note;
use super::line::Network;
use super::{CLIENT, Event, Stage, bridge};
use crate::dice::{Concern, Dice};
use crate::history::{End, ProducerEnd, SendRecord};
use crate::pair::UNIX_MS;
use crate::plan::Mode;

/// A producer, and what the application that has it knows.
pub(super) struct Client {
    pub(super) producer: Producer,
    /// How far its wall clock is off.
    pub(super) wall_offset_ms: Arc<AtomicI64>,
    pub(super) closing: Cell<bool>,
    report: RefCell<Option<CloseReport>>,
    /// Sends in hand by ticket, and how to give them up.
    in_hand: RefCell<BTreeMap<u64, Rc<Notify>>>,
    /// Serial sends: those under way by workload and key, and those that wait for them.
    serial: RefCell<BTreeMap<(usize, String), VecDeque<u32>>>,
    sent: RefCell<BTreeMap<usize, u32>>,
    in_hand_max: Cell<usize>,
    connections_max: Cell<usize>,
}

impl Client {
    /// Made on the host that it lives on.
    pub(super) fn new(stage: &Stage, number: usize) -> Self {
        let servers = stage.plan.cluster.name_servers;
        let servers = (0..servers).map(|n| crate::pair::node::address(0, n, 9876).to_string());
        let servers = servers.collect::<Vec<_>>().join(";");
        let config = stage.plan.config.config(Vec::new());
        let wall_offset_ms = Arc::new(AtomicI64::new(0));
        let offset = wall_offset_ms.clone();
        let network = Network { board: stage.board.clone(), producer: number, tick: stage.tick };
        let builder = Producer::builder(config.group.as_str())
            .config(config)
            .name_servers(&servers)
            .transport(network);
        let producer = bridge::through(builder, stage, number)
            .seed(Dice::new(stage.plan.seed, Concern::Producer(number as u16)).number())
            .host_ip(CLIENT)
            .process_id(number as u32 + 1)
            .wall_clock(move || {
                let now = UNIX_MS + elapsed().as_millis();
                now.saturating_add_signed(offset.load(Ordering::Relaxed))
            })
            .build();
        Self {
            producer: producer.expect("plans have valid configurations"),
            wall_offset_ms,
            closing: Cell::new(false),
            report: RefCell::default(),
            in_hand: RefCell::default(),
            serial: RefCell::default(),
            sent: RefCell::default(),
            in_hand_max: Cell::new(0),
            connections_max: Cell::new(0),
        }
    }

    pub(super) fn end(&self) -> ProducerEnd {
        ProducerEnd {
            stats: self.producer.stats(),
            report: self.report.borrow().clone(),
            in_hand_max: self.in_hand_max.get(),
            connections_max: self.connections_max.get(),
        }
    }

    fn measure(&self) {
        let stats = self.producer.stats();
        self.in_hand_max.set(self.in_hand_max.get().max(stats.in_hand));
        self.connections_max.set(self.connections_max.get().max(stats.connections));
    }
}

impl Stage {
    pub(super) fn client(&self, number: usize) -> &Client {
        &self.clients.get().expect("the client's host has started")[number]
    }

    pub(super) fn burst(self: &Rc<Self>, number: usize) {
        let workload = &self.plan.workloads[number];
        let client = self.client(usize::from(workload.producer));
        let sent = client.sent.borrow().get(&number).copied().unwrap_or(0);
        let to = (sent + workload.burst).min(workload.total);
        client.sent.borrow_mut().insert(number, to);
        if workload.batch {
            self.send_together(number, sent..to);
        }
        for n in sent..if workload.batch { sent } else { to } {
            if workload.serial {
                let lane = (number, workload.key(n).unwrap_or_default());
                let mut serial = client.serial.borrow_mut();
                if let Some(waiting) = serial.get_mut(&lane) {
                    waiting.push_back(n);
                    continue;
                }
                serial.insert(lane, VecDeque::new());
            }
            self.send(number, n);
        }
        if to < workload.total && !self.healed.get() {
            self.later(Duration::from_micros(workload.every_us), Event::Burst(number));
        }
    }

    fn send(self: &Rc<Self>, number: usize, n: u32) {
        self.ask(self.asked(number, n));
    }

    fn asked(&self, number: usize, n: u32) -> Asked<'_> {
        let workload = &self.plan.workloads[number];
        let mut body = format!("w{number}-{n}-");
        while body.len() < workload.body_bytes as usize {
            body.push('x');
        }
        Asked {
            client: usize::from(workload.producer),
            probe: false,
            mode: workload.mode,
            topic: &workload.topic,
            key: workload.key(n),
            body,
            timeout: workload.timeout_ms.map(Duration::from_millis),
        }
    }

    /// Sends that share a request are in hand under the ticket of the first.
    fn send_together(self: &Rc<Self>, number: usize, of: Range<u32>) {
        let all: Vec<Asked<'_>> = of.map(|n| self.asked(number, n)).collect();
        let Some(Asked { client: number, mode, timeout, key, .. }) = all.first() else { return };
        let (number, mode, timeout) = (*number, *mode, *timeout);
        let options = options(mode, key.as_deref().unwrap_or(""), timeout);
        let client = self.client(number);
        let batch = Batch::new(all.iter().map(Asked::message));
        let mut batch = batch.expect("one topic, and nothing is delayed");
        client.producer.assign_ids(&mut batch);
        let first = self.board.lock().history.sends.len() as u64;
        let tickets = first..first + all.len() as u64;
        for ((asked, id), ticket) in all.into_iter().zip(batch.ids()).zip(tickets.clone()) {
            let mut record = self.record(asked, ticket);
            record.message_id = Some(id.as_str().to_owned());
            self.board.lock().history.sends.push(record);
        }
        note(&self.board.lock(), format_args!("p{number} sends {tickets:?} together"));
        let given_up = Rc::new(Notify::new());
        client.in_hand.borrow_mut().insert(first, given_up.clone());
        let (stage, producer) = (self.clone(), client.producer.clone());
        spawn_local(async move {
            let sent = async {
                if mode == Mode::OneWay {
                    let written = producer.send_batch_oneway(batch, options).await;
                    return written.map(|ids| ids.iter().map(|_| End::Written).collect());
                }
                let stored = producer.send_batch_with(batch, options).await;
                stored.map(|receipts| receipts.into_iter().map(End::Stored).collect())
            };
            let count = (tickets.end - tickets.start) as usize;
            let ends: Vec<End> = tokio::select! {
                biased;
                () = given_up.notified() => vec![End::Cancelled; count],
                ends = sent => ends.unwrap_or_else(|error| vec![End::Failed(error); count]),
            };
            for (ticket, end) in tickets.zip(ends) {
                stage.clone().ended(number, ticket, end).await;
            }
        });
        client.measure();
    }

    /// One more send after healing.
    pub(super) fn probe(self: &Rc<Self>, client: usize, left: u32) {
        if self.client(client).closing.get() {
            return;
        }
        let body = format!("probe-{client}-{}-{left}", elapsed().as_millis());
        self.ask(Asked {
            client,
            probe: true,
            mode: Mode::Rotate,
            topic: &self.plan.cluster.topics[0].name,
            key: None,
            body,
            timeout: None,
        });
        if left > 1 {
            self.later(Duration::from_millis(100), Event::Probe(client, left - 1));
        }
    }

    /// What is known of a send before it is asked.
    fn record(&self, asked: Asked<'_>, ticket: u64) -> SendRecord {
        SendRecord {
            ticket,
            producer: asked.client as u16,
            probe: asked.probe,
            mode: asked.mode,
            topic: asked.topic.to_owned(),
            key: asked.key,
            body: asked.body,
            at: elapsed(),
            timeout: asked.timeout.unwrap_or(self.send_timeout),
            message_id: None,
            ends: Vec::new(),
        }
    }

    fn ask(self: &Rc<Self>, asked: Asked<'_>) {
        let (number, mode, timeout) = (asked.client, asked.mode, asked.timeout);
        let client = self.client(number);
        let message = asked.message();
        let ticket = self.board.lock().history.sends.len() as u64;
        let mut record = self.record(asked, ticket);
        let options = options(mode, record.key.as_deref().unwrap_or(""), timeout);
        let what = format!("p{number} sends {ticket} {mode:?} {:?}", record.key);
        note(&self.board.lock(), format_args!("{what}"));
        let given_up = Rc::new(Notify::new());
        client.in_hand.borrow_mut().insert(ticket, given_up.clone());
        let (stage, producer) = (self.clone(), client.producer.clone());
        if mode == Mode::OneWay {
            self.board.lock().history.sends.push(record);
            spawn_local(async move {
                let end = tokio::select! {
                    biased;
                    () = given_up.notified() => End::Cancelled,
                    result = producer.send_oneway_with(message, options) => match result {
                        Ok(id) => {
                            let mut board = stage.board.lock();
                            let send = &mut board.history.sends[ticket as usize];
                            send.message_id = Some(id.as_str().to_owned());
                            End::Written
                        }
                        Err(error) => End::Failed(error),
                    },
                };
                stage.ended(number, ticket, end).await;
            });
        } else {
            let send = producer.enqueue_with(message, options);
            record.message_id = send.message_id().map(|id| id.as_str().to_owned());
            self.board.lock().history.sends.push(record);
            spawn_local(async move {
                let end = tokio::select! {
                    biased;
                    () = given_up.notified() => End::Cancelled,
                    result = send => match result {
                        Ok(receipt) => End::Stored(receipt),
                        Err(error) => End::Failed(error),
                    },
                };
                stage.ended(number, ticket, end).await;
            });
        }
        client.measure();
    }

    /// A send has ended; the next of its key may go if they go one by one.
    async fn ended(self: Rc<Self>, number: usize, ticket: u64, end: End) {
        self.board.awake(number).await;
        let client = self.client(number);
        client.in_hand.borrow_mut().remove(&ticket);
        client.measure();
        let record = {
            let mut board = self.board.lock();
            let how = match &end {
                End::Stored(receipt) => {
                    let (broker, queue) = (&receipt.broker, receipt.queue_id);
                    format!("stored {broker}/{queue}@{}", receipt.queue_offset)
                }
                End::Failed(error) => format!("{}: {}", error.outcome(), error.kind()),
                End::Written => "written".to_owned(),
                End::Cancelled => "cancelled".to_owned(),
            };
            note(&board, format_args!("p{number} {ticket} {how}"));
            let record = &mut board.history.sends[ticket as usize];
            if let End::Stored(receipt) = &end {
                record.message_id = Some(receipt.message_id.as_str().to_owned());
            }
            record.ends.push((elapsed(), end));
            record.clone()
        };
        self.go_on_serially(client, &record);
    }

    /// Sends that waited for one that has ended. After healing none goes: where few sends have
    /// room, a backlog would keep probes out.
    fn go_on_serially(self: &Rc<Self>, client: &Client, record: &SendRecord) {
        if self.healed.get() {
            return;
        }
        let Some(lane) = record.serial_lane(&self.plan) else { return };
        let number = lane.0;
        let next = {
            let mut serial = client.serial.borrow_mut();
            let Some(waiting) = serial.get_mut(&lane) else { return };
            let next = waiting.pop_front();
            if next.is_none() {
                serial.remove(&lane);
            }
            next
        };
        if let Some(next) = next {
            self.send(number, next);
        }
    }

    /// The application gives up every `nth` of its sends in hand.
    pub(super) fn cancel(&self, client: usize, nth: u32) {
        let in_hand = self.client(client).in_hand.borrow();
        for given_up in in_hand.values().step_by(nth.max(1) as usize) {
            given_up.notify_one();
        }
    }

    pub(super) fn close(self: &Rc<Self>, number: usize, within: Duration) {
        note(&self.board.lock(), format_args!("p{number} is closed"));
        self.client(number).closing.set(true);
        let stage = self.clone();
        spawn_local(async move {
            let client = stage.client(number);
            let report = client.producer.close(within).await;
            note(&stage.board.lock(), format_args!("p{number} closed {report:?}"));
            *client.report.borrow_mut() = Some(report);
        });
    }

    /// Until when the producer that an event concerns stands still.
    pub(super) fn stalled_until(&self, event: &Event) -> Option<Instant> {
        let client = match event {
            Event::Burst(workload) => usize::from(self.plan.workloads[*workload].producer),
            Event::Probe(client, _) => *client,
            Event::FaultBegins(_)
            | Event::FaultStep(_)
            | Event::FaultEnds(_)
            | Event::Heal
            | Event::Register
            | Event::CloseAll
            | Event::Over => return None,
        };
        Some(self.board.lock().stalled_until[client]).filter(|until| *until > elapsed())
    }
}

/// A send to be.
struct Asked<'p> {
    client: usize,
    probe: bool,
    mode: Mode,
    topic: &'p str,
    key: Option<String>,
    body: String,
    timeout: Option<Duration>,
}

impl Asked<'_> {
    fn message(&self) -> Message {
        let message = Message::new(self.topic, self.body.clone().into_bytes());
        message.expect("plans have valid topics, bodies are not empty")
    }
}

fn options(mode: Mode, key: &str, timeout: Option<Duration>) -> SendOptions {
    let queue = match mode {
        Mode::Rotate | Mode::OneWay => QueueChoice::Rotate,
        Mode::Hash => QueueChoice::hash(key),
        Mode::Strict => QueueChoice::ordered(key, Order::Strict),
        Mode::Available => QueueChoice::ordered(key, Order::Available),
    };
    SendOptions { queue, timeout, ..SendOptions::default() }
}
