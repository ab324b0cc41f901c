//! How does an unchanged producer reach the hosts of the world?

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use producer_native::{Address, Connecting, ConnectionEnd, Stream, Transport};
use tokio::time::Instant;
use turmoil::net::TcpStream;

use super::chaos::ChaosStream;
use super::trace::Trace;
use super::wire::Wire;

/// What lies between producers and addresses.
#[derive(Clone, Default)]
pub(super) struct Wires(Arc<Mutex<BTreeMap<String, Known>>>);

#[derive(Default)]
struct Known {
    wire: Wire,
    dials: Vec<Duration>,
}

impl Wires {
    pub(super) fn wire(&self, address: &str) -> Wire {
        self.lock().entry(address.to_owned()).or_default().wire.clone()
    }

    /// When the address was dialled.
    pub(super) fn dials(&self, address: &str) -> Vec<Duration> {
        self.lock().get(address).map(|known| known.dials.clone()).unwrap_or_default()
    }

    /// The wire of a dial that begins, and how many there were.
    fn dial(&self, address: &str) -> (Wire, u64) {
        let mut all = self.lock();
        let dialled = all.values().map(|known| known.dials.len() as u64).sum();
        let known = all.entry(address.to_owned()).or_default();
        known.dials.push(turmoil::sim_elapsed().unwrap_or_default());
        (known.wire.clone(), dialled)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connections over the simulated network, each with a stream of dice of its own.
pub(super) struct Network {
    pub(super) wires: Wires,
    pub(super) trace: Trace,
    pub(super) seed: u64,
}

impl Transport for Network {
    fn connect(&self, address: &Address, _deadline: Instant) -> Connecting {
        let text = address.to_string();
        self.trace.note("producer", format_args!("dials {text}"));
        let (wire, number) = self.wires.dial(&text);
        let seed = self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Box::pin(async move {
            let address: SocketAddr = text
                .parse()
                .map_err(|_| ConnectionEnd::Unreachable(format!("{text} is no address here")))?;
            match TcpStream::connect(address).await {
                Ok(stream) => Ok(Box::new(ChaosStream::new(stream, wire, seed)) as Box<dyn Stream>),
                // There is no other way to fail.
                Err(_) => Err(ConnectionEnd::Refused),
            }
        })
    }
}
