//! A message that is seen only if something else succeeds.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use producer_core::{Decision, HalfMessage, Message, Receipt, SendError, SendOptions};
use tokio::time::{Instant, sleep};

use crate::checks::{Verdict, contained};
use crate::door::{Effects, Shared};
use crate::producer::Producer;

/// What becomes of a transaction whose guard is dropped before it was ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenDropped {
    /// The message is never seen. Right when nothing else was done before `commit`.
    #[default]
    RollBack,
    /// The broker asks the [checker](crate::Builder::transaction_checker). Right when what the
    /// message depends on may have been done already.
    LeaveUnknown,
}

/// The broker that holds the half message could not be told how its transaction has ended. It will
/// ask the [checker](crate::Builder::transaction_checker) of some process of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotTold {
    /// What was to be told.
    pub decision: Decision,
    /// Name of the broker.
    pub broker: Arc<str>,
    /// Id of the transaction.
    pub id: String,
}

impl fmt::Display for NotTold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decision, broker, id } = self;
        write!(f, "{decision:?} of transaction {id} could not be told to broker {broker}: it asks")
    }
}

impl std::error::Error for NotTold {}

/// How [`Producer::send_in_transaction`] ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TransactionEnd {
    /// The receipt of the half message.
    pub receipt: Receipt,
    /// What was decided.
    pub decision: Decision,
    /// Why nothing was decided, if the local transaction failed or panicked.
    pub problem: Option<String>,
    /// Whether the broker was told. If not, it asks the
    /// [checker](crate::Builder::transaction_checker).
    pub told: bool,
}

/// A transaction that waits for its end: a half message is stored, and nobody sees it.
///
/// Dropped, it is rolled back, or left to the checker
/// ([`Builder::when_dropped`](crate::Builder::when_dropped)); that never blocks. It keeps no
/// producer alive: after the last handle is gone the broker is not told any more, and asks.
#[must_use = "a transaction that is dropped is not committed"]
pub struct OpenTransaction {
    shared: Arc<Shared>,
    half: Box<HalfMessage>,
    /// What the guard does when it is dropped; `None` once the broker was told.
    at_drop: Option<Decision>,
}

/// Pause before a broker that could not be reached is tried again.
const AGAIN: Duration = Duration::from_millis(50);

impl Producer {
    /// Stores a message that nobody sees before it is [committed](OpenTransaction::commit).
    ///
    /// ```no_run
    /// # use producer_native::{Message, Producer};
    /// # struct Db;
    /// # impl Db { async fn pay(&self) -> Result<(), std::io::Error> { Ok(()) } }
    /// # async fn run(producer: Producer, db: Db) -> Result<(), Box<dyn std::error::Error>> {
    /// let paid = producer.begin(Message::new("orders", "paid")?).await?;
    /// db.pay().await?; // an error drops the guard, and the message is never seen
    /// paid.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// **Cancel**: as [`send`](Self::send); a half message that is stored all the same is asked
    /// about by the broker.
    ///
    /// # Errors
    /// As [`send`](Self::send). An unknown outcome means that a broker may ask.
    /// [`BelowRequired`](crate::ErrorKind::BelowRequired): it was stored less well than the broker
    /// is configured to, and rolled back. [`NotForTransactions`]: it has a delay.
    ///
    /// [`NotForTransactions`]: crate::ErrorKind::NotForTransactions
    pub async fn begin(&self, message: Message) -> Result<OpenTransaction, SendError> {
        self.begin_with(message, SendOptions::default()).await
    }

    /// [`begin`](Self::begin) with options.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn begin_with(
        &self,
        message: Message,
        options: SendOptions,
    ) -> Result<OpenTransaction, SendError> {
        let half = self.send_half(message, options).await?;
        let at_drop = Some(match self.shared().when_dropped {
            WhenDropped::RollBack => Decision::Rollback,
            WhenDropped::LeaveUnknown => Decision::Unknown,
        });
        Ok(OpenTransaction { shared: self.shared().clone(), half, at_drop })
    }

    /// Stores a message that nobody sees, runs the local transaction, and ends the message's
    /// transaction as that decides: `TransactionMQProducer.sendMessageInTransaction`. If the local
    /// transaction fails or panics, nothing is decided: the broker asks the
    /// [checker](crate::Builder::transaction_checker), and finds the error's text in its log.
    ///
    /// ```no_run
    /// # use producer_native::{Decision, HalfMessage, Message, Producer};
    /// # async fn pay(id: &str) -> Result<bool, std::io::Error> { Ok(true) }
    /// # async fn run(producer: Producer) -> Result<(), Box<dyn std::error::Error>> {
    /// let message = Message::new("orders", "paid")?;
    /// let end = producer.send_in_transaction(message, |half: HalfMessage| async move {
    ///     pay(&half.transaction.id).await.map(|paid| match paid {
    ///         true => Decision::Commit,
    ///         false => Decision::Rollback,
    ///     })
    /// });
    /// assert_eq!(end.await?.decision, Decision::Commit);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// **Cancel**: before the half message is stored as [`begin`](Self::begin); after that the
    /// local transaction is dropped where it waits, and the broker asks how it has ended.
    ///
    /// # Errors
    /// As [`begin`](Self::begin); the local transaction was not run then.
    pub async fn send_in_transaction<F, Fut>(
        &self,
        message: Message,
        local: F,
    ) -> Result<TransactionEnd, SendError>
    where
        F: FnOnce(HalfMessage) -> Fut,
        Fut: Future<Output: Verdict>,
    {
        let mut open = self.begin(message).await?;
        let half = open.hand_over();
        let ended = contained(async { local(half).await.verdict() }).await;
        Ok(open.end_as(ended).await)
    }
}

impl OpenTransaction {
    /// The half message: its receipt, and what a broker needs to know to end it.
    pub fn half(&self) -> &HalfMessage {
        &self.half
    }

    /// Lets consumers see the message. `Ok`: a connection to the broker has taken that, which does
    /// not answer; should it get lost, the broker asks the
    /// [checker](crate::Builder::transaction_checker). It takes no time unless the broker cannot be
    /// reached; then it is tried for as long as a send may take.
    ///
    /// **Cancel**: it is told once more, without waiting.
    ///
    /// # Errors
    /// [`NotTold`]: the message is not seen unless a checker says so.
    pub async fn commit(mut self) -> Result<Receipt, NotTold> {
        self.end(Decision::Commit, None).await?;
        Ok(self.half.receipt.clone())
    }

    /// Sees to it that nobody sees the message. Everything else is as with
    /// [`commit`](Self::commit).
    ///
    /// # Errors
    /// [`NotTold`]: the message is not seen unless a checker says so.
    pub async fn rollback(mut self) -> Result<(), NotTold> {
        self.end(Decision::Rollback, None).await
    }

    /// Leaves the decision to the [checker](crate::Builder::transaction_checker).
    pub fn unknown(mut self) {
        self.at_drop = Some(Decision::Unknown);
    }

    /// The half message for a local transaction. Nobody knows how far that came if the guard is
    /// dropped from here on.
    pub(crate) fn hand_over(&mut self) -> HalfMessage {
        self.at_drop = Some(Decision::Unknown);
        (*self.half).clone()
    }

    /// Ends as the local transaction has; the outer error is a panic's text.
    pub(crate) async fn end_as(
        mut self,
        ended: Result<Result<Decision, String>, String>,
    ) -> TransactionEnd {
        let (decision, problem) = match ended {
            Ok(Ok(decision)) => (decision, None),
            Ok(Err(error)) => (Decision::Unknown, Some(error)),
            Err(panic) => (Decision::Unknown, Some(format!("it panicked: {panic}"))),
        };
        if let Some(problem) = &problem {
            self.shared.log.local_transaction_failed(problem);
        }
        let told = self.end(decision, problem.as_deref()).await.is_ok();
        TransactionEnd { receipt: self.half.receipt.clone(), decision, problem, told }
    }

    async fn end(&mut self, decision: Decision, remark: Option<&str>) -> Result<(), NotTold> {
        self.at_drop = Some(decision);
        let until = Instant::now() + self.shared.query_timeout;
        loop {
            let (told, closed) = self.shared.enter(|state, now| {
                let half = &self.half.transaction;
                let told = state.end_transaction(now, half, decision, remark);
                (told, state.closed.is_some())
            });
            if told {
                self.at_drop = None;
                return Ok(());
            }
            if closed || Instant::now() + AGAIN > until {
                self.at_drop = None;
                let transaction = &self.half.transaction;
                let (broker, id) = (transaction.broker.clone(), transaction.id.clone());
                return Err(NotTold { decision, broker, id });
            }
            sleep(AGAIN).await;
        }
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        let Some(decision) = self.at_drop else { return };
        // False: the broker cannot be reached now, and asks.
        let _told = self.shared.enter_if_sound(&mut Effects::default(), |state, now| {
            state.end_transaction(now, &self.half.transaction, decision, None)
        });
    }
}

impl fmt::Debug for OpenTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transaction = &self.half.transaction;
        f.debug_struct("OpenTransaction")
            .field("id", &transaction.id)
            .field("broker", &transaction.broker)
            .finish_non_exhaustive()
    }
}
