//! Futures of one wait: a send, a question, the end of a close.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use producer_core::{Message, MessageId, Receipt, Reply, SendError, SendId, SendOptions};

use crate::door::{Effects, Shared};
use crate::hooks::{Call, SendKind};
use crate::slots::{Ended, Slot};

/// Waits for what the core was asked already; dropped, it lets go and the core goes on.
pub(crate) struct Wait<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) slot: Option<Slot>,
}

impl Future for Wait<'_> {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let slot = self.slot.expect(POLLED_AGAIN);
        let ended = poll_slot(self.shared, slot, cx);
        if ended.is_ready() {
            self.slot = None;
        }
        ended
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            let effects = &mut Effects::default();
            drop(self.shared.enter_if_sound(effects, |state, _| state.slots.abandon(slot)));
        }
    }
}

const POLLED_AGAIN: &str = "a future is not polled after it was ready";

#[inline]
pub(crate) fn poll_slot(shared: &Arc<Shared>, slot: Slot, cx: &mut Context<'_>) -> Poll<Ended> {
    let polled = shared.peek().slots.poll(slot, cx.waker());
    match polled {
        Ok(ended) => Poll::Ready(ended),
        Err(_stale) => Poll::Pending,
    }
}

/// A send under way: where its answer will be, and by what name to cancel it.
#[derive(Clone, Copy)]
pub(crate) struct UnderWay {
    pub(crate) slot: Slot,
    pub(crate) id: SendId,
}

impl UnderWay {
    #[inline]
    pub(crate) fn poll(self, shared: &Arc<Shared>, cx: &mut Context<'_>) -> Poll<Ended> {
        poll_slot(shared, self.slot, cx)
    }
}

/// Tells the core that nobody waits for these any more.
pub(crate) fn cancel(shared: &Arc<Shared>, sends: &[UnderWay]) {
    let cancel_all = shared.enter_if_sound(&mut Effects::default(), |state, now| {
        let mut leftovers = Vec::new();
        for send in sends {
            let leftover = match state.core.cancel(now, send.id) {
                Some(slot) => state.send_given_back(slot),
                None => state.slots.abandon(send.slot),
            };
            if !matches!(leftover, (None, None)) {
                leftovers.push(leftover);
            }
        }
        leftovers
    });
    drop(cancel_all);
}

/// One send from the first poll to its end. Nothing happens before the first poll.
struct Send<'a> {
    shared: &'a Arc<Shared>,
    stage: Stage,
}

enum Stage {
    Begin(Message, SendOptions),
    UnderWay(UnderWay),
    Over,
}

impl Send<'_> {
    #[inline]
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let Stage::UnderWay(send) = self.stage else { return self.begin(cx) };
        let ended = send.poll(self.shared, cx);
        if ended.is_ready() {
            self.stage = Stage::Over;
        }
        ended
    }

    #[inline(never)]
    fn begin(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut call = None;
        if self.shared.changes_messages() {
            match self.hooked() {
                Ok(known) => call = known,
                Err(error) => return Poll::Ready(Ended::Sent(Err(error))),
            }
        }
        let Self { shared, stage } = self;
        shared.enter(|state, now| {
            // Taken here, for each time it changes hands it is copied.
            let Stage::Begin(message, options) = std::mem::replace(stage, Stage::Over) else {
                panic!("{POLLED_AGAIN}");
            };
            let slot = state.begin_send(Some(cx.waker().clone()));
            state.called(slot, call);
            let id = state.core.send(now, slot, message, options);
            *stage = Stage::UnderWay(UnderWay { slot, id });
        });
        // If it has failed already, the waker was woken.
        Poll::Pending
    }

    /// Shows the message to hooks, who may change it, and compresses it.
    #[cold]
    fn hooked(&mut self) -> Result<Option<Box<Call>>, SendError> {
        let Stage::Begin(message, options) = std::mem::replace(&mut self.stage, Stage::Over) else {
            panic!("{POLLED_AGAIN}");
        };
        let kind = match options.reply {
            Reply::OneWay => SendKind::OneWay,
            Reply::Awaited => SendKind::Message,
        };
        let (message, call) = self.shared.hooked(kind, options.group, message)?;
        self.stage = Stage::Begin(message, options);
        Ok(call)
    }
}

impl Drop for Send<'_> {
    fn drop(&mut self) {
        if let Stage::UnderWay(send) = self.stage {
            cancel(self.shared, &[send]);
        }
    }
}

/// The future of [`Producer::send`](crate::Producer::send).
#[must_use = "nothing is sent before the future is polled"]
pub struct Sending<'a>(Send<'a>);

impl<'a> Sending<'a> {
    #[inline]
    pub(crate) fn new(shared: &'a Arc<Shared>, message: Message, options: SendOptions) -> Self {
        Self(Send { shared, stage: Stage::Begin(message, options) })
    }
}

impl Future for Sending<'_> {
    type Output = Result<Receipt, SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map(receipt)
    }
}

/// The future of [`Producer::send_oneway`](crate::Producer::send_oneway).
#[must_use = "nothing is sent before the future is polled"]
pub struct SendingOneway<'a>(Send<'a>);

impl<'a> SendingOneway<'a> {
    #[inline]
    pub(crate) fn new(shared: &'a Arc<Shared>, message: Message, options: SendOptions) -> Self {
        Self(Send { shared, stage: Stage::Begin(message, options) })
    }
}

impl Future for SendingOneway<'_> {
    type Output = Result<MessageId, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(cx).map(|ended| match ended {
            Ended::Written(id) => Ok(id),
            Ended::Sent(result) => result.map(|receipt| receipt.message_id),
            _ => unreachable!("{NOT_A_SEND}"),
        })
    }
}

/// What a send that is answered ended with.
#[inline]
pub(crate) fn receipt(ended: Ended) -> Result<Receipt, SendError> {
    match ended {
        Ended::Sent(result) => result,
        _ => unreachable!("{NOT_A_SEND}"),
    }
}

const NOT_A_SEND: &str = "the core answers a send as a send";
