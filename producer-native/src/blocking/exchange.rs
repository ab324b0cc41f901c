//! Batches, transactions, requests and replies for programs without async code.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use producer_core::{Batch, HalfMessage, Message, Receipt, ReplyMessage, SendError, SendOptions};

use super::{Producer, Thread};
use crate::checks::{Verdict, text_of};
use crate::transaction::{self, NotTold, TransactionEnd};

impl Producer {
    /// Sends several messages in one request: [`Producer::send_batch`](crate::Producer::send_batch).
    ///
    /// # Errors
    /// As [`send`](Self::send); the outcome is that of every message.
    pub fn send_batch(&self, batch: Batch) -> Result<Vec<Receipt>, SendError> {
        self.wait(self.inner.send_batch(batch))
    }

    /// [`send_batch`](Self::send_batch) with options.
    ///
    /// # Errors
    /// As [`send_batch`](Self::send_batch).
    pub fn send_batch_with(
        &self,
        batch: Batch,
        options: SendOptions,
    ) -> Result<Vec<Receipt>, SendError> {
        self.wait(self.inner.send_batch_with(batch, options))
    }

    /// Stores a message that nobody sees before it is committed:
    /// [`Producer::begin`](crate::Producer::begin).
    ///
    /// # Errors
    /// As [`Producer::begin`](crate::Producer::begin).
    pub fn begin(&self, message: Message) -> Result<OpenTransaction, SendError> {
        self.begin_with(message, SendOptions::default())
    }

    /// [`begin`](Self::begin) with options.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_with(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Result<OpenTransaction, SendError> {
        let inner = self.wait(self.inner.begin_with(message, options))?;
        Ok(OpenTransaction { inner, thread: self.thread.clone() })
    }

    /// Stores a message that nobody sees, runs the local transaction on this thread, and ends the
    /// message's transaction as that decides:
    /// [`Producer::send_in_transaction`](crate::Producer::send_in_transaction).
    ///
    /// # Errors
    /// As [`begin`](Self::begin); the local transaction was not run then.
    pub fn send_in_transaction<V: Verdict>(
        &self,
        message: Message,
        local: impl FnOnce(HalfMessage) -> V,
    ) -> Result<TransactionEnd, SendError> {
        let mut open = self.begin(message)?.inner;
        let half = open.hand_over();
        let ended = catch_unwind(AssertUnwindSafe(|| local(half).verdict()));
        let ended = ended.map_err(|panic| text_of(&*panic));
        Ok(self.wait(open.end_as(ended)))
    }

    /// Sends a message and waits until whoever consumes it has answered:
    /// [`Producer::request`](crate::Producer::request).
    ///
    /// # Errors
    /// As [`Producer::request`](crate::Producer::request).
    pub fn request(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Result<ReplyMessage, SendError> {
        self.wait(self.inner.request(message, options))
    }

    /// Answers a request that this process has consumed:
    /// [`Producer::reply`](crate::Producer::reply).
    ///
    /// # Errors
    /// As [`Producer::reply`](crate::Producer::reply).
    pub fn reply(&self, message: Message) -> Result<Receipt, SendError> {
        self.wait(self.inner.reply(message))
    }
}

/// A transaction that waits for its end: [`OpenTransaction`](crate::OpenTransaction).
#[must_use = "a transaction that is dropped is not committed"]
pub struct OpenTransaction {
    inner: transaction::OpenTransaction,
    thread: Arc<Thread>,
}

impl OpenTransaction {
    /// The half message: its receipt, and what a broker needs to know to end it.
    pub fn half(&self) -> &HalfMessage {
        self.inner.half()
    }

    /// Lets consumers see the message:
    /// [`OpenTransaction::commit`](crate::OpenTransaction::commit).
    ///
    /// # Errors
    /// [`NotTold`]: the message is not seen unless a checker says so.
    ///
    /// # Panics
    /// Within async code.
    pub fn commit(self) -> Result<Receipt, NotTold> {
        self.thread.runtime.block_on(self.inner.commit())
    }

    /// Sees to it that nobody sees the message.
    ///
    /// # Errors
    /// [`NotTold`]: the message is not seen unless a checker says so.
    ///
    /// # Panics
    /// Within async code.
    pub fn rollback(self) -> Result<(), NotTold> {
        self.thread.runtime.block_on(self.inner.rollback())
    }

    /// Leaves the decision to the checker.
    pub fn unknown(self) {
        self.inner.unknown();
    }
}

impl fmt::Debug for OpenTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
