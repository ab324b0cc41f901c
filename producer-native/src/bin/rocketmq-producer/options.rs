//! Options that several commands share, and how their values are read.

use std::time::Duration;

use clap::Args;
use producer_native::{Address, BuildError, Builder};

use crate::exit::Failure;

/// Where the cluster is.
#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// Name servers, separated by `;`
    #[arg(long, short = 'n', env = "NAMESRV_ADDR", value_name = "HOST:PORT[;HOST:PORT]")]
    namesrv: Option<String>,
    /// Dial DIAL where a route says ADV; may be repeated
    #[arg(long, value_name = "ADV=DIAL", value_parser = address_pair)]
    address_map: Vec<AddressPair>,
}

/// An advertised address and the one to dial for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressPair {
    advertised: Address,
    dialled: Address,
}

impl Cluster {
    /// The name servers.
    pub(crate) fn name_servers(&self) -> Result<Vec<Address>, Failure> {
        let list = self.namesrv.as_deref().unwrap_or_default();
        if list.trim().is_empty() {
            return Err(Failure::usage("no name server is given")
                .hint("use --namesrv HOST:9876, or set the variable NAMESRV_ADDR"));
        }
        Address::list(list).map_err(|problem| {
            Failure::usage(format!("invalid name servers {list:?}: {problem}"))
                .hint("they are written HOST:PORT;HOST:PORT")
        })
    }

    /// Tells a producer where the cluster is.
    pub(crate) fn configure(&self, builder: Builder) -> Result<Builder, Failure> {
        let name_servers = self.name_servers()?;
        let pairs = self.address_map.iter();
        let pairs: Vec<_> =
            pairs.map(|pair| (pair.advertised.clone(), pair.dialled.clone())).collect();
        Ok(builder.configure(|config| {
            config.name_servers = name_servers;
            config.address_map = pairs;
        }))
    }

    /// The address that is dialled for an advertised one.
    pub(crate) fn dialled(&self, advertised: &Address) -> Address {
        let pair = self.address_map.iter().find(|pair| pair.advertised == *advertised);
        pair.map_or(advertised, |pair| &pair.dialled).clone()
    }
}

/// A producer that cannot be built is the fault of our arguments.
impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        Self::usage(error.to_string())
    }
}

/// Reads `ADV=DIAL`.
fn address_pair(text: &str) -> Result<AddressPair, String> {
    let (advertised, dialled) =
        text.split_once('=').ok_or("wanted: ADVERTISED_HOST:PORT=DIALLED_HOST:PORT")?;
    let address = |text: &str| Address::new(text).map_err(|problem| problem.to_string());
    Ok(AddressPair { advertised: address(advertised)?, dialled: address(dialled)? })
}

/// Reads `3s`, `1.5s`, `500ms`, `2m`; a number without a unit is refused, for nobody agrees on it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let seconds = match &text[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err("wanted a number with a unit: 500ms, 3s or 1m".to_owned()),
    };
    let number: f64 = digits.parse().map_err(|_| format!("{digits:?} is not a number"))?;
    let duration = Duration::try_from_secs_f64(number * seconds)
        .map_err(|_| format!("{text:?} is not a length of time"))?;
    if duration.is_zero() || duration > LONGEST {
        return Err("wanted more than nothing and at most a day".to_owned());
    }
    Ok(duration)
}

const LONGEST: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in ["", "3", "s", "-1s", "0s", "3h", "NaNs", "infs", "1e9s", "3 s", "é", "3é"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn address_pairs_are_two_addresses() {
        let pair = address_pair("172.17.0.2:10911=127.0.0.1:20911").expect("a pair");

        assert_eq!(pair.advertised.as_str(), "172.17.0.2:10911");
        assert_eq!(pair.dialled.as_str(), "127.0.0.1:20911");
        for bad in ["", "a:1", "a:1=", "=a:1", "a=b:1"] {
            assert!(address_pair(bad).is_err(), "{bad}");
        }
    }
}
