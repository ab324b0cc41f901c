//! How do two loops and a watch make one connection, and what happens when it ends?

use std::future::pending;
use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::config::ConnectionRules;
use super::control::Control;
use super::down::Down;
use super::ending::{By, CloseCode, Ending};
use super::filter::Filter;
use super::flow::Flow;
use super::limits::Pace;
use super::metrics::Metrics;
use super::page::{PageIn, PageOut};
use super::phase::Follower;
use super::signing::{Holder, Signer, Signing};
use super::tokens::Tokens;
use super::up::Up;
use super::watch::Watch;

/// All that a connection is made of, besides its streams.
pub(super) struct Relay<'c> {
    pub(super) rules: &'c ConnectionRules,
    pub(super) metrics: &'c Metrics,
    pub(super) flow: &'c Flow,
    pub(super) filter: Filter,
    /// Who signs what goes to the broker.
    pub(super) signer: Option<Arc<Signer>>,
    /// Whose shares of the signer's room it uses.
    pub(super) shares: [Holder; 2],
    pub(super) tokens: Tokens,
    pub(super) subject: String,
    pub(super) expires_at: Option<u64>,
    pub(super) unix: Arc<dyn Fn() -> u64 + Send + Sync>,
    pub(super) phase: Follower,
    pub(super) traceparent: watch::Sender<Option<String>>,
    /// Where within a drain its turn is, from 0 to 1.
    pub(super) turn: f64,
}

/// What the bridge has to say at once: an answer, a ping, that it drains.
const OWN_MAX: usize = 4;

impl Relay<'_> {
    /// Carries bytes until it is over, delivers what is to be delivered, and closes both sides.
    pub(super) async fn run<P, B>(self, page: (PageIn<P>, PageOut<P>), broker: B) -> Ending
    where
        P: AsyncRead + AsyncWrite + Unpin,
        B: AsyncRead + AsyncWrite + Unpin,
    {
        let Relay { rules, metrics, flow, .. } = self;
        let (page_in, page_out) = page;
        let (broker_in, broker_out) = tokio::io::split(broker);
        let (say, own) = mpsc::channel(OWN_MAX);
        let (expires, expires_at) = watch::channel(self.expires_at);
        let born = Instant::now();
        let control = Control {
            tokens: self.tokens,
            subject: self.subject,
            unix: self.unix.clone(),
            answers: say.clone(),
            expires_at: expires,
            traceparent: self.traceparent,
            metrics,
            refreshed: None,
        };
        let pace = Pace::new(born, rules.bytes_per_second, rules.frames_per_second);
        let signing = self.signer.map(|signer| Signing::new(signer, self.shares, metrics));
        let mut up = Up {
            page: page_in,
            broker: broker_out,
            filter: self.filter,
            signing,
            control,
            pace,
            born,
            flow,
            metrics,
        };
        let frame_bytes_max = rules.answer_bytes_max;
        let mut down =
            Down { broker: broker_in, page: page_out, own, frame_bytes_max, flow, metrics };
        let mut watch = Watch {
            rules,
            flow,
            metrics,
            phase: self.phase,
            expires_at,
            unix: &*self.unix,
            own: say,
            born,
            turn: self.turn,
        };
        let ending = {
            let mut upward = std::pin::pin!(up.run());
            let (ending, up_ended) = tokio::select! {
                biased;
                ending = &mut upward => (ending, true),
                ending = down.run() => (ending, false),
                ending = watch.run() => (ending, false),
            };
            if !up_ended && (ending.lets_page_finish() || ending.by == By::Page) {
                // What the page has sent is delivered, until it says that it has understood. It is
                // told meanwhile: one that does not read must not keep us from writing.
                let told = async {
                    if ending.by != By::Page {
                        tell(&mut down.page, &ending).await;
                    }
                    pending::<()>().await;
                };
                let rest = async {
                    tokio::select! {
                        biased;
                        () = told => {}
                        _ended = &mut upward => {}
                    }
                };
                let _late = timeout(rules.finish, rest).await;
            }
            ending
        };
        close(up.page, up.broker, down.page, down.broker, &ending, rules).await;
        ending
    }
}

/// Queues the close frame, and writes it if the page takes it.
pub(super) async fn tell<P>(page: &mut PageOut<P>, ending: &Ending)
where
    P: AsyncRead + AsyncWrite + Unpin,
{
    let reason = ending.short_reason().to_owned().into();
    let frame = CloseFrame { code: ending.code.0.into(), reason };
    // It may be closed already; then there is nobody to be told.
    let _gone = page.send(Message::Close(Some(frame))).await;
}

/// Closes both sides. The broker gets a FIN behind the last byte; its answers are read and dropped
/// until it closes, for a socket with unread bytes would be reset, and what was written with it.
async fn close<P, B>(
    mut page_in: PageIn<P>,
    mut broker_out: WriteHalf<B>,
    mut page_out: PageOut<P>,
    mut broker_in: ReadHalf<B>,
    ending: &Ending,
    rules: &ConnectionRules,
) where
    P: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let until = Instant::now() + rules.finish;
    let page = async {
        if ending.code != CloseCode::ABNORMAL {
            tell(&mut page_out, ending).await;
            while let Some(Ok(_)) = page_in.next().await {}
        }
        page_in.shutdown().await;
    };
    let broker = async {
        let reset = ending.by == By::Broker && ending.code != CloseCode::BROKER_CLOSED;
        if !reset && broker_out.shutdown().await.is_ok() {
            let mut dropped = [0; 1024];
            while let Ok(1..) = broker_in.read(&mut dropped).await {}
        }
    };
    let _late = tokio::join!(timeout_at(until, page), timeout_at(until, broker));
}
