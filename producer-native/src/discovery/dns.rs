//! Names that stand for several name servers.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use producer_core::{Address, InvalidName};
use tokio::net::lookup_host;

use super::{Discovery, Finding};
use crate::transport::Transport;

/// Asks DNS for all addresses behind some names (a Kubernetes headless service, a record with
/// several addresses), every 30 s unless told otherwise. Each address becomes a name server of its
/// own, so one that is dead costs what a dead name server costs; written into
/// [`name_servers`](crate::Builder::name_servers), a name is one server, whose addresses are tried
/// one after the other at each dial.
///
/// Name servers are then dialled by IP address: with TLS, either their certificates name these, or
/// [`Tls::server_name`](crate::Tls::server_name) says which name they are for.
///
/// ```no_run
/// use producer_native::{Dns, Producer};
///
/// # fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let names = Dns::new("namesrv.rocketmq.svc.cluster.local:9876")?;
/// let producer = Producer::builder("orders").discover(names).build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Dns {
    names: Vec<Address>,
    every: Duration,
}

impl Dns {
    /// Asks for these names, each with its port: `"a:9876;b:9876"`.
    ///
    /// # Errors
    /// [`InvalidName`] of the first that is not `host:port`.
    pub fn new(names: &str) -> Result<Self, InvalidName> {
        Ok(Self { names: Address::list(names)?, every: Duration::from_secs(30) })
    }

    /// Pause between two questions. Default 30 s.
    pub fn every(mut self, pause: Duration) -> Self {
        self.every = pause;
        self
    }
}

impl FromStr for Dns {
    type Err = InvalidName;
    fn from_str(names: &str) -> Result<Self, InvalidName> {
        Self::new(names)
    }
}

impl Discovery for Dns {
    fn find<'a>(&'a self, _: &'a dyn Transport) -> Finding<'a> {
        Box::pin(async move {
            let mut found = Vec::new();
            for name in &self.names {
                let addresses = lookup_host((name.host(), name.port())).await;
                found.push((name, addresses.map(Vec::from_iter).map_err(|e| e.to_string())));
            }
            merged(&found)
        })
    }

    fn every(&self) -> Duration {
        self.every
    }

    fn describe(&self) -> String {
        let names: Vec<&str> = self.names.iter().map(Address::as_str).collect();
        format!("DNS {}", names.join(";"))
    }
}

/// All addresses once, in an order that does not depend on the answers'. A name that cannot be
/// resolved takes nothing away from the others.
fn merged<E: fmt::Display>(
    found: &[(&Address, Result<Vec<SocketAddr>, E>)],
) -> Result<Vec<Address>, String> {
    let good = found.iter().filter_map(|(_, addresses)| addresses.as_ref().ok());
    let addresses: BTreeSet<SocketAddr> = good.flatten().copied().collect();
    if !addresses.is_empty() {
        let texts = addresses.iter().map(ToString::to_string);
        return texts.map(|text| Address::new(&text).map_err(|e| e.to_string())).collect();
    }
    let whys = found.iter().map(|(name, addresses)| match addresses {
        Ok(_) => format!("{name}: no address"),
        Err(error) => format!("{name}: {error}"),
    });
    Err(whys.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Address {
        Address::new(text).expect(text)
    }

    fn addresses(texts: &[&str]) -> Result<Vec<SocketAddr>, &'static str> {
        Ok(texts.iter().map(|text| text.parse().expect("an address")).collect())
    }

    #[test]
    fn every_address_is_a_server_of_its_own_in_a_steady_order() {
        let (a, b) = (name("a:1"), name("b:2"));
        let some = addresses(&["10.0.0.2:1", "10.0.0.1:1", "[fd00::1]:1"]);

        let found = merged(&[(&a, some), (&b, addresses(&["10.0.0.1:1"]))]).expect("some");

        let texts: Vec<&str> = found.iter().map(Address::as_str).collect();
        assert_eq!(texts, ["10.0.0.1:1", "10.0.0.2:1", "[fd00::1]:1"]);
    }

    #[test]
    fn a_name_that_fails_takes_nothing_from_the_others() {
        let (a, b) = (name("a:1"), name("b:2"));

        assert_eq!(
            merged(&[(&a, Err("no")), (&b, addresses(&["1.1.1.1:2"]))]).map(|l| l.len()),
            Ok(1)
        );
        let error = merged(&[(&a, Err("no such name")), (&b, addresses(&[]))]).expect_err("none");
        assert_eq!(error, "a:1: no such name; b:2: no address");
    }

    #[tokio::test]
    async fn literals_need_nobody() {
        let dns = Dns::new("127.0.0.1:9876;[::1]:9876").expect("good");

        let found = dns.find(&crate::Tcp).await;

        assert_eq!(found.map(|list| list.len()), Ok(2));
        assert!(Dns::new("no port").is_err());
    }
}
