//! Many sends at once that go on while a test hurts the servers, each with its end and its time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use producer_native::{Message, Producer, Receipt, SendError};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::until;

/// A load to be: as many senders at a time, each with one send under way.
#[derive(Clone, Debug)]
pub struct Load {
    /// Where to.
    pub topic: String,
    /// Senders. Default 64.
    pub senders: usize,
    /// Sends in all; without end if there is none, until [`Running::finish`].
    pub sends: Option<usize>,
    /// Pause of each sender after each send. Default none. It keeps a load below what a machine can
    /// do, so that its rate tells of stuck sends and not of other programs.
    pub pause: Duration,
}

/// A load under way.
#[derive(Debug)]
pub struct Running<'r> {
    runtime: &'r Runtime,
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

/// How one send ended.
#[derive(Debug)]
pub struct End {
    /// Which one it was; its body begins with it.
    pub number: usize,
    /// When, since the load began.
    pub at: Duration,
    /// What the producer said.
    pub result: Result<Receipt, SendError>,
}

#[derive(Debug)]
struct Shared {
    load: Load,
    begin: Instant,
    next: AtomicUsize,
    stored: AtomicUsize,
    stopped: AtomicBool,
    ends: Mutex<Vec<End>>,
}

impl Load {
    /// To this topic, by 64 senders, without end or pause.
    pub fn to(topic: &str) -> Self {
        Self { topic: topic.to_owned(), senders: 64, sends: None, pause: Duration::ZERO }
    }

    /// Begins.
    pub fn start<'r>(self, runtime: &'r Runtime, producer: &Producer) -> Running<'r> {
        let senders = self.senders;
        let shared = Arc::new(Shared {
            load: self,
            begin: Instant::now(),
            next: AtomicUsize::new(0),
            stored: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            ends: Mutex::default(),
        });
        let start = |_| {
            let (shared, producer) = (shared.clone(), producer.clone());
            runtime.spawn(async move { shared.send(producer).await })
        };
        let senders = (0..senders).map(start).collect();
        Running { runtime, shared, senders }
    }
}

impl Running<'_> {
    /// Time since the load began.
    pub fn elapsed(&self) -> Duration {
        self.shared.begin.elapsed()
    }

    /// Receipts so far.
    pub fn stored(&self) -> usize {
        self.shared.stored.load(Ordering::Relaxed)
    }

    /// Waits for so many receipts, or for the end of the load.
    pub fn wait_stored(&self, count: usize) {
        until(WAIT_LIMIT, "receipts of a load", || {
            let over = self.senders.iter().all(JoinHandle::is_finished);
            (over || self.stored() >= count).then_some(())
        });
    }

    /// Waits until so much time has passed since the load began.
    pub fn wait_elapsed(&self, time: Duration) {
        until(time + WAIT_LIMIT, "time", || (self.elapsed() >= time).then_some(()));
    }

    /// Waits until a send that ended after `since` was stored by this broker; when that was.
    pub fn wait_stored_by(&self, broker: &str, since: Duration, limit: Duration) -> Duration {
        until(limit, &format!("a receipt of broker {broker}"), || {
            let ends = self.shared.ends.lock().unwrap_or_else(PoisonError::into_inner);
            let late = ends.iter().rev().take_while(|end| end.at > since);
            let by = |end: &&End| end.result.as_ref().is_ok_and(|r| &*r.broker == broker);
            late.filter(by).map(|end| end.at).last()
        })
    }

    /// Begins no more sends and waits for the last one: how all ended, in the order of their ends.
    pub fn stop(self) -> Vec<End> {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.finish()
    }

    /// Waits for the last send of a load that has an end.
    pub fn finish(self) -> Vec<End> {
        for sender in self.senders {
            self.runtime.block_on(sender).expect("a sender does not panic");
        }
        let mut ends = self.shared.ends.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *ends)
    }
}

impl Shared {
    async fn send(self: Arc<Self>, producer: Producer) {
        while !self.stopped.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if self.load.sends.is_some_and(|sends| number >= sends) {
                return;
            }
            let body = body(number);
            let message = Message::new(&*self.load.topic, body).expect("topic and body are valid");
            let result = producer.send(message).await;
            let at = self.begin.elapsed();
            self.stored.fetch_add(usize::from(result.is_ok()), Ordering::Relaxed);
            self.note(End { number, at, result });
            if !self.load.pause.is_zero() {
                tokio::time::sleep(self.load.pause).await;
            }
        }
    }

    fn note(&self, end: End) {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).push(end);
    }
}

/// The number, filled up to 100 bytes.
pub(super) fn body(number: usize) -> String {
    format!("{number:<100}")
}

const WAIT_LIMIT: Duration = Duration::from_secs(60);
