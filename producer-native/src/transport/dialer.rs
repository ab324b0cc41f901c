//! Which way leads to an address: plain or through TLS?

use std::fmt;
use std::sync::Arc;

use producer_core::Address;
use tokio::time::Instant;

#[cfg(feature = "tls")]
use super::{AddressRule, Tls, TlsError, tls::TlsClient};
use super::{Connecting, Tcp, Transport};

/// A transport that decides by address. For each kind of decision the first rule that covers an
/// address decides, so the special ones come before the general ones; an address that no rule
/// covers is dialled directly and without TLS.
///
/// [`Builder`](crate::Builder) makes one of what it is told; by itself it is for tools that dial
/// as a producer would.
#[derive(Clone)]
pub struct Dialer {
    base: Arc<dyn Transport>,
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
            #[cfg(feature = "tls")]
            tls: Vec::new(),
        }
    }

    /// Speaks TLS with the addresses of `rule`. Files are read now.
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

impl Transport for Dialer {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        let stream = self.base.connect(address, deadline);
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
        #[cfg(feature = "tls")]
        shown.field(
            "tls",
            &self.tls.iter().map(|(rule, tls)| (rule, tls.is_some())).collect::<Vec<_>>(),
        );
        shown.finish_non_exhaustive()
    }
}

/// What the first rule says that covers `address`.
#[cfg(feature = "tls")]
fn decided<'a, W>(rules: &'a [(AddressRule, W)], address: &Address) -> Option<&'a W> {
    rules.iter().find(|(rule, _)| rule.covers(address)).map(|(_, way)| way)
}
