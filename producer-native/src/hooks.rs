//! What may an application see and do around each send?

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use producer_core::wire::Header;
use producer_core::wire::frame::{self, Frame};
use producer_core::{
    Address, Batch, Decision, ErrorKind, InvalidMessage, Message, MessageId, Receipt, SendError,
    TopicName, Transaction,
};
use tokio::time::Instant;

use crate::log::Log;
use crate::slots::{Ended, Slot};

/// Called around every send, once each, however often it is tried (Java's hooks are called for each
/// attempt; a [`FrameHook`] sees those). [`check`](Self::check) and [`before`](Self::before) are
/// called in the order in which hooks were added, [`after`](Self::after) in the reverse order.
///
/// Hooks run where the send is begun and where its answer arrives, with nothing locked. They must
/// not block: other sends wait meanwhile. They may use the producer in ways that do not wait
/// ([`enqueue`](crate::Producer::enqueue), [`try_send`](crate::Producer::try_send),
/// [`stats`](crate::Producer::stats)); what they send is hooked too. A panic is caught, logged and
/// counted ([`Producer::hook_panics`](crate::Producer::hook_panics)); it changes nothing, but that
/// a check that panics refuses the send. A send that is refused is not told to `before` and `after`.
///
/// ```
/// # use producer_native::{Message, Outgoing, Producer, SendHook, SendKind, SendReport};
/// struct Stamp;
///
/// impl SendHook for Stamp {
///     fn check(&self, message: &Message, _: SendKind) -> Result<(), String> {
///         let allowed = message.topic().as_str().starts_with("orders");
///         if allowed { Ok(()) } else { Err(String::from("this service sends orders only")) }
///     }
///
///     fn before(&self, send: &mut Outgoing<'_>) {
///         let _too_long = send.set_property("region", "eu");
///     }
///
///     fn after(&self, send: &SendReport<'_>) {
///         println!("{} took {:?}", send.topic(), send.elapsed());
///     }
/// }
/// let builder = Producer::builder("orders").hook(Stamp);
/// ```
pub trait SendHook: Send + Sync + 'static {
    /// Whether this may be sent. The text of an error says why not; the send then ends with
    /// [`ErrorKind::Forbidden`], surely not sent. Of a batch each message is asked about.
    ///
    /// # Errors
    /// When it may not.
    fn check(&self, message: &Message, kind: SendKind) -> Result<(), String> {
        let _ = (message, kind);
        Ok(())
    }

    /// A send is about to begin; properties may be added.
    fn before(&self, send: &mut Outgoing<'_>) {
        let _ = send;
    }

    /// A send has ended.
    fn after(&self, send: &SendReport<'_>) {
        let _ = send;
    }

    /// A broker was told how a transaction has ended.
    fn transaction_ended(&self, transaction: &Transaction, decision: Decision) {
        let _ = (transaction, decision);
    }
}

/// Called for every frame that is written to or read from a peer, in the connection's task, with
/// nothing locked: requests and answers of all kinds, with their bodies and signatures. It must be
/// quick, for it holds up its connection. Panics are caught, logged and counted.
pub trait FrameHook: Send + Sync + 'static {
    /// A frame is about to be written.
    fn sent(&self, frame: &SeenFrame<'_>) {
        let _ = frame;
    }

    /// A frame has arrived; it is not handled yet.
    fn received(&self, frame: &SeenFrame<'_>) {
        let _ = frame;
    }
}

/// What kind of send it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendKind {
    /// One message, with a receipt.
    Message,
    /// One that no broker answers.
    OneWay,
    /// Several in one request.
    Batch,
    /// The first half of a transaction.
    Half,
    /// One that another client is to answer.
    Request,
    /// The answer to one of another client.
    Reply,
}

/// What is sent: one message, or those of a batch.
pub(crate) enum Parcel {
    One(Message),
    Many(Batch),
}

/// A send that is about to begin.
pub struct Outgoing<'a> {
    parcel: &'a mut Parcel,
    kind: SendKind,
    group: &'a str,
    kept: Option<Box<dyn Any + Send>>,
}

impl Outgoing<'_> {
    /// The messages; one unless it is a batch.
    pub fn messages(&self) -> &[Message] {
        match &*self.parcel {
            Parcel::One(message) => std::slice::from_ref(message),
            Parcel::Many(batch) => batch.messages(),
        }
    }

    /// What kind of send it is.
    pub fn kind(&self) -> SendKind {
        self.kind
    }

    /// The producer group.
    pub fn group(&self) -> &str {
        self.group
    }

    /// Sets a property of every message. The application's own message stays as it is.
    ///
    /// # Errors
    /// As [`Message::with_property`]; then none has it.
    pub fn set_property(&mut self, name: &str, value: &str) -> Result<(), InvalidMessage> {
        *self.parcel = match &*self.parcel {
            Parcel::One(message) => Parcel::One(message.clone().with_property(name, value)?),
            Parcel::Many(batch) => Parcel::Many(batch.clone().with_property(name, value)?),
        };
        Ok(())
    }

    /// Keeps something of the hook's own for [`SendHook::after`].
    pub fn keep(&mut self, kept: impl Any + Send) {
        self.kept = Some(Box::new(kept));
    }
}

/// How a send ended, for hooks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SendEnd {
    /// Stored: a receipt for each message.
    Stored(Vec<Receipt>),
    /// Handed to a connection, not to be answered.
    Written(MessageId),
    /// Replied to by another client.
    Replied,
    /// Failed.
    Failed(SendError),
    /// Its caller lost interest before anything left, or there was no room for it.
    GivenUp,
}

impl SendEnd {
    fn of(ended: &Ended) -> Self {
        let failed = |error: &SendError| Self::Failed(error.clone());
        match ended {
            Ended::Sent(Ok(receipt)) => Self::Stored(vec![receipt.clone()]),
            Ended::Batch(Ok(receipts)) => Self::Stored(receipts.clone()),
            Ended::Prepared(Ok(half)) => Self::Stored(vec![half.receipt.clone()]),
            Ended::Written(id) => Self::Written(*id),
            Ended::Replied(Ok(_)) => Self::Replied,
            Ended::Sent(Err(error))
            | Ended::Batch(Err(error))
            | Ended::Prepared(Err(error))
            | Ended::Replied(Err(error)) => failed(error),
            Ended::Answered(_) | Ended::Route(_) | Ended::Done => Self::GivenUp,
        }
    }
}

/// A send that has ended.
pub struct SendReport<'a> {
    call: &'a Call,
    end: &'a SendEnd,
    kept: Option<&'a (dyn Any + Send)>,
    elapsed: Duration,
}

impl SendReport<'_> {
    /// The topic.
    pub fn topic(&self) -> &TopicName {
        &self.call.topic
    }

    /// What kind of send it was.
    pub fn kind(&self) -> SendKind {
        self.call.kind
    }

    /// How many messages; one unless it is a batch.
    pub fn messages(&self) -> usize {
        self.call.messages
    }

    /// Bytes of their bodies, before compression.
    pub fn body_bytes(&self) -> usize {
        self.call.body_bytes
    }

    /// How it ended.
    pub fn end(&self) -> &SendEnd {
        self.end
    }

    /// From the begin to the end.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// What the hook kept ([`Outgoing::keep`]).
    pub fn kept<K: Any>(&self) -> Option<&K> {
        self.kept?.downcast_ref()
    }
}

/// A frame that passes.
pub struct SeenFrame<'a> {
    peer: &'a Address,
    frame: Frame<'a>,
    bytes: &'a [u8],
}

impl SeenFrame<'_> {
    /// The address that was dialled.
    pub fn peer(&self) -> &Address {
        self.peer
    }

    /// The whole frame.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        self.frame.body
    }

    /// Its header: code, opaque number, flags, ext fields; `None` if it cannot be read.
    pub fn header(&self) -> Option<Header<'_>> {
        Header::decode(self.frame.serialize, self.frame.header).ok()
    }
}

/// A send between `before` and `after`.
pub(crate) struct Call {
    topic: TopicName,
    kind: SendKind,
    messages: usize,
    body_bytes: usize,
    begun: Instant,
    kept: Vec<Option<Box<dyn Any + Send>>>,
}

/// A message that hooks have seen, or why it is not sent.
pub(crate) type Hooked = Result<(Message, Option<Box<Call>>), SendError>;

/// What hooks are to be told after unlocking.
pub(crate) enum Note {
    Ended(Box<Call>, SendEnd),
    Transaction(Box<Transaction>, Decision),
}

/// Sends that hooks know of, by slot. Empty where there are no hooks.
pub(crate) type Calls = HashMap<Slot, Box<Call>>;

/// All hooks of a producer.
#[derive(Default)]
pub(crate) struct Hooks {
    sends: Vec<Arc<dyn SendHook>>,
    frames: Vec<Arc<dyn FrameHook>>,
    panics: AtomicU64,
}

impl Hooks {
    pub(crate) fn add(&mut self, hook: Arc<dyn SendHook>) {
        self.sends.push(hook);
    }

    pub(crate) fn add_frames(&mut self, hook: Arc<dyn FrameHook>) {
        self.frames.push(hook);
    }

    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Whether sends need not be shown to anybody.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.sends.is_empty()
    }

    /// Shows a message to the hooks before it is sent.
    pub(crate) fn begin_one(&self, kind: SendKind, group: &str, message: Message) -> Hooked {
        let mut parcel = Parcel::One(message);
        let call = self.begin(kind, group, &mut parcel)?;
        match parcel {
            Parcel::One(message) => Ok((message, Some(call))),
            Parcel::Many(_) => unreachable!("one stays one"),
        }
    }

    /// Shows a batch to the hooks before it is sent.
    pub(crate) fn begin_many(
        &self,
        group: &str,
        batch: Batch,
    ) -> Result<(Batch, Option<Box<Call>>), SendError> {
        let mut parcel = Parcel::Many(batch);
        let call = self.begin(SendKind::Batch, group, &mut parcel)?;
        match parcel {
            Parcel::Many(batch) => Ok((batch, Some(call))),
            Parcel::One(_) => unreachable!("a batch stays one"),
        }
    }

    fn begin(
        &self,
        kind: SendKind,
        group: &str,
        parcel: &mut Parcel,
    ) -> Result<Box<Call>, SendError> {
        let begun = Instant::now();
        let mut send = Outgoing { parcel, kind, group, kept: None };
        for hook in &self.sends {
            for message in send.messages() {
                let said = self.contained(|| hook.check(message, kind));
                let said = said.unwrap_or_else(|| Err(String::from("its check panicked")));
                said.map_err(|reason| SendError::not_sent(ErrorKind::Forbidden { reason }))?;
            }
        }
        let mut kept = Vec::with_capacity(self.sends.len());
        for hook in &self.sends {
            self.contained(|| hook.before(&mut send));
            kept.push(send.kept.take());
        }
        let messages = send.messages();
        Ok(Box::new(Call {
            topic: messages[0].topic().clone(),
            kind,
            messages: messages.len(),
            body_bytes: messages.iter().map(|message| message.body().len()).sum(),
            begun,
            kept,
        }))
    }

    /// Tells the hooks what has come to pass.
    pub(crate) fn tell(&self, notes: Vec<Note>) {
        let now = Instant::now();
        for note in notes {
            match note {
                Note::Ended(call, end) => {
                    let elapsed = now.saturating_duration_since(call.begun);
                    for (hook, kept) in self.sends.iter().zip(&call.kept).rev() {
                        let kept = kept.as_deref();
                        let report = SendReport { call: &call, end: &end, kept, elapsed };
                        self.contained(|| hook.after(&report));
                    }
                }
                Note::Transaction(transaction, decision) => {
                    for hook in self.sends.iter().rev() {
                        self.contained(|| hook.transaction_ended(&transaction, decision));
                    }
                }
            }
        }
    }

    /// What shows the frames of a connection, if anybody wants to see them.
    pub(crate) fn tap(self: &Arc<Self>, peer: &Address) -> Option<Box<Tap>> {
        let tap = || Tap { hooks: self.clone(), peer: peer.clone(), unfinished: Vec::new() };
        (!self.frames.is_empty()).then(|| Box::new(tap()))
    }

    fn contained<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(call));
        if result.is_err() {
            // The first few say all; the count goes on.
            if self.panics.fetch_add(1, Ordering::Relaxed) < PANICS_LOGGED {
                Log::hook_panicked();
            }
        }
        result.ok()
    }
}

/// Panics of hooks that are logged.
const PANICS_LOGGED: u64 = 10;

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sends, frames, panics } = self;
        let (sends, frames) = (sends.len(), frames.len());
        write!(f, "Hooks {{ sends: {sends}, frames: {frames}, panics: {panics:?} }}")
    }
}

/// Shows the frames of one connection to those who want to see them.
pub(crate) struct Tap {
    hooks: Arc<Hooks>,
    peer: Address,
    /// The beginning of a frame that has not arrived whole.
    unfinished: Vec<u8>,
}

impl Tap {
    pub(crate) fn sent(&self, bytes: &[u8]) {
        self.show(bytes, |hook, frame| hook.sent(frame));
    }

    pub(crate) fn received(&mut self, bytes: &[u8]) {
        self.unfinished.extend_from_slice(bytes);
        let used = self.show(&self.unfinished, |hook, frame| hook.received(frame));
        self.unfinished.drain(..used);
    }

    /// Shows all whole frames; returns how many bytes they have.
    fn show(&self, bytes: &[u8], to: impl Fn(&dyn FrameHook, &SeenFrame<'_>)) -> usize {
        let mut used = 0;
        // What is no frame ends the connection; that is said elsewhere.
        while let Ok(Some(frame)) = frame::split(&bytes[used..], usize::MAX) {
            let bytes = &bytes[used..used + frame.len];
            used += frame.len;
            let seen = SeenFrame { peer: &self.peer, frame, bytes };
            for hook in &self.hooks.frames {
                self.hooks.contained(|| to(&**hook, &seen));
            }
        }
        used
    }
}

/// A send of this slot has ended: what hooks are to be told of it, if they know it.
pub(crate) fn note(calls: &mut Calls, slot: Slot, ended: Option<&Ended>) -> Option<Note> {
    let call = calls.remove(&slot)?;
    Some(Note::Ended(call, ended.map_or(SendEnd::GivenUp, SendEnd::of)))
}
