//! Settings of a producer from a TOML file and from the environment (feature `config`).
//!
//! ```
//! use producer_native::settings::Settings;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = r#"
#![doc = include_str!("example.toml")]
#![cfg_attr(feature = "tls", doc = include_str!("tls.toml"))]
//! "#;
//! let settings = Settings::new()
//!     .toml(text)?     // or .file("/etc/orders/producer.toml")
//!     .environment()?; // wins over what came before
//! let builder = settings.builder()?; // whose setters win over all
//! # Ok(())
//! # }
//! ```
//!
//! Instead of `name_servers`, a table `discovery` can say how they are found: `dns = "name:9876"`, or
//! `address_server = "domain"` with `subgroup` and `unit`; `every = "2m"` in both.
//!
//! * What is left out has the default of [`Config`](crate::Config), where each key is explained:
//!   keys are its fields.
//! * **Unknown keys** are refused, and the nearest known one is named.
//! * **Times** have a unit (`us`, `ms`, `s`, `m`, `h`), sizes may have one (`KiB`, `MiB`, `GiB`);
//!   `"none"` switches off what can be switched off.
//! * **Variables** are called `ROCKETMQ_PRODUCER_` and the key in capitals, with two underscores
//!   for the dot: `ROCKETMQ_PRODUCER_SEND_TIMEOUT=5s`, `ROCKETMQ_PRODUCER_TLS__CA_FILE=ca.pem`.
//! * **Secrets** are in no `Debug` and no error, for no value ever is: errors name file, line and
//!   key. Each can stand in a file of its own instead (`password_file`, `secret_key_file`), as
//!   Kubernetes mounts them.

mod keys;
pub(crate) mod reader;
pub(crate) mod source;
mod ways;

use std::fmt;
use std::io::Read;
use std::path::Path;

use crate::builder::Builder;
use source::{BYTES_MAX, Node, Place};

/// Settings as they were read, not checked yet.
#[derive(Clone)]
pub struct Settings {
    root: Node,
    /// What begins the names of variables.
    prefix: &'static str,
}

/// What is wrong with settings, where, and what was wanted; never the value itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    place: Place,
    key: String,
    problem: String,
}

impl SettingsError {
    pub(crate) fn new(place: Place, key: &str, problem: impl Into<String>) -> Self {
        Self { place, key: key.to_owned(), problem: problem.into() }
    }

    /// The key, with the tables that it is in: `tls.ca_file`. Empty if it is about no key.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.place, self.problem),
            key => write!(f, "{}: {key}: {}", self.place, self.problem),
        }
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// No settings.
    pub fn new() -> Self {
        Self::of("ROCKETMQ_PRODUCER_")
    }

    /// No settings, of another program than a producer.
    pub(crate) fn of(prefix: &'static str) -> Self {
        Self { root: Node::empty(), prefix }
    }

    /// What was read.
    #[cfg(feature = "bridge")]
    pub(crate) fn into_root(self) -> Node {
        self.root
    }

    /// Adds what a TOML text says; it wins over what was added before, key by key.
    ///
    /// # Errors
    /// [`SettingsError`] when it is not TOML.
    pub fn toml(self, text: &str) -> Result<Self, SettingsError> {
        self.with(Node::toml(text, None)?)
    }

    /// [`toml`](Self::toml) with the content of a file, at most 1 MiB.
    ///
    /// # Errors
    /// [`SettingsError`] when it cannot be read, or is not TOML.
    pub fn file(self, path: impl AsRef<Path>) -> Result<Self, SettingsError> {
        let name = path.as_ref().display().to_string();
        let text = read_file(path.as_ref()).map_err(|problem| {
            SettingsError::new(Place::Line(Some(name.as_str().into()), 0), "", problem)
        })?;
        self.with(Node::toml(&text, Some(&name))?)
    }

    /// Adds what this process's variables say, which wins over what was added before.
    ///
    /// # Errors
    /// [`SettingsError`] when the name of one leads nowhere, or its value is not Unicode.
    pub fn environment(self) -> Result<Self, SettingsError> {
        let texts = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            Some((name, value.into_string()))
        });
        let mut variables = Vec::new();
        for (name, value) in texts {
            match value {
                Ok(value) => variables.push((name, value)),
                Err(_) if !name.starts_with(self.prefix) => {}
                Err(_) => {
                    let place = Place::Variable(name);
                    return Err(SettingsError::new(place, "", "its value is not Unicode"));
                }
            }
        }
        self.variables(variables)
    }

    /// [`environment`](Self::environment) with other variables than this process's.
    ///
    /// # Errors
    /// [`SettingsError`] when the name of one leads nowhere.
    pub fn variables(
        self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let prefix = self.prefix;
        self.with(Node::variables(prefix, variables)?)
    }

    /// A builder with these settings. Certificates are read when it builds.
    ///
    /// # Errors
    /// [`SettingsError`] of the first value that cannot be right, or key that is unknown.
    pub fn builder(self) -> Result<Builder, SettingsError> {
        let group = crate::Config::default().group;
        self.add_to(Builder::new(group.as_str()))
    }

    /// Adds these settings to a builder. Its [`Config`](crate::Config) is replaced; its rules for
    /// addresses stay, and come before those from here.
    ///
    /// # Errors
    /// As [`builder`](Self::builder).
    pub fn add_to(self, builder: Builder) -> Result<Builder, SettingsError> {
        keys::add(self.root, builder)
    }

    /// The same without a key or table at the top.
    pub fn without(mut self, key: &str) -> Self {
        if let source::Value::Table(nodes) = &mut self.root.value {
            nodes.remove(key);
        }
        self
    }

    fn with(mut self, later: Node) -> Result<Self, SettingsError> {
        self.root.merge(later, "")?;
        Ok(self)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_set();
        if let source::Value::Table(nodes) = &self.root.value {
            shown.entries(nodes.keys());
        }
        shown.finish()
    }
}

impl Builder {
    /// A builder with the settings of a TOML text: see [`settings`](crate::settings).
    ///
    /// ```
    /// # use producer_native::Builder;
    /// let builder = Builder::from_toml("group = 'orders'\nname_servers = '10.0.0.1:9876'");
    /// assert!(builder.is_ok());
    ///
    /// let error = Builder::from_toml("group = 'orders'\nname_server = '10.0.0.1:9876'");
    /// let problem = "line 2: name_server: there is no such key; did you mean name_servers?";
    /// assert_eq!(error.unwrap_err().to_string(), problem);
    /// ```
    ///
    /// # Errors
    /// [`SettingsError`] of the first thing that cannot be right.
    pub fn from_toml(text: &str) -> Result<Self, SettingsError> {
        Settings::new().toml(text)?.builder()
    }
}

/// A file as text, with a bound; or what is wrong with it, without its content.
pub(crate) fn read_file(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let most = BYTES_MAX as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > BYTES_MAX {
        return Err("it is longer than 1 MiB".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}
