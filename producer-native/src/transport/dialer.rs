//! Which way leads to an address: direct or through a proxy, plain or in TLS?

use std::fmt;
use std::sync::Arc;

use producer_core::Address;
use tokio::time::Instant;

use super::{AddressRule, Connecting, Proxy, Tcp, Transport};
#[cfg(feature = "tls")]
use super::{Tls, TlsError, tls::TlsClient};

/// A transport that decides by address. For each kind of decision the first rule that covers an
/// address decides, so the special ones come before the general ones; an address that no rule
/// covers is dialled directly and without TLS.
///
/// [`Builder`](crate::Builder) makes one of what it is told; by itself it is for tools that dial
/// as a producer would.
#[derive(Clone)]
pub struct Dialer {
    base: Arc<dyn Transport>,
    proxies: Vec<(AddressRule, Option<Arc<Proxy>>)>,
    #[cfg(feature = "tls")]
    tls: Vec<(AddressRule, Option<TlsClient>)>,
}

impl Dialer {
    /// Plain TCP to every address.
    pub fn new() -> Self {
        Self::over(Tcp)
    }

    /// Makes its byte streams by another transport.
    pub fn over(base: impl Transport) -> Self {
        Self {
            base: Arc::new(base),
            proxies: Vec::new(),
            #[cfg(feature = "tls")]
            tls: Vec::new(),
        }
    }

    /// Goes through a proxy to the addresses of `rule`.
    pub fn proxy(mut self, rule: AddressRule, proxy: Proxy) -> Self {
        self.proxies.push((rule, Some(Arc::new(proxy))));
        self
    }

    /// Goes through no proxy to the addresses of `rule`.
    pub fn direct(mut self, rule: AddressRule) -> Self {
        self.proxies.push((rule, None));
        self
    }

    /// Speaks TLS with the addresses of `rule`, through a proxy or not. Files are read now.
    ///
    /// # Errors
    /// [`TlsError`] when what TLS needs cannot be read, or does not fit together.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, rule: AddressRule, tls: &Tls) -> Result<Self, TlsError> {
        self.tls.push((rule, Some(tls.client()?)));
        Ok(self)
    }

    /// Does not speak TLS with the addresses of `rule`.
    #[cfg(feature = "tls")]
    pub fn plain(mut self, rule: AddressRule) -> Self {
        self.tls.push((rule, None));
        self
    }
}

impl Dialer {
    /// A stream to the address, before TLS.
    fn reach(&self, address: &Address, deadline: Instant) -> Connecting {
        let Some(Some(proxy)) = decided(&self.proxies, address) else {
            return self.base.connect(address, deadline);
        };
        let (proxy, base, address) = (proxy.clone(), self.base.clone(), address.clone());
        Box::pin(async move { proxy.connect(&*base, &address, deadline).await })
    }
}

impl Transport for Dialer {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        let stream = self.reach(address, deadline);
        #[cfg(feature = "tls")]
        if let Some(Some(tls)) = decided(&self.tls, address) {
            let (tls, address) = (tls.clone(), address.clone());
            return Box::pin(async move {
                let stream = stream.await?;
                tls.handshake(stream, &address, deadline).await
            });
        }
        stream
    }
}

impl Default for Dialer {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Dialer");
        shown.field("proxies", &self.proxies);
        #[cfg(feature = "tls")]
        {
            let tls = self.tls.iter().map(|(rule, tls)| (rule, tls.is_some()));
            shown.field("tls", &tls.collect::<Vec<_>>());
        }
        shown.finish_non_exhaustive()
    }
}

/// What the first rule says that covers `address`.
fn decided<'a, W>(rules: &'a [(AddressRule, W)], address: &Address) -> Option<&'a W> {
    rules.iter().find(|(rule, _)| rule.covers(address)).map(|(_, way)| way)
}
