//! The applications of a plan and their producers.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use producer_core::{
    Address, Batch, CloseReport, ConnId, Environment, Instant, Message, Order, Producer,
    QueueChoice, Reply, SendId, SendOptions,
};

use super::{Event, Pair, UNIX_MS, note, record};
use crate::dice::{Concern, Dice};
use crate::events::What;
use crate::history::{End, ProducerEnd, SendRecord};
use crate::plan::{Mode, Plan};

/// A producer, and what the application that has it knows.
pub(super) struct Client {
    pub(super) producer: Producer<u64>,
    pub(super) wake_at: Option<Instant>,
    pub(super) conns: BTreeMap<ConnId, usize>,
    pub(super) stalled_until: Option<Instant>,
    pub(super) in_hand: BTreeMap<u64, SendId>,
    /// How many sends share a request, by the ticket of the first.
    together: BTreeMap<u64, u64>,
    pub(super) report: Option<CloseReport>,
    pub(super) closing: bool,
    /// Serial sends: those under way by workload and key, and those that wait for them.
    serial: BTreeMap<(usize, String), VecDeque<u32>>,
    sent: BTreeMap<usize, u32>,
    in_hand_max: usize,
    connections_max: usize,
}

impl Client {
    pub(super) fn new(plan: &Plan, number: u16) -> Self {
        let servers = (0..plan.cluster.name_servers).map(|n| {
            let address = super::node::address(0, n, 9876).to_string();
            Address::new(&address).expect("an IPv4 address and a port")
        });
        let seed = Dice::new(plan.seed, Concern::Producer(number)).number();
        let config = plan.config.config(servers.collect());
        Self {
            producer: Producer::new(config, Environment::new(seed, UNIX_MS)),
            wake_at: None,
            conns: BTreeMap::new(),
            stalled_until: None,
            in_hand: BTreeMap::new(),
            together: BTreeMap::new(),
            report: None,
            closing: false,
            serial: BTreeMap::new(),
            sent: BTreeMap::new(),
            in_hand_max: 0,
            connections_max: 0,
        }
    }

    pub(super) fn wakes_at(&self) -> Option<Instant> {
        self.wake_at.map(|at| self.stalled_until.map_or(at, |until| at.max(until)))
    }

    pub(super) fn end(&self) -> ProducerEnd {
        ProducerEnd {
            stats: self.producer.stats(),
            report: self.report.clone(),
            in_hand_max: self.in_hand_max,
            connections_max: self.connections_max,
        }
    }

    pub(super) fn measure(&mut self) {
        let stats = self.producer.stats();
        self.in_hand_max = self.in_hand_max.max(stats.in_hand);
        self.connections_max = self.connections_max.max(stats.connections);
    }
}

impl Pair {
    pub(super) fn burst(&mut self, number: usize) {
        let workload = self.plan.workloads[number].clone();
        let client = usize::from(workload.producer);
        let sent = self.clients[client].sent.get(&number).copied().unwrap_or(0);
        let to = (sent + workload.burst).min(workload.total);
        self.clients[client].sent.insert(number, to);
        if workload.batch {
            self.send_together(number, sent..to);
        }
        for n in sent..if workload.batch { sent } else { to } {
            let key = workload.key(n);
            let lane = (number, key.unwrap_or_default());
            if workload.serial {
                let waiting = self.clients[client].serial.get_mut(&lane);
                if let Some(waiting) = waiting {
                    waiting.push_back(n);
                    continue;
                }
                self.clients[client].serial.insert(lane, VecDeque::new());
            }
            self.send(number, n);
        }
        if to < workload.total && !self.healed {
            self.later(Duration::from_micros(workload.every_us), Event::Burst(number));
        }
    }

    fn send(&mut self, number: usize, n: u32) {
        let record = self.record(number, n);
        let timeout = self.plan.workloads[number].timeout_ms.map(Duration::from_millis);
        self.ask(usize::from(record.producer), record, timeout);
    }

    /// What is known of a send before it is asked.
    fn record(&self, number: usize, n: u32) -> SendRecord {
        let workload = &self.plan.workloads[number];
        let mut body = format!("w{number}-{n}-");
        body.push_str(&"x".repeat((workload.body_bytes as usize).saturating_sub(body.len())));
        SendRecord {
            ticket: self.history.sends.len() as u64,
            producer: workload.producer,
            probe: false,
            mode: workload.mode,
            topic: workload.topic.clone(),
            key: workload.key(n),
            body,
            at: self.now,
            timeout: Duration::from_millis(workload.timeout_ms.unwrap_or(0)),
            message_id: None,
            ends: Vec::new(),
        }
    }

    /// Sends that share a request are known to the producer by the ticket of the first.
    fn send_together(&mut self, number: usize, of: Range<u32>) {
        let timeout = self.plan.workloads[number].timeout_ms.map(Duration::from_millis);
        let mut records: Vec<SendRecord> = of.map(|n| self.record(number, n)).collect();
        let Some(first) = records.first() else { return };
        let (client, ticket) = (usize::from(first.producer), first.ticket);
        let options = options(first, timeout);
        let messages = records.iter().map(message);
        let mut batch = Batch::new(messages).expect("one topic, and nothing is delayed");
        let producer = &mut self.clients[client].producer;
        producer.assign_ids(self.now, &mut batch);
        let timeout = timeout.unwrap_or_else(|| producer.config().send_timeout);
        for ((record, id), ticket) in records.iter_mut().zip(batch.ids()).zip(ticket..) {
            record.message_id = Some(id.as_str().to_owned());
            (record.ticket, record.timeout) = (ticket, timeout);
        }
        note!(self, "p{client} sends {} together from {ticket} on", records.len());
        let id = producer.send_batch(self.now, ticket, batch, options);
        self.clients[client].together.insert(ticket, records.len() as u64);
        for record in records {
            record!(self, note(self.now, Some(client as u16), What::Asked(record.ticket)));
            self.history.sends.push(record);
        }
        self.clients[client].in_hand.insert(ticket, id);
        self.drain_client(client);
    }

    /// The tickets of those that went under this one.
    pub(super) fn members(&mut self, client: usize, ticket: u64) -> Range<u64> {
        ticket..ticket + self.clients[client].together.remove(&ticket).unwrap_or(1)
    }

    /// One more send after healing.
    pub(super) fn probe(&mut self, client: usize, left: u32) {
        if self.clients[client].closing {
            return;
        }
        let topic = self.plan.cluster.topics[0].name.clone();
        let record = SendRecord {
            ticket: self.history.sends.len() as u64,
            producer: client as u16,
            probe: true,
            mode: Mode::Rotate,
            topic,
            key: None,
            body: format!("probe-{client}-{}-{left}", self.now.as_millis()),
            at: self.now,
            timeout: Duration::ZERO,
            message_id: None,
            ends: Vec::new(),
        };
        self.ask(client, record, None);
        if left > 1 {
            self.later(Duration::from_millis(100), Event::Probe(client, left - 1));
        }
    }

    fn ask(&mut self, client: usize, mut record: SendRecord, timeout: Option<Duration>) {
        let key = record.key.as_deref().unwrap_or("");
        let options = options(&record, timeout);
        let producer = &mut self.clients[client].producer;
        record.timeout = timeout.unwrap_or_else(|| producer.config().send_timeout);
        let message = message(&record);
        note!(self, "p{client} sends {} {:?} {key}", record.ticket, record.mode);
        let ticket = record.ticket;
        let id = producer.send(self.now, ticket, message, options);
        record.message_id = producer.message_id(id).map(|id| id.as_str().to_owned());
        self.history.sends.push(record);
        record!(self, note(self.now, Some(client as u16), What::Asked(ticket)));
        self.clients[client].in_hand.insert(ticket, id);
        self.drain_client(client);
    }

    /// A send has ended; the next of its key may go if they go one by one.
    pub(super) fn ended(&mut self, client: usize, ticket: u64, end: End) {
        let record = &mut self.history.sends[ticket as usize];
        match &end {
            End::Stored(receipt) => {
                record.message_id = Some(receipt.message_id.as_str().to_owned());
                let (broker, queue) = (&receipt.broker, receipt.queue_id);
                note!(self, "p{client} {ticket} stored {broker}/{queue}@{}", receipt.queue_offset);
            }
            End::Failed(error) => {
                note!(self, "p{client} {ticket} {}: {}", error.outcome(), error.kind());
            }
            End::Written => note!(self, "p{client} {ticket} written"),
            End::Cancelled => note!(self, "p{client} {ticket} cancelled"),
        }
        let record = &mut self.history.sends[ticket as usize];
        record.ends.push((self.now, end));
        let which = record.ends.len() - 1;
        record!(self, note(self.now, Some(client as u16), What::Ended(ticket, which)));
        self.clients[client].in_hand.remove(&ticket);
    }

    /// Sends that waited for one that has ended. After healing none goes: where few sends have
    /// room, a backlog would keep probes out.
    pub(super) fn go_on_serially(&mut self, client: usize, ticket: u64) {
        if self.healed {
            return;
        }
        let record = &self.history.sends[ticket as usize];
        let Some(lane) = record.serial_lane(&self.plan) else { return };
        let number = lane.0;
        let Some(waiting) = self.clients[client].serial.get_mut(&lane) else { return };
        match waiting.pop_front() {
            Some(next) => self.send(number, next),
            None => {
                self.clients[client].serial.remove(&lane);
            }
        }
    }
}

fn message(record: &SendRecord) -> Message {
    let message = Message::new(&*record.topic, record.body.clone().into_bytes());
    message.expect("plans have valid topics, bodies are not empty")
}

fn options(record: &SendRecord, timeout: Option<Duration>) -> SendOptions {
    let key = record.key.as_deref().unwrap_or("");
    SendOptions {
        queue: match record.mode {
            Mode::Rotate | Mode::OneWay => QueueChoice::Rotate,
            Mode::Hash => QueueChoice::hash(key),
            Mode::Strict => QueueChoice::ordered(key, Order::Strict),
            Mode::Available => QueueChoice::ordered(key, Order::Available),
        },
        reply: if record.mode == Mode::OneWay { Reply::OneWay } else { Reply::Awaited },
        timeout,
        ..SendOptions::default()
    }
}
