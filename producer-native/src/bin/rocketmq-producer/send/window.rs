//! Keeps so many messages in hand, and reports them in the order in which they were read.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use producer_native::{
    Batch, ErrorKind, InvalidMessage, Message, MessageId, Producer, Receipt, SendError,
};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};

use super::arguments::Template;
use super::report::{End, Report};
use super::source::{Body, Source};
use crate::exit::Failure;

/// How much at a time, how much a second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) in_hand: usize,
    /// Messages in one request.
    pub(super) batch: usize,
    pub(super) per_second: Option<u32>,
}

/// Messages in hand.
pub(super) struct Window {
    producer: Producer,
    template: Template,
    limits: Limits,
    pub(super) report: Report,
    in_hand: VecDeque<InHand>,
    /// What the next batch is made of.
    gathered: Vec<Message>,
    /// When the next message may begin.
    due: Instant,
}

/// A message that was begun and not yet reported.
enum InHand {
    Ended(End),
    UnderWay(JoinHandle<End>),
    /// A batch: an end for each message.
    Together(JoinHandle<Vec<End>>),
}

/// A send with the time it takes.
type Sending<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// What was awaited first.
enum Event {
    Interrupted,
    Ended(End),
    Read(io::Result<Option<Body>>),
}

impl Window {
    pub(super) fn new(
        producer: Producer,
        template: Template,
        limits: Limits,
        report: Report,
    ) -> Self {
        let (in_hand, gathered) = (VecDeque::new(), Vec::new());
        Self { producer, template, limits, report, in_hand, gathered, due: Instant::now() }
    }

    /// Sends everything, until the source ends or Ctrl-C. Whether it was the latter.
    pub(super) async fn run(&mut self, mut source: Source) -> Result<bool, Failure> {
        let mut interrupts = Interrupts::new()?;
        let mut reading = true;
        let mut interrupted = false;
        while reading || !self.in_hand.is_empty() {
            let wants_more = reading && self.in_hand.len() < self.limits.in_hand;
            let due = self.due;
            let read = async {
                sleep_until(due).await;
                source.next().await
            };
            let event = tokio::select! {
                biased;
                () = interrupts.next() => Event::Interrupted,
                end = first_end(&mut self.in_hand) => Event::Ended(end),
                read = read, if wants_more => Event::Read(read),
            };
            match event {
                Event::Interrupted if interrupted => {
                    // The second time there is no patience left: what is in hand ends as it is.
                    self.producer.close(Duration::ZERO).await;
                }
                Event::Interrupted => {
                    interrupted = true;
                    reading = false;
                    self.begin_batch().await;
                }
                Event::Ended(end) => {
                    self.in_hand.pop_front();
                    self.report.add(&end)?;
                }
                Event::Read(Ok(Some(body))) => self.begin(body).await,
                Event::Read(Ok(None)) => {
                    reading = false;
                    self.begin_batch().await;
                }
                Event::Read(Err(error)) => {
                    let failure = Failure::new(format!("cannot read standard input: {error}"));
                    failure.report();
                    self.report.spoil();
                    reading = false;
                    self.begin_batch().await;
                }
            }
            if !self.in_hand.front().is_some_and(InHand::has_ended) {
                self.report.flush()?;
            }
        }
        Ok(interrupted)
    }

    /// Begins to send, in the order of the calls.
    async fn begin(&mut self, body: Body) {
        if let Some(per_second) = self.limits.per_second {
            let pause = Duration::from_secs(1) / per_second;
            // Time lost is caught up with, up to a tenth of a second.
            let earliest = Instant::now().checked_sub(CATCH_UP).unwrap_or(self.due);
            self.due = self.due.max(earliest) + pause;
        }
        let message = match self.message(body) {
            Ok(message) => message,
            Err(refused) => {
                // What was read before it is told before it.
                self.begin_batch().await;
                return self.in_hand.push_back(InHand::Ended(*refused));
            }
        };
        if self.limits.batch > 1 {
            self.gathered.push(message);
            if self.gathered.len() == self.limits.batch {
                self.begin_batch().await;
            }
            return;
        }
        let (producer, options) = (self.producer.clone(), self.template.options());
        let started = Instant::now();
        let mut sending: Sending<End> = if self.template.one_way {
            Box::pin(async move {
                let ended = producer.send_oneway_with(message, options).await;
                End::OneWay(ended, started.elapsed())
            })
        } else {
            Box::pin(async move {
                let ended = producer.send_with(message, options).await;
                End::Sent(ended, started.elapsed())
            })
        };
        self.in_hand.push_back(match begun(&mut sending).await {
            Poll::Ready(end) => InHand::Ended(end),
            Poll::Pending => InHand::UnderWay(tokio::spawn(sending)),
        });
    }
}

impl Window {
    /// The message with this body, or why there is none.
    fn message(&self, body: Body) -> Result<Message, Box<End>> {
        let body = match body {
            Body::Good(body) => body,
            Body::TooLong { bytes } => {
                let bytes_max = self.template.message_bytes_max;
                let kind = ErrorKind::MessageTooLarge { bytes, bytes_max };
                let (code, problem) = (kind.code(), kind.to_string());
                return Err(Box::new(End::Refused { code, problem }));
            }
        };
        let refused = |problem: InvalidMessage| {
            let problem = problem.to_string();
            Box::new(End::Refused { code: "invalid_message", problem })
        };
        self.template.message(body).map_err(refused)
    }

    /// Sends what was gathered, in as many requests as its length needs.
    async fn begin_batch(&mut self) {
        let gathered = std::mem::take(&mut self.gathered);
        if gathered.is_empty() {
            return;
        }
        let count = gathered.len();
        let batches = match Batch::split(gathered, self.template.message_bytes_max) {
            Ok(batches) => batches,
            Err(problem) => {
                let (code, problem) = ("invalid_batch", problem.to_string());
                let refused = vec![End::Refused { code, problem }; count];
                return self.in_hand.extend(refused.into_iter().map(InHand::Ended));
            }
        };
        for batch in batches {
            let (producer, options) = (self.producer.clone(), self.template.options());
            let (started, count) = (Instant::now(), batch.len());
            let mut sending: Sending<Vec<End>> = Box::pin(async move {
                let ended = producer.send_batch_with(batch, options).await;
                let elapsed = started.elapsed();
                match ended {
                    Ok(receipts) => {
                        let end = |receipt| End::Sent(Ok(receipt), elapsed);
                        receipts.into_iter().map(end).collect()
                    }
                    Err(error) => vec![End::Sent(Err(error), elapsed); count],
                }
            });
            match begun(&mut sending).await {
                Poll::Ready(ends) => self.in_hand.extend(ends.into_iter().map(InHand::Ended)),
                Poll::Pending => {
                    self.in_hand.push_back(InHand::Together(tokio::spawn(sending)));
                }
            }
        }
    }
}

/// Begins a send, which is when it is first polled: here, for tasks start in any order.
async fn begun<R>(sending: &mut Sending<R>) -> Poll<R> {
    poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx))).await
}

impl InHand {
    fn has_ended(&self) -> bool {
        match self {
            Self::Ended(_) => true,
            Self::UnderWay(task) => task.is_finished(),
            Self::Together(task) => task.is_finished(),
        }
    }
}

/// How the first message in hand ended; never, if there is none. It stays in hand.
async fn first_end(in_hand: &mut VecDeque<InHand>) -> End {
    loop {
        let ends = match in_hand.front_mut() {
            None => return std::future::pending().await,
            Some(InHand::Ended(end)) => return end.clone(),
            Some(InHand::UnderWay(task)) => return unless_panicked(task.await),
            Some(InHand::Together(task)) => unless_panicked(task.await),
        };
        in_hand.pop_front();
        for end in ends.into_iter().rev() {
            in_hand.push_front(InHand::Ended(end));
        }
    }
}

/// What a task came to; its panic is ours.
fn unless_panicked<T>(ended: Result<T, JoinError>) -> T {
    ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Ctrl-C, and what else asks a process to end.
struct Interrupts {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    #[cfg(unix)]
    fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| Failure::new(format!("cannot listen for Ctrl-C: {error}"));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}

/// How a send ended.
pub(super) type Sent = Result<Receipt, SendError>;
/// How a send that is not answered ended.
pub(super) type HandedOver = Result<MessageId, SendError>;

const CATCH_UP: Duration = Duration::from_millis(100);
