//! A bridge from a TOML file and from variables: what the binary reads.

mod files;
mod values;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::config::BridgeConfig;
use super::server::{Bridge, BridgeBuilder};
use super::signing::Signer;
use super::token::{InvalidKeys, KeyFile, Verifier};
use super::tokens::Tokens;
use crate::access::KeyFileError;
use crate::settings::reader::Table;
use crate::settings::source::{Node, Place};
use crate::settings::{Settings, SettingsError};
use crate::transport::TlsError;
use files::{AccountFile, SigningFiles, TlsFiles, TokenFiles};
use values::{Fields, Printer};

/// What an operator writes down, read and checked, nothing opened yet.
///
/// ```
/// use producer_native::bridge::BridgeSettings;
///
/// let settings = BridgeSettings::from_toml(r#"
#[doc = include_str!("settings/example.toml")]
/// "#);
/// assert!(settings.is_ok());
///
/// let error = BridgeSettings::from_toml("name_servers = '10.0.0.1:9876'\norigin = 'https://shop.example.com'");
/// let problem = "line 2: origin: there is no such key; did you mean origins?";
/// assert_eq!(error.unwrap_err().to_string(), problem);
/// ```
///
/// * What is left out has its default: see [`BridgeConfig`], whose fields most keys are.
/// * **Unknown keys** are refused, and the nearest known one is named.
/// * **Times** have a unit (`ms`, `s`, `m`, `h`), sizes may have one (`KiB`, `MiB`).
/// * **Variables** are called `ROCKETMQ_BRIDGE_` and the key in capitals, with two underscores for the
///   dot: `ROCKETMQ_BRIDGE_LISTEN=0.0.0.0:443`, `ROCKETMQ_BRIDGE_TLS__KEY_FILE=key.pem`.
/// * [`Display`](fmt::Display) prints everything in force, defaults too, as a file that reads the same.
///   No secret is in it: secrets stand in files of their own.
#[derive(Clone, Debug)]
pub struct BridgeSettings {
    /// Where pages come. Default `127.0.0.1:7070`.
    pub listen: SocketAddr,
    /// Where Prometheus comes; nowhere by default.
    pub metrics: Option<SocketAddr>,
    /// All that is about neither files nor sockets.
    pub config: BridgeConfig,
    tls: TlsFiles,
    tokens: TokenFiles,
    signing: SigningFiles,
}

impl BridgeSettings {
    /// Reads a file, if there is one, this process's variables, which win over it, and what was said
    /// besides, which wins over both: names of variables, and their values.
    ///
    /// # Errors
    /// [`SettingsError`] of the first thing that cannot be right, with file, line and key.
    pub fn load(
        file: Option<&Path>,
        said: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let settings = Settings::of(PREFIX);
        let settings = file.into_iter().try_fold(settings, Settings::file)?;
        let settings = settings.environment()?.variables(said)?;
        Self::read(settings.into_root(), BridgeConfig::default())
    }

    /// Reads a TOML text, and nothing else.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        Self::read(Settings::of(PREFIX).toml(text)?.into_root(), BridgeConfig::default())
    }

    /// For development: [`BridgeConfig::dev`], next to a name server on this machine.
    ///
    /// # Errors
    /// As [`load`](Self::load), of the variables.
    pub fn dev(said: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let settings = Settings::of(PREFIX).toml("name_servers = '127.0.0.1:9876'")?;
        let settings = settings.environment()?.variables(said)?;
        Self::read(settings.into_root(), BridgeConfig::dev())
    }

    fn read(root: Node, config: BridgeConfig) -> Result<Self, SettingsError> {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7070);
        let (tls, tokens) = (TlsFiles::default(), TokenFiles::default());
        let signing = SigningFiles::default();
        let mut settings = Self { listen, metrics: None, config, tls, tokens, signing };
        let mut table = Table::new(root, "")?;
        settings.each(&mut table)?;
        table.finish()?;
        settings.check()?;
        settings.config.policy.listeners =
            [Some(settings.listen), settings.metrics].into_iter().flatten().collect();
        Ok(settings)
    }

    /// Every key there is, for reading as for printing.
    fn each(&mut self, keys: &mut dyn Fields) -> Result<(), SettingsError> {
        let Self { listen, metrics, config, tls, tokens, signing } = self;
        keys.field("listen", listen)?;
        keys.field("metrics", metrics)?;
        keys.field("name_servers", &mut config.name_servers)?;
        keys.field("hosts", &mut config.hosts)?;
        keys.field("origins", &mut config.origins)?;
        keys.field("without_origin", &mut config.without_origin)?;
        keys.field("without_tokens", &mut config.without_tokens)?;
        keys.field("behind_proxy", &mut config.behind_proxy)?;
        keys.field("trusted_proxies", &mut config.trusted_proxies)?;
        keys.field("proxy_protocol", &mut config.proxy_protocol)?;
        keys.table("tls", &mut |keys| tls.each(keys))?;
        keys.table("tokens", &mut |keys| tokens.each(keys))?;
        keys.table("signing", &mut |keys| signing.each(keys))?;
        brokers(config, keys)?;
        limits(config, keys)?;
        connection(config, keys)
    }

    /// What must fit together.
    fn check(&self) -> Result<(), SettingsError> {
        let rules = &self.config.rules;
        if self.config.name_servers.is_empty() {
            return wrong("name_servers", "they are needed");
        }
        self.tls.check()?;
        self.tokens.check()?;
        self.signing.check(self.config.filter.frame_bytes_max)?;
        for (key, time) in [
            ("connection.handshake", rules.handshake),
            ("connection.idle", rules.idle),
            ("connection.stall", rules.stall),
            ("connection.ping", rules.ping),
            ("connection.finish", rules.finish),
        ] {
            if time < TIME_MIN {
                return wrong(key, "it must be 100ms at least");
            }
        }
        if rules.ping >= rules.silence {
            return wrong("connection.ping", "it must be shorter than connection.silence");
        }
        if rules.head_bytes_max < 8 << 10 {
            return wrong("connection.head_bytes_max", "it must be 8 KiB at least");
        }
        if let Some(name) = self.config.policy.misleading_name() {
            let problem = format!("{name} is an address; addresses stand in always");
            return wrong("brokers.names", &problem);
        }
        Ok(())
    }

    /// Reads certificate and keys, and makes the bridge; `change` may say more of it.
    ///
    /// # Errors
    /// [`OpenError`] says which file is wrong, or why the bridge may not listen there.
    pub fn open(
        &self,
        change: impl FnOnce(BridgeBuilder) -> BridgeBuilder,
    ) -> Result<(Bridge, KeyWatch), OpenError> {
        let mut builder = Bridge::builder(self.config.clone());
        if let Some(tls) = self.tls.open()? {
            builder = builder.tls(tls);
        }
        let mut watch = KeyWatch::default();
        if let Some((verifier, file)) = self.tokens.open()? {
            watch.tokens = file.map(|file| (file, verifier.clone()));
            builder = builder.tokens(Tokens::Needed(verifier));
        }
        if let Some((signer, file)) = self.signing.open()? {
            watch.account = file.map(|file| (file, signer.clone()));
            builder = builder.signer(signer);
        }
        let bridge = change(builder).build();
        bridge.may_listen(self.listen).map_err(|error| OpenError::Listen(error.to_string()))?;
        Ok((bridge, watch))
    }
}

fn brokers(config: &mut BridgeConfig, keys: &mut dyn Fields) -> Result<(), SettingsError> {
    let policy = &mut config.policy;
    keys.table("brokers", &mut |keys| {
        keys.field("networks", &mut policy.networks)?;
        keys.field("ports", &mut policy.ports)?;
        keys.field("always", &mut policy.always)?;
        keys.field("names", &mut policy.names)?;
        keys.field("map", &mut policy.map)?;
        keys.field("loopback", &mut policy.loopback)
    })?;
    let filter = &mut config.filter;
    keys.table("frames", &mut |keys| {
        keys.field("frame_bytes_max", &mut filter.frame_bytes_max)?;
        keys.field("header_bytes_max", &mut filter.header_bytes_max)?;
        keys.field("heartbeat_bytes_max", &mut filter.heartbeat_bytes_max)?;
        keys.field("recall", &mut filter.recall)?;
        keys.field("replies", &mut filter.replies)
    })
}

fn limits(config: &mut BridgeConfig, keys: &mut dyn Fields) -> Result<(), SettingsError> {
    let limits = &mut config.limits;
    keys.table("limits", &mut |keys| {
        keys.field("connections_max", &mut limits.connections_max)?;
        keys.field("connections_per_ip_max", &mut limits.connections_per_ip_max)?;
        keys.field("connections_per_subject_max", &mut limits.connections_per_subject_max)?;
        keys.field("knocks_max", &mut limits.knocks_max)?;
        keys.field("knocks_per_ip_max", &mut limits.knocks_per_ip_max)?;
        keys.field("requests_per_second", &mut limits.requests_per_second)?;
        keys.field("requests_burst", &mut limits.requests_burst)?;
        keys.field("dials_per_target_max", &mut limits.dials_per_target_max)?;
        keys.field("ips_max", &mut limits.ips_max)
    })
}

fn connection(config: &mut BridgeConfig, keys: &mut dyn Fields) -> Result<(), SettingsError> {
    let (rules, drain) = (&mut config.rules, &mut config.drain);
    keys.table("connection", &mut |keys| {
        keys.field("handshake", &mut rules.handshake)?;
        keys.field("url_bytes_max", &mut rules.url_bytes_max)?;
        keys.field("head_bytes_max", &mut rules.head_bytes_max)?;
        keys.field("message_bytes_max", &mut rules.message_bytes_max)?;
        keys.field("answer_bytes_max", &mut rules.answer_bytes_max)?;
        keys.field("bytes_per_second", &mut rules.bytes_per_second)?;
        keys.field("frames_per_second", &mut rules.frames_per_second)?;
        keys.field("idle", &mut rules.idle)?;
        keys.field("lifetime", &mut rules.lifetime)?;
        keys.field("token_grace", &mut rules.token_grace)?;
        keys.field("dial", &mut rules.dial)?;
        keys.field("stall", &mut rules.stall)?;
        keys.field("ping", &mut rules.ping)?;
        keys.field("silence", &mut rules.silence)?;
        keys.field("finish", &mut rules.finish)
    })?;
    keys.table("drain", &mut |keys| {
        keys.field("delay", &mut drain.delay)?;
        keys.field("spread", &mut drain.spread)
    })
}

impl fmt::Display for BridgeSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer::default();
        // Printing refuses nothing, and changes nothing.
        let _printed = self.clone().each(&mut printer);
        f.write_str(&printer.text)
    }
}

/// Looks after the files of keys: those that check tokens, and the one that signs requests.
#[derive(Debug, Default)]
pub struct KeyWatch {
    tokens: Option<(KeyFile, Arc<Verifier>)>,
    account: Option<(AccountFile, Arc<Signer>)>,
}

impl KeyWatch {
    /// Takes the keys of a file that was replaced, within seconds; a file that is no good is logged,
    /// and the keys before it stay. Never ends.
    pub async fn run(mut self) {
        loop {
            tokio::time::sleep(KEYS_LOOK).await;
            self.look();
        }
    }

    fn look(&mut self) {
        if let Some((file, verifier)) = &mut self.tokens {
            match file.look() {
                Ok(None) => {}
                Ok(Some(keys)) => {
                    tracing::info!(keys = keys.len(), "the keys of tokens were replaced");
                    verifier.set_keys(keys);
                }
                Err(error) => tracing::warn!(%error, "the keys of tokens are still those before"),
            }
        }
        if let Some((file, signer)) = &mut self.account {
            match file.look() {
                Ok(None) => {}
                Ok(Some(account)) => {
                    tracing::info!("the key that signs requests was replaced");
                    signer.set_account(account);
                }
                Err(error) => tracing::warn!(%error, "the key that signs is still the one before"),
            }
        }
    }
}

/// Why a bridge cannot be made of its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The certificate or its key.
    Tls(TlsError),
    /// The keys of tokens.
    Keys(InvalidKeys),
    /// The key that signs requests.
    Account(KeyFileError),
    /// The listener would not be safe.
    Listen(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(error) => write!(f, "tls: {error}"),
            Self::Keys(error) => write!(f, "tokens: {error}"),
            Self::Account(error) => write!(f, "signing: {error}"),
            Self::Listen(problem) => write!(f, "listen: {problem}"),
        }
    }
}

impl std::error::Error for OpenError {}

fn wrong(key: &str, problem: &str) -> Result<(), SettingsError> {
    Err(SettingsError::new(Place::Start, key, problem.to_owned()))
}

/// What begins the names of variables.
const PREFIX: &str = "ROCKETMQ_BRIDGE_";
/// Shorter times of a connection are mistakes, and a bridge would be busy with its clock.
const TIME_MIN: Duration = Duration::from_millis(100);
/// How often the files of keys are looked at.
const KEYS_LOOK: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
