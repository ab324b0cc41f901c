//! The same producer for programs without async code.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use producer_native::{Message, Producer};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let producer = Producer::builder("orders").name_servers("localhost:9876").build_blocking()?;
//!     let receipt = producer.send(Message::new("orders", "paid")?)?;
//!     println!("{} is at {} of queue {}", receipt.message_id, receipt.queue_offset, receipt.queue_id);
//!     producer.close(Duration::from_secs(5));
//!     Ok(())
//! }
//! ```

mod admin;
mod exchange;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use producer_core::{
    CloseReport, InvalidName, Message, MessageId, Receipt, Route, SendError, SendOptions, Stats,
    TopicName,
};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::builder::{BuildError, Builder};
use crate::ticket::{self, TrySendError};
use crate::wait::Wait;

pub use admin::Admin;
pub use exchange::OpenTransaction;

/// A [`Producer`](crate::Producer) whose methods wait by blocking the thread. It has one thread of
/// its own, which carries the connections; clones share it.
///
/// When the last clone is dropped, the sends in hand end as what they are, and the thread ends
/// within 300 ms, not waited for. Tickets keep the thread, but not the sends, alive.
///
/// # Panics
/// Methods that wait panic when they are called within async code, whose runtime they would stop:
/// use [`Producer`](crate::Producer) there, or `tokio::task::spawn_blocking`.
#[derive(Clone)]
pub struct Producer {
    inner: crate::Producer,
    /// Declared after `inner`, to be dropped after it.
    thread: Arc<Thread>,
}

/// The thread that carries the connections, until this is dropped.
struct Thread {
    runtime: Handle,
    _stop: oneshot::Sender<()>,
}

impl Builder {
    /// Makes a producer for programs without async code, with a thread of its own.
    /// [`Builder::runtime`] is ignored.
    ///
    /// # Errors
    /// As [`Builder::build`], and when the thread cannot be made.
    pub fn build_blocking(self) -> Result<Producer, BuildError> {
        let no_thread = |error: std::io::Error| BuildError::NoThread { problem: error.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(no_thread)?;
        let handle = runtime.handle().clone();
        let inner = self.runtime(handle.clone()).build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let shared = inner.shared().clone();
        let run = move || {
            runtime.block_on(async move {
                // An error: the sender was dropped, which is the signal.
                let _dropped = stopped.await;
                let slot = shared.enter(|state, now| state.begin_close(now, now));
                Wait { shared: &shared, slot: Some(slot) }.await;
            });
        };
        let thread = std::thread::Builder::new().name(String::from("producer-native"));
        thread.spawn(run).map_err(no_thread)?;
        Ok(Producer { inner, thread: Arc::new(Thread { runtime: handle, _stop: stop }) })
    }
}

impl Producer {
    /// Sends a message and waits for the broker's receipt:
    /// [`Producer::send`](crate::Producer::send).
    ///
    /// # Errors
    /// [`SendError`] tells whether the message may be stored, and why it was not acknowledged.
    pub fn send(&self, message: Message) -> Result<Receipt, SendError> {
        self.wait(self.inner.send(message))
    }

    /// [`send`](Self::send) with options.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with(&self, message: Message, options: SendOptions) -> Result<Receipt, SendError> {
        self.wait(self.inner.send_with(message, options))
    }

    /// Sends a message that no broker answers:
    /// [`Producer::send_oneway`](crate::Producer::send_oneway).
    ///
    /// # Errors
    /// [`SendError`] when not even a connection took it within the send timeout.
    pub fn send_oneway(&self, message: Message) -> Result<MessageId, SendError> {
        self.wait(self.inner.send_oneway(message))
    }

    /// Takes over a message if there is room for it now.
    ///
    /// # Errors
    /// [`TrySendError`] gives the message back.
    pub fn try_send(&self, message: Message) -> Result<Ticket, TrySendError> {
        self.inner.try_send(message).map(|ticket| self.ticket(ticket))
    }

    /// Takes over a message without waiting: [`Producer::enqueue`](crate::Producer::enqueue).
    pub fn enqueue(&self, message: Message) -> Ticket {
        self.ticket(self.inner.enqueue(message))
    }

    /// [`enqueue`](Self::enqueue) with options.
    pub fn enqueue_with(&self, message: Message, options: SendOptions) -> Ticket {
        self.ticket(self.inner.enqueue_with(message, options))
    }

    /// Sends many messages and waits for all: how each ended, in their order.
    pub fn send_all(
        &self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Vec<Result<Receipt, SendError>> {
        self.wait(self.inner.send_all(messages))
    }

    /// Looks up routes and begins to connect: [`Producer::prepare`](crate::Producer::prepare).
    ///
    /// # Errors
    /// The first [`SendError`] of a topic whose route was not found within the send timeout.
    pub fn prepare(&self, topics: impl IntoIterator<Item = TopicName>) -> Result<(), SendError> {
        self.wait(self.inner.prepare(topics))
    }

    /// The route of a topic as this producer sees it.
    ///
    /// # Errors
    /// [`SendError`] when there is none within the send timeout.
    pub fn route(&self, topic: &TopicName) -> Result<Route, SendError> {
        self.wait(self.inner.route(topic))
    }

    /// Waits until every send has ended that was accepted before.
    pub fn flush(&self) {
        self.wait(self.inner.flush());
    }

    /// Ends the producer and accounts for every send in hand:
    /// [`Producer::close`](crate::Producer::close).
    pub fn close(&self, deadline: Duration) -> CloseReport {
        self.wait(self.inner.close(deadline))
    }

    /// Asks these name servers from now on:
    /// [`Producer::set_name_servers`](crate::Producer::set_name_servers).
    ///
    /// # Errors
    /// [`InvalidName`] when one of them is no address, or there is none; then nothing changes.
    pub fn set_name_servers(&self, list: &str) -> Result<(), InvalidName> {
        self.inner.set_name_servers(list)
    }

    /// Counters since the producer was made, and levels now.
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }

    /// The producer within, for async code of the same program. It ends with the last blocking
    /// handle or ticket, whatever clones of it are left.
    pub fn as_async(&self) -> &crate::Producer {
        &self.inner
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        self.thread.runtime.block_on(future)
    }

    fn ticket(&self, inner: ticket::Ticket) -> Ticket {
        Ticket { inner, thread: self.thread.clone() }
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A send under way; dropped, it cancels it as a [`Ticket`](crate::Ticket) does.
#[must_use = "a ticket that is dropped cancels its send"]
pub struct Ticket {
    inner: ticket::Ticket,
    thread: Arc<Thread>,
}

impl Ticket {
    /// Waits for the broker's receipt.
    ///
    /// # Errors
    /// As [`Producer::send`].
    ///
    /// # Panics
    /// Within async code.
    pub fn wait(self) -> Result<Receipt, SendError> {
        self.thread.runtime.block_on(self.inner)
    }

    /// Lets the send go on without anybody waiting for it.
    pub fn detach(self) {
        self.inner.detach();
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
