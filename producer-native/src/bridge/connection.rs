//! What becomes of a request that may connect?

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use producer_core::Address;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::ending::Ending;
use super::filter::{Filter, TargetKind};
use super::flow::{Counted, Flow};
use super::grants::Grants;
use super::inbox::Inbox;
use super::limits::{Ip, Over};
use super::page::{self, PageIn, PageOut};
use super::policy::Target;
use super::proxy_v2;
use super::relay::{self, Relay};
use super::shared::{Admitted, Shared};
use super::signing::Holder;
use crate::transport::Stream;

/// A request that was answered by 101.
pub(super) struct Connection {
    pub(super) target: Target,
    pub(super) addresses: Vec<Address>,
    pub(super) grants: Grants,
    pub(super) origin: Option<String>,
    pub(super) client: SocketAddr,
    pub(super) listener: SocketAddr,
    /// Its place among those there may be, or the limit that it is told of, with its place among
    /// those who are told.
    pub(super) place: Result<Admitted, (Over, OwnedSemaphorePermit)>,
}

impl Connection {
    /// Serves it to its end.
    pub(super) async fn serve<S>(self, shared: Arc<Shared>, stream: S, read: Vec<u8>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let id = shared.next_connection();
        let born = Instant::now();
        shared.metrics.opened();
        let flow = Arc::new(Flow::default());
        let traceparent = watch::Sender::new(None);
        let told = traceparent.subscribe();
        let rules = &shared.config.rules;
        let bytes_max = if self.place.is_ok() { rules.message_bytes_max } else { TOLD_BYTES_MAX };
        let stream = Counted::new(stream, flow.clone(), Inbox::new(&read, bytes_max));
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
            .max_message_size(Some(bytes_max))
            .max_frame_size(Some(bytes_max));
        let page = page::open(stream, config).await;
        let ending = self.carry(&shared, page, &flow, traceparent, turn(shared.seed, id)).await;
        shared.metrics.closed(ending.code, ending.by);
        let line = json!({
            "event": "connection-end",
            "id": id,
            "ip": self.client.ip().to_string(),
            "origin": self.origin,
            "target": self.target.to_string(),
            "sub": self.grants.subject,
            "bytesUp": flow.up_bytes.load(Relaxed),
            "bytesDown": flow.down_bytes.load(Relaxed),
            "framesUp": flow.up_frames.load(Relaxed),
            "framesDown": flow.down_frames.load(Relaxed),
            "secs": born.elapsed().as_secs_f64(),
            "close": ending.code.0,
            "by": ending.by.name(),
            "reason": ending.reason,
            "traceparent": *told.borrow(),
        });
        (shared.log)(&line.to_string());
    }

    /// Tells a broker who comes, if it is to be told.
    async fn introduce(
        &self,
        shared: &Shared,
        mut broker: Box<dyn Stream>,
    ) -> Result<Box<dyn Stream>, Ending> {
        if shared.config.proxy_protocol && self.target != Target::NameServer {
            let header = proxy_v2::header(self.client, self.listener);
            let written = broker.write_all(&header).await;
            written.map_err(|error| super::down::end_of_broker(&error))?;
        }
        Ok(broker)
    }

    async fn carry<S>(
        &self,
        shared: &Shared,
        mut page: (PageIn<S>, PageOut<S>),
        flow: &Flow,
        traceparent: watch::Sender<Option<String>>,
        turn: f64,
    ) -> Ending
    where
        S: AsyncRead + AsyncWrite + Send + Unpin,
    {
        let rules = &shared.config.rules;
        let dialled = match &self.place {
            Ok(_) => shared.dial(&self.target, &self.addresses).await,
            Err((over, _)) => Err(shared.over(*over)),
        };
        let dialled = match dialled {
            Ok(broker) => self.introduce(shared, broker).await,
            Err(ending) => Err(ending),
        };
        let broker = match dialled {
            Ok(broker) => broker,
            Err(ending) => {
                // Whoever has no place is not waited for.
                let patience = if self.place.is_ok() { rules.finish } else { TELLING };
                let _gone = timeout(patience.min(rules.finish), refuse(&mut page, &ending)).await;
                return ending;
            }
        };
        let hello = json!({
            "v": 1,
            "hello": self.target.to_string(),
            "maxFrame": shared.config.filter.frame_bytes_max + LENGTH_BYTES,
            "pingMs": rules.ping.as_millis() as u64,
            "expiresInMs": self.grants.expires_in_ms((shared.unix)()),
        });
        if let Err(error) = page.1.send(Message::text(hello.to_string())).await {
            return super::up::end_of_page(&error);
        }
        let kind = match self.target {
            Target::NameServer => TargetKind::NameServer,
            Target::Address(_) | Target::Name(..) => TargetKind::Broker,
        };
        let grants = Arc::new(self.grants.clone());
        let relay = Relay {
            rules,
            metrics: &shared.metrics,
            flow,
            filter: Filter::new(kind, shared.config.filter, grants),
            // Name servers look at no signature (spec §10.1).
            signer: shared.signer.clone().filter(|_| kind == TargetKind::Broker),
            shares: [holder(&self.grants, self.client), Holder::Target(self.target.to_string())],
            tokens: shared.tokens.clone(),
            subject: self.grants.subject.clone(),
            expires_at: self.grants.expires_at,
            unix: shared.unix.clone(),
            phase: shared.phase.follow(),
            traceparent,
            turn,
        };
        relay.run(page, broker).await
    }
}

/// Tells the page why, and waits for it to understand.
async fn refuse<S>((page_in, page_out): &mut (PageIn<S>, PageOut<S>), ending: &Ending)
where
    S: AsyncRead + AsyncWrite + Send + Unpin,
{
    relay::tell(page_out, ending).await;
    while let Some(Ok(_)) = page_in.next().await {}
}

/// Whose shares a connection uses: a subject's, or those of an address.
fn holder(grants: &Grants, client: SocketAddr) -> Holder {
    match grants.subject.is_empty() {
        true => Holder::Ip(Ip::of(client.ip())),
        false => Holder::Subject(grants.subject.clone()),
    }
}

/// A number from 0 to 1 that looks like chance (splitmix64).
fn turn(seed: u64, id: u64) -> f64 {
    let mut mixed = seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64
}

/// How long somebody who has no place may take to hear why.
const TELLING: Duration = Duration::from_secs(1);
/// What is read of somebody who has no place.
const TOLD_BYTES_MAX: usize = 1024;
/// tungstenite allocates it at once for each connection, and has no need of more: what it gets was
/// read before, into the inbox.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// More than one message from a broker: each is flushed before the next is taken.
const WRITE_BUFFER_BYTES_MAX: usize = 512 * 1024;
/// What stands before a frame, and is not counted by it.
const LENGTH_BYTES: usize = 4;
