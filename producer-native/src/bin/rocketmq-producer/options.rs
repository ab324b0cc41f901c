//! Options that several commands share, and how their values are read.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use producer_native::settings::{Settings, SettingsError};
use producer_native::{
    Address, AddressRule, AddressServer, BuildError, Builder, Dialer, Dns, Producer, Proxy, Secret,
    Tls,
};

use crate::exit::Failure;

/// Where the cluster is, and how it is reached.
#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// Name servers, separated by `;` [env: NAMESRV_ADDR]
    #[arg(long, short = 'n', value_name = "HOST:PORT[;HOST:PORT]")]
    namesrv: Option<String>,
    /// Ask DNS for all addresses of these name servers
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "namesrv")]
    namesrv_dns: Option<Dns>,
    /// Ask this HTTP address server for the name servers, as Java's rocketmq.namesrv.domain
    #[arg(long, value_name = "DOMAIN", value_parser = AddressServer::new,
          conflicts_with_all = ["namesrv", "namesrv_dns"])]
    namesrv_domain: Option<AddressServer>,
    /// Dial DIAL where a route says ADV; may be repeated
    #[arg(long, value_name = "ADV=DIAL", value_parser = address_pair)]
    address_map: Vec<AddressPair>,
    /// Settings from a TOML file; ROCKETMQ_PRODUCER_* variables and options win over it
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    config: Option<PathBuf>,
    /// Sign requests with the credentials of this file: AccessKey=..., SecretKey=...
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    key_file: Option<PathBuf>,
    /// The namespace of old: a prefix of topics and groups
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    namespace: Option<String>,
    /// The namespace as brokers and proxies since 5.2 know it
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    namespace_v2: Option<String>,
    /// Speak TLS; the operating system says whom to trust
    #[arg(long, help_heading = "Connection")]
    tls: bool,
    /// Speak TLS; trust the authorities of this PEM file and no others
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    tls_ca: Vec<PathBuf>,
    /// Speak TLS; show the certificate of this PEM file
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "Connection")]
    tls_cert: Option<PathBuf>,
    /// The key of --tls-cert, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "Connection")]
    tls_key: Option<PathBuf>,
    /// Speak TLS; the name that servers' certificates are for
    #[arg(long, value_name = "NAME", help_heading = "Connection")]
    tls_server_name: Option<String>,
    /// Speak TLS with anybody, whatever their certificate says: for tests
    #[arg(long, help_heading = "Connection")]
    tls_dangerously_trust_anyone: bool,
    /// Speak no TLS with these addresses: 10.0.0.0/8, .example.com or host:port
    #[arg(long, value_name = "RULE", help_heading = "Connection")]
    plain: Vec<AddressRule>,
    /// Go through a proxy, socks5:// or http://, to the addresses of RULE or to all; in the
    /// variable, its password is not seen by other users of this machine
    #[arg(long, value_name = "[RULE=]URL", value_parser = secret, env = "ROCKETMQ_PROXY",
          hide_env_values = true, help_heading = "Connection")]
    proxy: Vec<Secret>,
    /// Go through no proxy to these addresses
    #[arg(long, value_name = "RULE", help_heading = "Connection")]
    direct: Vec<AddressRule>,
}

/// An advertised address and the one to dial for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressPair {
    advertised: Address,
    dialled: Address,
}

/// What a tool needs to look at a cluster as a producer does.
#[derive(Clone)]
pub(crate) struct Reach {
    pub(crate) name_servers: Vec<Address>,
    pub(crate) dialer: Arc<Dialer>,
    address_map: Vec<(Address, Address)>,
}

impl Reach {
    /// The address that is dialled for an advertised one.
    pub(crate) fn dialled(&self, advertised: &Address) -> Address {
        let pair = self.address_map.iter().find(|(from, _)| from == advertised);
        pair.map_or(advertised, |(_, to)| to).clone()
    }
}

impl Cluster {
    /// A builder of a producer that knows the way. Settings come from the base, then the file, the
    /// variables, `over`, and the options.
    pub(crate) fn builder(
        &self,
        base: &[(&str, &str)],
        over: &[(&str, &str)],
    ) -> Result<Builder, Failure> {
        let mut settings = Settings::new().variables(prefixed(base))?;
        if let Some(path) = &self.config {
            settings = settings.file(path)?;
        }
        settings = settings.environment()?.variables(prefixed(over))?;
        let list = self.namesrv.as_deref().filter(|list| !list.trim().is_empty());
        if list.is_some() || self.namesrv_dns.is_some() || self.namesrv_domain.is_some() {
            settings = settings.without("name_servers").without("discovery");
        }
        // Their rules for addresses come first.
        let options = self.ways(Producer::builder(GROUP))?;
        let mut builder = settings.add_to(options)?;
        for AddressPair { advertised, dialled } in &self.address_map {
            builder = builder.map_address(advertised.as_str(), dialled.as_str());
        }
        if let Some(list) = list {
            builder = builder.name_servers(list);
        }
        if let Some(path) = &self.key_file {
            builder = builder.key_file(Some(path));
        }
        if let Some(name) = &self.namespace {
            builder = builder.namespace(name);
        }
        if let Some(name) = &self.namespace_v2 {
            builder = builder.namespace_v2(name);
        }
        if let Some(dns) = &self.namesrv_dns {
            builder = builder.discover(dns.clone());
        }
        if let Some(server) = &self.namesrv_domain {
            builder = builder.discover(server.clone());
        }
        Ok(builder)
    }

    /// What a tool needs.
    pub(crate) async fn reach(&self) -> Result<Reach, Failure> {
        let mut address_map = Vec::new();
        let builder = self.builder(&[], &[])?;
        let builder = builder.configure(|config| address_map = config.address_map.clone());
        let name_servers = builder.find_name_servers().await?;
        let dialer = Arc::new(builder.dialer()?);
        Ok(Reach { name_servers, dialer, address_map })
    }

    fn ways(&self, mut builder: Builder) -> Result<Builder, Failure> {
        for rule in &self.direct {
            builder = builder.direct_for(&rule.to_string());
        }
        for text in &self.proxy {
            let (rule, proxy) = proxy_rule(text.reveal()).map_err(Failure::usage)?;
            builder = builder.proxy_for(&rule.to_string(), proxy);
        }
        for rule in &self.plain {
            builder = builder.plain_for(&rule.to_string());
        }
        Ok(match self.tls() {
            Some(tls) => builder.tls(tls),
            None => builder,
        })
    }

    fn tls(&self) -> Option<Tls> {
        let asked = self.tls
            || !self.tls_ca.is_empty()
            || self.tls_cert.is_some()
            || self.tls_server_name.is_some()
            || self.tls_dangerously_trust_anyone;
        let mut tls = self.tls_ca.iter().fold(Tls::new(), |tls, path| tls.ca_file(path));
        if let (Some(chain), Some(key)) = (&self.tls_cert, &self.tls_key) {
            tls = tls.client_certificate_files(chain, key);
        }
        if let Some(name) = &self.tls_server_name {
            tls = tls.server_name(name);
        }
        if self.tls_dangerously_trust_anyone {
            tls = tls.dangerously_trust_anyone();
        }
        asked.then_some(tls)
    }
}

fn prefixed<'a>(pairs: &'a [(&str, &str)]) -> impl Iterator<Item = (String, String)> + 'a {
    let named = |key: &str| format!("ROCKETMQ_PRODUCER_{}", key.to_ascii_uppercase());
    pairs.iter().map(move |&(key, value)| (named(key), value.to_owned()))
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::usage(error.to_string())
    }
}

/// A producer that cannot be built is the fault of our arguments.
impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        match error {
            BuildError::NoNameServers => Self::usage("no name server is given")
                .hint("use --namesrv HOST:9876, or set the variable NAMESRV_ADDR"),
            BuildError::NameServers { given, problem } => {
                Self::usage(format!("invalid name servers {given:?}: {problem}"))
                    .hint("they are written HOST:PORT;HOST:PORT")
            }
            // The arguments may be right, and the answer wrong.
            BuildError::NameServersNotFound { problem } => {
                Self::new(format!("no name servers found: {problem}"))
            }
            other => Self::usage(other.to_string()),
        }
    }
}

/// Reads `ADV=DIAL`.
fn address_pair(text: &str) -> Result<AddressPair, String> {
    let (advertised, dialled) =
        text.split_once('=').ok_or("wanted: ADVERTISED_HOST:PORT=DIALLED_HOST:PORT")?;
    let address = |text: &str| Address::new(text).map_err(|problem| problem.to_string());
    Ok(AddressPair { advertised: address(advertised)?, dialled: address(dialled)? })
}

/// Anything: clap would repeat a text that it cannot read.
fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::from(text))
}

/// Reads `[RULE=]URL`. What is wrong is said without the text, which may hold a password.
fn proxy_rule(text: &str) -> Result<(AddressRule, Proxy), String> {
    // A password may have an equals sign, too; a rule has no `://`.
    let (rule, url) = match text.split_once('=') {
        Some((rule, url)) if !rule.contains("://") => (rule, url),
        _ => ("*", text),
    };
    let rule = AddressRule::new(rule).map_err(|_| "invalid proxy: before = stands no rule")?;
    let proxy = Proxy::new(url).map_err(|problem| problem.to_string())?;
    Ok((rule, proxy))
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
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = digits.parse::<f64>().ok().filter(|_| plain);
    let number = number.ok_or_else(|| format!("{digits:?} is not a number"))?;
    let duration = Duration::try_from_secs_f64(number * seconds)
        .map_err(|_| format!("{text:?} is not a length of time"))?;
    if duration.is_zero() || duration > LONGEST {
        return Err("wanted more than nothing and at most a day".to_owned());
    }
    Ok(duration)
}

/// Replaced by the settings.
const GROUP: &str = "rocketmq-producer-cli";
const LONGEST: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(duration("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for bad in [
            "", "3", "s", "-1s", "0s", "3h", "NaNs", "infs", "1e9s", "1e3ms", "+3s", "3 s", "é",
            "3é",
        ] {
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
