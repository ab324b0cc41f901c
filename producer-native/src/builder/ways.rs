//! Which ways lead to the cluster, as a builder is told.

use std::fmt;
use std::sync::Arc;

use producer_core::Address;
#[cfg(feature = "websocket")]
use producer_core::wire::SerializeType;

use super::{BuildError, Builder, from_environment};
use crate::access::Provider;
use crate::discovery::Discovery;
use crate::door;
#[cfg(feature = "tls")]
use crate::transport::Tls;
#[cfg(feature = "websocket")]
use crate::transport::WebSocket;
use crate::transport::{AddressRule, Dialer, InvalidRule, Proxy, Transport};

/// What is to be decided by address, in the order in which it was said.
#[derive(Default)]
pub(super) struct Ways {
    pub(super) discovery: Option<Arc<dyn Discovery>>,
    pub(super) provider: Option<Provider>,
    proxies: Vec<(AddressRule, Option<Proxy>)>,
    #[cfg(feature = "tls")]
    tls: Vec<(AddressRule, Option<Tls>)>,
    #[cfg(feature = "websocket")]
    pub(super) bridge: Option<WebSocket>,
}

impl Ways {
    /// Transports that go these ways over `base`, or `base` itself if there is nothing to decide.
    pub(super) fn over(&self, base: Arc<dyn Transport>) -> Result<door::Ways, BuildError> {
        let proxies = self.proxies(base.clone());
        let dialer = self.dialer(base.clone())?;
        let or_base = |decides: bool, dialer: Dialer| -> Arc<dyn Transport> {
            if decides { Arc::new(dialer) } else { base.clone() }
        };
        let transport = or_base(self.decides(), dialer);
        #[cfg(feature = "websocket")]
        let transport = self.bridged(&base)?.unwrap_or(transport);
        Ok(door::Ways {
            transport: match &self.provider {
                Some(provider) => provider.gate(transport),
                None => transport,
            },
            without_tls: or_base(!self.proxies.is_empty(), proxies),
            discovery: self.discovery.clone(),
            provider: self.provider.clone(),
        })
    }

    /// The bridge, reached by `base`: proxies are on the way to it.
    #[cfg(feature = "websocket")]
    fn bridged(&self, base: &Arc<dyn Transport>) -> Result<Option<Arc<dyn Transport>>, BuildError> {
        let Some(bridge) = self.bridge.clone() else { return Ok(None) };
        #[cfg(feature = "tls")]
        if !self.tls.is_empty() {
            return Err(BuildError::TlsBehindBridge);
        }
        let bridge = bridge.over(self.proxies(base.clone()));
        #[cfg(feature = "tls")]
        let bridge = bridge.map_err(BuildError::Tls)?;
        Ok(Some(Arc::new(bridge)))
    }

    fn dialer(&self, base: Arc<dyn Transport>) -> Result<Dialer, BuildError> {
        let dialer = self.proxies(base);
        #[cfg(feature = "tls")]
        let dialer = self.tls.iter().try_fold(dialer, |dialer, (rule, tls)| match tls {
            Some(tls) => dialer.tls(rule.clone(), tls).map_err(BuildError::Tls),
            None => Ok(dialer.plain(rule.clone())),
        })?;
        Ok(dialer)
    }

    fn proxies(&self, base: Arc<dyn Transport>) -> Dialer {
        let proxies = self.proxies.iter();
        proxies.fold(Dialer::over(base), |dialer, (rule, proxy)| match proxy {
            Some(proxy) => dialer.proxy(rule.clone(), proxy.clone()),
            None => dialer.direct(rule.clone()),
        })
    }

    fn decides(&self) -> bool {
        #[cfg(feature = "tls")]
        if !self.tls.is_empty() {
            return true;
        }
        !self.proxies.is_empty()
    }
}

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Ways");
        shown.field("discovery", &self.discovery.as_ref().map(|discovery| discovery.describe()));
        shown.field("provider", &self.provider);
        shown.field("proxies", &self.proxies);
        #[cfg(feature = "tls")]
        shown.field("tls", &self.tls);
        #[cfg(feature = "websocket")]
        shown.field("bridge", &self.bridge);
        shown.finish()
    }
}

/// Ways to the cluster. For each kind of decision, the first rule that covers an address decides:
/// put `plain_for` before the general `tls`, and `direct_for` before `proxy`.
impl Builder {
    /// Searches for name servers by itself: an [`AddressServer`](crate::AddressServer), a
    /// [`Dns`](crate::Dns) name with several addresses, or a [`Discovery`] of your own. Name
    /// servers that are given as well are used until some are found; the variable `NAMESRV_ADDR` is
    /// not looked at.
    pub fn discover(mut self, discovery: impl Discovery) -> Self {
        self.ways.discovery = Some(Arc::new(discovery));
        self
    }

    /// Goes through a proxy to every address that no earlier rule covers.
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.ways.proxies.push((AddressRule::ALL, Some(proxy)));
        self
    }

    /// Goes through a proxy to these addresses: an [`AddressRule`] as text, such as `10.0.0.0/8` or
    /// `.example.com`.
    pub fn proxy_for(mut self, rule: &str, proxy: Proxy) -> Self {
        if let Some(rule) = self.rule(rule) {
            self.ways.proxies.push((rule, Some(proxy)));
        }
        self
    }

    /// Goes through no proxy to these addresses (an [`AddressRule`] as text), whatever is said
    /// later.
    pub fn direct_for(mut self, rule: &str) -> Self {
        if let Some(rule) = self.rule(rule) {
            self.ways.proxies.push((rule, None));
        }
        self
    }

    /// Reaches name servers and brokers through a bridge, by [`WebSocket`]. Headers are binary then,
    /// whatever [`header`](Self::header) says, for a bridge passes no others; name servers need not
    /// be given. Proxies are on the way to the bridge; what TLS protects is said to the bridge's
    /// [`WebSocket`], and [`BuildError::TlsBehindBridge`] if it is said to this builder.
    #[cfg(feature = "websocket")]
    pub fn bridge(mut self, bridge: WebSocket) -> Self {
        self.ways.bridge = Some(bridge);
        self
    }

    /// Speaks TLS with every address that no earlier rule covers.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.ways.tls.push((AddressRule::ALL, Some(tls)));
        self
    }

    /// Speaks TLS with these addresses: an [`AddressRule`] as text, such as `10.0.0.0/8` or
    /// `.example.com`.
    #[cfg(feature = "tls")]
    pub fn tls_for(mut self, rule: &str, tls: Tls) -> Self {
        if let Some(rule) = self.rule(rule) {
            self.ways.tls.push((rule, Some(tls)));
        }
        self
    }

    /// Does not speak TLS with these addresses (an [`AddressRule`] as text), whatever is said later.
    #[cfg(feature = "tls")]
    pub fn plain_for(mut self, rule: &str) -> Self {
        if let Some(rule) = self.rule(rule) {
            self.ways.tls.push((rule, None));
        }
        self
    }

    /// What the producer would dial with: for tools that look at a cluster as it does.
    ///
    /// # Errors
    /// [`BuildError`] when a rule or what TLS needs cannot be right.
    pub fn dialer(&self) -> Result<Dialer, BuildError> {
        match &self.problem {
            Some(problem) => Err(problem.clone()),
            #[cfg(feature = "websocket")]
            None if self.ways.bridge.is_some() => {
                let bridge = self.ways.bridged(&self.transport)?;
                Ok(bridge.map(Dialer::over).unwrap_or_default())
            }
            None => self.ways.dialer(self.transport.clone()),
        }
    }

    /// The name servers that the producer would ask: those that were given; else those that a
    /// search finds now; else those of the variable `NAMESRV_ADDR`. For tools, too.
    ///
    /// # Errors
    /// [`BuildError`] when there are none.
    pub async fn find_name_servers(&self) -> Result<Vec<Address>, BuildError> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        match &self.ways.discovery {
            #[cfg(feature = "websocket")]
            None if self.ways.bridge.is_some() && self.config.name_servers.is_empty() => {
                Ok(WebSocket::name_servers().into_iter().collect())
            }
            _ if !self.config.name_servers.is_empty() => Ok(self.config.name_servers.clone()),
            None => from_environment(),
            Some(discovery) => {
                let transport = self.ways.proxies(self.transport.clone());
                let found = discovery.find(&transport).await;
                found.map_err(|why| BuildError::NameServersNotFound {
                    problem: format!("{}: {why}", discovery.describe()),
                })
            }
        }
    }

    /// What a bridge asks of the configuration.
    #[cfg(feature = "websocket")]
    pub(super) fn suit_bridge(&mut self) {
        if self.ways.bridge.is_none() {
            return;
        }
        self.config.header = SerializeType::RocketMq;
        if self.config.name_servers.is_empty() && self.ways.discovery.is_none() {
            self.config.name_servers.extend(WebSocket::name_servers());
        }
    }

    fn rule(&mut self, text: &str) -> Option<AddressRule> {
        let rule = AddressRule::new(text);
        rule.map_err(|problem: InvalidRule| self.note(BuildError::Rule(problem))).ok()
    }
}
