//! What else can be exchanged with brokers: half messages, requests and replies, questions.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use producer_core::{
    Answer, HalfMessage, Instant, Message, Receipt, Reply, ReplyMessage, Request, RequestId,
    SendError, SendId, SendOptions,
};

use crate::compression::unpack_theirs;
use crate::door::{Effects, Shared, State};
use crate::hooks::{Call, SendKind};
use crate::producer::Producer;
use crate::slots::{Ended, Slot};
use crate::wait::poll_slot;

impl Producer {
    /// Sends the message of a transaction, which nobody sees before it is committed.
    ///
    /// **Cancel**: as [`send`](Self::send); a half message that is stored all the same is rolled
    /// back or asked about by the broker.
    ///
    /// # Errors
    /// As [`send`](Self::send). An unknown outcome means that a broker may ask.
    pub async fn send_half(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Result<Box<HalfMessage>, SendError> {
        let options = self.prepared(options, Reply::Awaited);
        let (message, call) = self.shared().hooked(SendKind::Half, options.group, message)?;
        let begin = |state: &mut State, now, slot| {
            Name::Send(state.core.send_half(now, slot, message, options))
        };
        match Exchange::hooked(self.shared(), call, begin).await_end().await {
            Ended::Prepared(result) => result,
            _ => unreachable!("the core answers a half message as one"),
        }
    }

    /// Sends a message and waits until whoever consumes it has answered. The timeout of `options`
    /// covers both; by default it is the send timeout, 3 s. The queue of `options` is that of the
    /// message; [`SendOptions::reply`] is ignored.
    ///
    /// The answer comes by the broker that its sender chose, so this producer stays connected to all
    /// brokers of its topics from the first request on, and is found again within about a second
    /// when a connection is lost. A reply that comes in that second, or after the timeout, is lost:
    /// [`Stats::late_replies`](crate::Stats::late_replies) counts those that arrive. At most 65,536
    /// requests wait at a time.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use producer_native::{ErrorKind, Message, Producer, QueueChoice, SendOptions};
    /// # async fn run(producer: Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let options = SendOptions::default()
    ///     .timeout(Duration::from_secs(5))
    ///     .queue(QueueChoice::hash("customer-7"));
    /// match producer.request(Message::new("prices", "milk")?, options).await {
    ///     Ok(reply) => println!("{} says {:?}", reply.born_host, reply.body),
    ///     Err(error) if *error.kind() == ErrorKind::NoReply => println!("asked, not answered"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// **Cancel**: the message as with [`send`](Self::send); its reply is counted as late.
    /// **Close**: [`close`](Self::close) waits for replies until its deadline.
    ///
    /// # Errors
    /// As [`send`](Self::send); [`NoReply`](crate::ErrorKind::NoReply) when the message is stored and
    /// no reply came in time: it may have been, or may yet be, acted upon.
    pub async fn request(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Result<ReplyMessage, SendError> {
        let options = self.prepared(options, Reply::Awaited);
        let (message, call) = self.shared().hooked(SendKind::Request, options.group, message)?;
        let begin = |state: &mut State, now, slot| {
            Name::Request(state.core.request(now, slot, message, options))
        };
        match Exchange::hooked(self.shared(), call, begin).await_end().await {
            Ended::Replied(result) => result.map(|mut reply| {
                unpack_theirs(&mut reply.sys_flag, &mut reply.body);
                reply
            }),
            _ => unreachable!("the core answers a request with a reply"),
        }
    }

    /// Answers a request that this process has consumed; [`Message::reply_to`] makes the message.
    /// The broker hands it to the requester and waits for that, so this may take longer than a send.
    ///
    /// ```no_run
    /// # use std::collections::HashMap;
    /// # use producer_native::{Message, Producer};
    /// # async fn run(producer: Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// # let consumed: HashMap<String, String> = HashMap::new();
    /// let property = |name: &str| consumed.get(name).map(String::as_str);
    /// producer.reply(Message::reply_to(property, "two euros")?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// **Cancel**: as [`send`](Self::send).
    ///
    /// # Errors
    /// As [`send`](Self::send). A requester that is not connected to a broker is sought at the
    /// others; code 1 of the last one says that it is nowhere.
    pub async fn reply(&self, message: Message) -> Result<Receipt, SendError> {
        self.reply_with(message, SendOptions::default()).await
    }

    /// [`reply`](Self::reply) with options.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub async fn reply_with(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Result<Receipt, SendError> {
        let options = self.prepared(options, Reply::Awaited);
        let (message, call) = self.shared().hooked(SendKind::Reply, options.group, message)?;
        let begin = |state: &mut State, now, slot| {
            Name::Send(state.core.reply(now, slot, message, options))
        };
        match Exchange::hooked(self.shared(), call, begin).await_end().await {
            Ended::Sent(result) => result,
            _ => unreachable!("the core answers a reply as a send"),
        }
    }

    /// Asks a broker or name server anything, and gives the answer whatever its code.
    ///
    /// **Cancel**: the question has been asked; its answer is dropped.
    ///
    /// # Errors
    /// [`SendError`] when there is no answer within `timeout`.
    pub async fn ask(&self, request: Request, timeout: Duration) -> Result<Answer, SendError> {
        let slot = self.shared().enter(|state, now| {
            let slot = state.slots.insert(0, None);
            state.core.ask(now, slot, request, timeout);
            slot
        });
        match self.wait(slot).await {
            Ended::Answered(result) => result,
            _ => unreachable!("the core answers a question with an answer"),
        }
    }
}

/// By what name the core knows it.
#[derive(Clone, Copy)]
pub(crate) enum Name {
    Send(SendId),
    Request(RequestId),
}

/// Something under way that is cancelled when it is dropped.
pub(crate) struct Exchange<'a> {
    shared: &'a Arc<Shared>,
    slot: Slot,
    name: Name,
    over: bool,
}

impl<'a> Exchange<'a> {
    /// Begins what hooks know of, if there are any.
    pub(crate) fn hooked(
        shared: &'a Arc<Shared>,
        call: Option<Box<Call>>,
        begin: impl FnOnce(&mut State, Instant, Slot) -> Name,
    ) -> Self {
        shared.enter(|state, now| {
            let slot = state.begin_send(None);
            state.called(slot, call);
            let name = begin(state, now, slot);
            Self { shared, slot, name, over: false }
        })
    }

    pub(crate) async fn await_end(mut self) -> Ended {
        let ended = poll_fn(|cx| poll_slot(self.shared, self.slot, cx)).await;
        self.over = true;
        ended
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (slot, name) = (self.slot, self.name);
        let leftover = self.shared.enter_if_sound(&mut Effects::default(), |state, now| {
            let given_back = match name {
                Name::Send(id) => state.core.cancel(now, id),
                Name::Request(id) => state.core.cancel_request(now, id),
            };
            match given_back {
                Some(slot) => state.send_given_back(slot),
                None => state.slots.abandon(slot),
            }
        });
        drop(leftover);
    }
}
