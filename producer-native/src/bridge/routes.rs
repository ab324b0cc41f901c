//! Asking the name servers which brokers there are, again and again.

use std::net::IpAddr;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::{Instant, sleep_until, timeout};

use super::discovery::{AskError, Learned, ask};
use super::shared::Shared;

/// Asks all name servers every [`EVERY`], and once more when a page asks for what is in no route.
/// Never ends.
pub(super) async fn watch(shared: &Shared) {
    if shared.config.name_servers.is_empty() {
        return std::future::pending().await;
    }
    loop {
        let started = Instant::now();
        let answered = ask_all(shared).await;
        note(shared);
        let pause = if answered { EVERY } else { AGAIN };
        tokio::select! {
            biased;
            () = sleep_until(started + pause) => {}
            () = async {
                sleep_until(started + BETWEEN).await;
                shared.missed.notified().await;
            } => {}
        }
    }
}

/// Whether any answered.
async fn ask_all(shared: &Shared) -> bool {
    let mut answered = false;
    for name_server in &shared.config.name_servers {
        let deadline = Instant::now() + shared.config.rules.dial;
        let asked = ask(&*shared.transport, name_server, deadline).await;
        let dead = matches!(asked, Err(AskError::Connection(_) | AskError::Silent));
        shared.note_name_server(name_server, !dead);
        match asked {
            Ok(brokers) => {
                answered = true;
                let learned = shared.lock_discovery().learn(Instant::now(), &brokers);
                take(shared, learned).await;
            }
            Err(error) => tracing::warn!(%name_server, %error, "no brokers learnt"),
        }
    }
    answered
}

async fn take(shared: &Shared, learned: Learned) {
    for (address, why) in learned.rejected {
        tracing::warn!(address, %why, "a name server names a broker that is not permitted");
    }
    for (name, port) in learned.names {
        let found = timeout(shared.config.rules.dial, lookup_host((name.as_str(), port))).await;
        let ips: Vec<IpAddr> = match found {
            Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
            _ => Vec::new(),
        };
        let found = shared.lock_discovery().found(Instant::now(), &name, port, &ips);
        if let Err(why) = found {
            tracing::warn!(name, %why, "a listed broker has no permitted address");
        }
    }
}

/// For the metrics.
fn note(shared: &Shared) {
    let now = Instant::now();
    let discovery = shared.lock_discovery();
    let answered = discovery.answered();
    shared.metrics.routes(discovery.entries(now), discovery.rejections(), answered);
}

/// How often name servers are asked.
const EVERY: Duration = Duration::from_secs(30);
/// How soon if none answered.
const AGAIN: Duration = Duration::from_secs(5);
/// How soon at the earliest, whatever pages ask for.
const BETWEEN: Duration = Duration::from_secs(1);
