//! When does a connection end by itself? Pings, silence, idleness, age, a page that stands still,
//! a bridge that stops.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;

use super::config::ConnectionRules;
use super::ending::{By, CloseCode, Ending};
use super::flow::Flow;
use super::metrics::Metrics;
use super::phase::{Follower, Phase};

/// Looks after one connection.
pub(super) struct Watch<'c> {
    pub(super) rules: &'c ConnectionRules,
    pub(super) flow: &'c Flow,
    pub(super) metrics: &'c Metrics,
    pub(super) phase: Follower,
    /// When the token expires, in seconds since 1970.
    pub(super) expires_at: watch::Receiver<Option<u64>>,
    pub(super) unix: &'c (dyn Fn() -> u64 + Send + Sync),
    /// What is said to the page.
    pub(super) own: mpsc::Sender<Message>,
    pub(super) born: Instant,
    /// Where within a drain this connection's turn is, from 0 to 1.
    pub(super) turn: f64,
}

/// A counter, and since when it stands still. It is looked at now and then, so "since" is late by
/// up to one look.
struct Stand {
    seen: u64,
    since: Instant,
}

impl Stand {
    fn look(&mut self, value: u64, now: Instant) -> Duration {
        if value != self.seen {
            *self = Self { seen: value, since: now };
        }
        now - self.since
    }
}

impl Watch<'_> {
    /// Ends when the connection must.
    pub(super) async fn run(&mut self) -> Ending {
        let stand = || Stand { seen: 0, since: self.born };
        let (mut heard, mut taken, mut data) = (stand(), stand(), stand());
        let (mut pinged, mut last) = (self.born, self.born);
        // Looks are so close that what is late by one of them is late by little.
        let step = self.rules.ping.min(self.rules.stall).min(self.rules.idle) / 4;
        let step = step.max(STEP_MIN);
        let mut turn = None;
        loop {
            let next = turn.map_or(last + step, |turn: Instant| turn.min(last + step));
            tokio::select! {
                biased;
                () = self.phase.changed() => {}
                () = sleep_until(next) => {}
            }
            let now = Instant::now();
            let phase = self.phase.see();
            match phase {
                Phase::Serving => {}
                Phase::Stopping => return self.stopping("the bridge stops now"),
                Phase::Draining { from, spread } => turn = Some(from + spread.mul_f64(self.turn)),
            }
            if turn.is_some_and(|turn| turn <= now) {
                self.fall_silent().await;
                return self.stopping("draining");
            }
            let standing = taken.look(self.flow.taken.load(Relaxed), now);
            if self.flow.sending.load(Relaxed) {
                self.metrics.stalled(true, now - last.max(taken.since));
                if standing >= self.rules.stall {
                    return Ending::limit("the page takes nothing", 1_000);
                }
            }
            last = now;
            if data.look(self.flow.data(), now) >= self.rules.idle {
                return Ending::new(By::Bridge, CloseCode::IDLE, "no data for too long");
            }
            if let Some(ending) = self.too_old(now) {
                self.fall_silent().await;
                return ending;
            }
            let silent = heard.look(self.flow.heard.load(Relaxed), now);
            if !self.flow.listening.load(Relaxed) {
                // Nobody read what the page may have said.
                heard.since = now;
            } else if silent >= self.rules.silence {
                return Ending::new(By::Bridge, CloseCode::ABNORMAL, "the page is silent");
            } else if silent >= self.rules.ping && now - pinged >= self.rules.ping {
                pinged = now;
                let micros = (now - self.born).as_micros() as u64;
                // If there is no room, something is being said anyway.
                let ping = Message::Ping(Bytes::copy_from_slice(&micros.to_be_bytes()));
                if self.own.try_send(ping).is_ok() {
                    self.flow.ping_out.store(micros, Relaxed);
                }
            }
        }
    }

    fn stopping(&self, why: &'static str) -> Ending {
        Ending::new(By::Bridge, CloseCode::DRAINING, why)
    }

    fn too_old(&self, now: Instant) -> Option<Ending> {
        if now - self.born >= self.rules.lifetime {
            return Some(Ending::new(By::Bridge, CloseCode::LIFETIME, "too old; come again"));
        }
        let expires_at = (*self.expires_at.borrow())?;
        let over = (self.unix)().checked_sub(expires_at)?;
        (over >= self.rules.token_grace.as_secs())
            .then(|| Ending::new(By::Bridge, CloseCode::TOKEN, "the token has expired"))
    }

    /// Asks the page to send nothing more, and waits until no answer is on its way, as far as one
    /// can tell, or for [`QUIET_WAIT`].
    async fn fall_silent(&self) {
        let draining = Message::text(r#"{"v":1,"draining":true}"#);
        let _full = self.own.try_send(draining);
        let end = Instant::now() + QUIET_WAIT;
        let mut data = Stand { seen: self.flow.data(), since: Instant::now() };
        while Instant::now() < end {
            sleep_until(Instant::now() + QUIET / 4).await;
            if data.look(self.flow.data(), Instant::now()) >= QUIET {
                return;
            }
        }
    }
}

/// Whatever the rules say: looks follow each other no faster.
const STEP_MIN: Duration = Duration::from_millis(10);
/// Without data for so long, a connection has nothing under way.
const QUIET: Duration = Duration::from_millis(200);
/// A page that goes on sending is not waited for longer.
const QUIET_WAIT: Duration = Duration::from_secs(2);
