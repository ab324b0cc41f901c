//! Which ways lead to the cluster, as a builder is told.

use std::sync::Arc;

use super::{BuildError, Builder};
#[cfg(feature = "tls")]
use crate::transport::Tls;
use crate::transport::{AddressRule, Dialer, InvalidRule, Proxy, Transport};

/// What is to be decided by address, in the order in which it was said.
#[derive(Debug, Default)]
pub(super) struct Ways {
    proxies: Vec<(AddressRule, Option<Proxy>)>,
    #[cfg(feature = "tls")]
    tls: Vec<(AddressRule, Option<Tls>)>,
}

impl Ways {
    /// The transport that goes these ways; `base` itself if there is nothing to decide.
    pub(super) fn over(&self, base: Arc<dyn Transport>) -> Result<Arc<dyn Transport>, BuildError> {
        let mut dialer = Dialer::over(base.clone());
        let mut any = false;
        for (rule, proxy) in &self.proxies {
            any = true;
            dialer = match proxy {
                Some(proxy) => dialer.proxy(rule.clone(), proxy.clone()),
                None => dialer.direct(rule.clone()),
            };
        }
        #[cfg(feature = "tls")]
        for (rule, tls) in &self.tls {
            any = true;
            dialer = match tls {
                Some(tls) => dialer.tls(rule.clone(), tls).map_err(BuildError::Tls)?,
                None => dialer.plain(rule.clone()),
            };
        }
        Ok(if any { Arc::new(dialer) } else { base })
    }
}

/// Ways to the cluster. For each kind of decision, the first rule that covers an address decides:
/// put `plain_for` before the general `tls`, and `direct_for` before `proxy`.
impl Builder {
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

    fn rule(&mut self, text: &str) -> Option<AddressRule> {
        let rule = AddressRule::new(text);
        rule.map_err(|problem: InvalidRule| self.note(BuildError::Rule(problem))).ok()
    }
}
