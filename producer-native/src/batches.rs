//! Several messages in one request.

use producer_core::{Batch, MessageId, Receipt, Reply, SendError, SendOptions};

use crate::door::State;
use crate::exchange::{Exchange, Name};
use crate::producer::Producer;
use crate::slots::Ended;

impl Producer {
    /// Sends several messages in one request, to one queue: all are stored or none. The receipts
    /// are in the order of the messages. A retry carries all of them under the same ids.
    ///
    /// A list that is too long for one request is split first:
    ///
    /// ```no_run
    /// # use producer_native::{Batch, Message, Producer};
    /// # async fn example(producer: Producer, messages: Vec<Message>)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// for batch in Batch::split(messages, 1 << 20)? {
    ///     for receipt in producer.send_batch(batch).await? {
    ///         println!("{} at {}", receipt.message_id, receipt.queue_offset);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// **Cancel**: as [`send`](Self::send), for all of them.
    ///
    /// # Errors
    /// As [`send`](Self::send); the outcome is that of every message.
    /// [`MessageTooLarge`](crate::ErrorKind::MessageTooLarge) when all together are longer than
    /// [`Config::message_bytes_max`](crate::Config::message_bytes_max), 4 MiB by default.
    pub async fn send_batch(&self, batch: Batch) -> Result<Vec<Receipt>, SendError> {
        self.send_batch_with(batch, SendOptions::default()).await
    }

    /// [`send_batch`](Self::send_batch) with options. [`SendOptions::reply`] is ignored: see
    /// [`send_batch_oneway`](Self::send_batch_oneway).
    ///
    /// # Errors
    /// As [`send_batch`](Self::send_batch).
    pub async fn send_batch_with(
        &self,
        batch: Batch,
        options: SendOptions,
    ) -> Result<Vec<Receipt>, SendError> {
        match self.batch_ended(batch, self.prepared(options, Reply::Awaited)).await {
            Ended::Batch(result) => result,
            _ => unreachable!("the core answers a batch as a batch"),
        }
    }

    /// Sends several messages in one request that no broker answers, and waits until its bytes were
    /// handed to a connection. The ids are in the order of the messages. `Ok` says nothing about
    /// whether they arrived, let alone were stored.
    ///
    /// **Cancel**: as [`send`](Self::send), for all of them.
    ///
    /// # Errors
    /// [`SendError`] when not even a connection took it within the send timeout.
    pub async fn send_batch_oneway(
        &self,
        mut batch: Batch,
        options: SendOptions,
    ) -> Result<Vec<MessageId>, SendError> {
        self.assign_ids(&mut batch);
        let ids = batch.ids().to_vec();
        match self.batch_ended(batch, self.prepared(options, Reply::OneWay)).await {
            Ended::Written(_) => Ok(ids),
            Ended::Batch(result) => result.map(|_| ids),
            _ => unreachable!("the core answers a batch as a batch"),
        }
    }

    /// Gives the messages of a batch the ids that they are sent under, unless they have theirs: for
    /// those who may send it again, so that consumers can recognise the duplicates.
    ///
    /// ```no_run
    /// # use producer_native::{Batch, Outcome, Producer, SendError};
    /// # async fn example(producer: Producer, mut batch: Batch) -> Result<(), SendError> {
    /// producer.assign_ids(&mut batch);
    /// if let Err(error) = producer.send_batch(batch.clone()).await
    ///     && error.outcome() == Outcome::Unknown
    /// {
    ///     producer.send_batch(batch).await?; // stored once or twice, under the same ids
    /// }
    /// # Ok(()) }
    /// ```
    pub fn assign_ids(&self, batch: &mut Batch) {
        self.shared().enter(|state, now| state.core.assign_ids(now, batch));
    }

    async fn batch_ended(&self, batch: Batch, options: SendOptions) -> Ended {
        let shared = self.shared();
        let hooked = match shared.hooks.is_empty() {
            true => Ok((batch, None)),
            false => shared.hooks.begin_many(&shared.group_name(options.group), batch),
        };
        let (batch, call) = match hooked {
            Ok(hooked) => hooked,
            Err(error) => return Ended::Batch(Err(error)),
        };
        let begin = |state: &mut State, now, slot| {
            Name::Send(state.core.send_batch(now, slot, batch, options))
        };
        Exchange::hooked(shared, call, begin).await_end().await
    }
}
