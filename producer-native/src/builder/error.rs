//! Why is there no producer?

use std::fmt;

use producer_core::InvalidName;
use producer_core::wire::sys_flag::Compression;

use crate::access::KeyFileError;
use crate::transport::InvalidRule;
#[cfg(feature = "tls")]
use crate::transport::TlsError;

/// Why there is no producer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The group is not one a client may have.
    Group {
        /// What was given.
        given: String,
        /// What is wrong with it.
        problem: InvalidName,
    },
    /// The name servers cannot be read.
    NameServers {
        /// What was given.
        given: String,
        /// What is wrong with it.
        problem: InvalidName,
    },
    /// There are no name servers: neither set nor in the variable `NAMESRV_ADDR`.
    NoNameServers,
    /// Name servers were searched and not found.
    NameServersNotFound {
        /// Where, and why not.
        problem: String,
    },
    /// An address of the address map cannot be read.
    AddressMap {
        /// What was given.
        given: String,
        /// What is wrong with it.
        problem: InvalidName,
    },
    /// The file of credentials gives none.
    KeyFile(KeyFileError),
    /// The namespace is none.
    Namespace {
        /// What was given.
        given: String,
        /// What is wrong with it.
        problem: InvalidName,
    },
    /// What was to say which addresses something is for does not.
    Rule(InvalidRule),
    /// TLS cannot be set up as it was asked for.
    #[cfg(feature = "tls")]
    Tls(TlsError),
    /// There are a bridge and rules for TLS, which the bridge could not see through.
    TlsBehindBridge,
    /// This build lacks the compression that was asked for: see the features of the crate.
    NoCompression(Compression),
    /// A limit of the configuration is zero: nothing could ever be sent.
    ZeroLimit {
        /// The field of [`Config`](crate::Config).
        field: &'static str,
    },
    /// The client has a producer of this group already, or too many groups.
    GroupTaken {
        /// The group.
        group: String,
    },
    /// `build` was called outside a tokio runtime, and no handle of one was given.
    NoRuntime,
    /// The thread of a blocking producer cannot be made.
    NoThread {
        /// What the operating system says.
        problem: String,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group { given, problem } => write!(f, "invalid group {given:?}: {problem}"),
            Self::NameServers { given, problem } => {
                write!(f, "invalid name servers {given:?}: {problem} (wanted: host:port;host:port)")
            }
            Self::NoNameServers => {
                f.write_str("no name servers: call name_servers(\"host:9876\") or set NAMESRV_ADDR")
            }
            Self::NameServersNotFound { problem } => {
                write!(f, "no name servers found: {problem}")
            }
            Self::AddressMap { given, problem } => {
                write!(f, "invalid address {given:?} in the address map: {problem}")
            }
            Self::KeyFile(problem) => write!(f, "{problem}"),
            Self::Namespace { given, problem } => {
                write!(f, "invalid namespace {given:?}: {problem}")
            }
            Self::Rule(problem) => write!(f, "{problem}"),
            #[cfg(feature = "tls")]
            Self::Tls(problem) => write!(f, "{problem}"),
            Self::TlsBehindBridge => f.write_str(
                "there are rules for TLS and a bridge, which must see requests: say how the bridge is \
                 trusted to its WebSocket, and leave TLS with brokers to the bridge",
            ),
            Self::NoCompression(kind) => {
                let feature = if *kind == Compression::Zstd { "zstd" } else { "compression" };
                write!(f, "{} needs the feature `{feature}` of this crate", kind.name())
            }
            Self::ZeroLimit { field } => write!(f, "{field} is 0: nothing could be sent"),
            Self::GroupTaken { group } => {
                write!(f, "the client has a producer of group {group} already, or 1,024 groups")
            }
            Self::NoRuntime => f.write_str(
                "no tokio runtime here: call build() inside one, give its handle with \
                 runtime(handle), or call build_blocking()",
            ),
            Self::NoThread { problem } => write!(f, "cannot make a thread: {problem}"),
        }
    }
}

impl std::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Group { problem, .. }
            | Self::NameServers { problem, .. }
            | Self::Namespace { problem, .. }
            | Self::AddressMap { problem, .. } => Some(problem),
            // They are said in full already.
            #[cfg(feature = "tls")]
            Self::Tls(_) => None,
            Self::KeyFile(_)
            | Self::Rule(_)
            | Self::NoNameServers
            | Self::TlsBehindBridge
            | Self::GroupTaken { .. }
            | Self::NameServersNotFound { .. }
            | Self::NoCompression(_)
            | Self::ZeroLimit { .. }
            | Self::NoRuntime
            | Self::NoThread { .. } => None,
        }
    }
}
