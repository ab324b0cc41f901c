//! Who signs requests, and where do their credentials come from?

mod key_file;
mod renewal;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use producer_core::{Address, ConnectionEnd, Credentials};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

pub use key_file::{KeyFileError, key_file};
pub(crate) use renewal::run;

use crate::transport::{Connecting, Transport};

/// Credentials, and for how long they are good.
#[derive(Clone, Debug)]
pub struct Lease {
    credentials: Credentials,
    renew_after: Option<Duration>,
}

impl Lease {
    /// Credentials that are asked for again after this time, at least 100 ms: well before they are
    /// refused. A broker that refuses them has them asked for again earlier, but not within 5 s.
    pub fn new(credentials: Credentials, renew_after: Duration) -> Self {
        Self { credentials, renew_after: Some(renew_after) }
    }
}

impl From<Credentials> for Lease {
    /// Credentials that stay good; they are asked for again if a broker refuses them, but not within
    /// 5 s.
    fn from(credentials: Credentials) -> Self {
        Self { credentials, renew_after: None }
    }
}

/// Why a provider has none.
type ProviderError = Box<dyn Error + Send + Sync>;
/// What a provider is doing.
type Providing = Pin<Box<dyn Future<Output = Result<Lease, ProviderError>> + Send>>;

/// Brings credentials when they are needed ([`Builder::credentials_provider`]).
///
/// [`Builder::credentials_provider`]: crate::Builder::credentials_provider
#[derive(Clone)]
pub(crate) struct Provider {
    ask: Arc<dyn Fn() -> Providing + Send + Sync>,
    state: watch::Sender<Known>,
    /// A broker has refused what there is.
    refused: Arc<Notify>,
}

/// What is known of the first credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    NotYet,
    Failed(String),
    There,
}

impl Provider {
    pub(crate) fn new<F, L, E>(provide: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Lease>,
        E: Into<ProviderError>,
    {
        let ask = move || -> Providing {
            let providing = provide();
            Box::pin(async move { providing.await.map(Into::into).map_err(Into::into) })
        };
        Self {
            ask: Arc::new(ask),
            state: watch::Sender::new(Known::NotYet),
            refused: Arc::default(),
        }
    }

    /// What there is was refused: asks again, though not at once if that was asked a moment ago.
    pub(crate) fn renew(&self) {
        self.refused.notify_one();
    }

    /// `transport`, but nobody is dialled before there are credentials: what is sent to a broker is
    /// made after its name server was dialled, and so is signed.
    pub(crate) fn gate(&self, transport: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Gate { transport, state: self.state.subscribe() })
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Provider(..)")
    }
}

/// Keeps dials back.
struct Gate {
    transport: Arc<dyn Transport>,
    state: watch::Receiver<Known>,
}

impl Transport for Gate {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        let mut state = self.state.clone();
        let (transport, address) = (self.transport.clone(), address.clone());
        Box::pin(async move {
            let why = match state.wait_for(|known| *known != Known::NotYet).await.as_deref() {
                Ok(Known::Failed(why)) => Some(format!("no credentials: {why}")),
                // Nobody brings any, for the producer is gone.
                Err(_) => Some("no credentials".to_owned()),
                Ok(Known::There | Known::NotYet) => None,
            };
            match why {
                Some(why) => Err(ConnectionEnd::Other(why)),
                None => transport.connect(&address, deadline).await,
            }
        })
    }
}
