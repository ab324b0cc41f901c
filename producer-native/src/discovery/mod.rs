//! Where are the name servers, when nobody has listed them?

mod address_server;
mod dns;
mod refresh;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use producer_core::Address;

use crate::transport::Transport;

pub use address_server::{AddressServer, InvalidAddressServer};
pub use dns::Dns;
pub(crate) use refresh::{Search, run, until_ended};

/// A search under way: the name servers, or in a few words why there are none. It may be dropped at
/// any time.
pub type Finding<'a> = Pin<Box<dyn Future<Output = Result<Vec<Address>, String>> + Send + 'a>>;

/// Finds name servers: [`AddressServer`], [`Dns`], or one of your own
/// ([`Builder::discover`](crate::Builder::discover)).
///
/// One task a producer searches: at the producer's first use, then every [`every`](Self::every),
/// after a failure sooner. It ends with the producer. A search that finds nothing, fails, or takes
/// longer than 10 s changes nothing: the name servers of before stay. Sends that come before the
/// first name server is known wait for it within their deadline.
pub trait Discovery: Send + Sync + 'static {
    /// Searches once. `transport` reaches addresses as the producer does, proxies included, but
    /// without TLS. At most the first 64 addresses are used.
    fn find<'a>(&'a self, transport: &'a dyn Transport) -> Finding<'a>;

    /// Pause between two searches; less than 100 ms counts as that.
    fn every(&self) -> Duration;

    /// What is searched, for logs and errors; no secrets.
    fn describe(&self) -> String;
}
