//! Which ways lead to the cluster, as a builder is told.

use std::sync::Arc;

use super::{BuildError, Builder};
use crate::transport::Transport;
#[cfg(feature = "tls")]
use crate::transport::{AddressRule, Dialer, InvalidRule, Tls};

/// What is to be decided by address, in the order in which it was said.
#[derive(Debug, Default)]
pub(super) struct Ways {
    #[cfg(feature = "tls")]
    tls: Vec<(AddressRule, Option<Tls>)>,
}

impl Ways {
    /// The transport that goes these ways; `base` itself if there is nothing to decide.
    pub(super) fn over(&self, base: Arc<dyn Transport>) -> Result<Arc<dyn Transport>, BuildError> {
        #[cfg(not(feature = "tls"))]
        return Ok(base);
        #[cfg(feature = "tls")]
        {
            if self.tls.is_empty() {
                return Ok(base);
            }
            let mut dialer = Dialer::over(base);
            for (rule, tls) in &self.tls {
                dialer = match tls {
                    Some(tls) => dialer.tls(rule.clone(), tls).map_err(BuildError::Tls)?,
                    None => dialer.plain(rule.clone()),
                };
            }
            Ok(Arc::new(dialer))
        }
    }
}

/// Ways to the cluster. For each kind of decision, the first rule that covers an address decides:
/// put `plain_for` and the like before the general `tls`.
impl Builder {
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

    #[cfg(feature = "tls")]
    fn rule(&mut self, text: &str) -> Option<AddressRule> {
        let rule = AddressRule::new(text);
        rule.map_err(|problem: InvalidRule| self.note(BuildError::Rule(problem))).ok()
    }
}
