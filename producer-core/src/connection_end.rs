//! How did a connection end, or why was it never made?

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::time::millis;

/// Why a connection ended, as the driver saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// Nothing listens there.
    Refused,
    /// The dial was not answered in time.
    DialTimeout,
    /// The host's name has no address, or no way leads there.
    Unreachable(String),
    /// The peer closed it.
    Closed,
    /// The peer reset it.
    Reset,
    /// It carried nothing for too long, or its peer had become useless: we closed it.
    Retired,
    /// The peer sent what is not a frame; the text says what.
    Malformed(String),
    /// TLS could not be agreed on, or broke.
    Tls {
        /// What is wrong.
        fault: TlsFault,
        /// How the TLS library puts it.
        detail: String,
    },
    /// The proxy on the way could not be reached, or refused; the text says which and why, and
    /// never the password.
    Proxy(String),
    /// Who is on the way, a bridge, takes no token of ours: it is refused or over, or there is none;
    /// the text says which, and never the token.
    Token(String),
    /// Who is on the way, a bridge, has too much to do, and asks to come back later. No address that
    /// is reached through it is dialled sooner.
    Overloaded {
        /// Earliest time from now; zero when it was not said.
        after: Duration,
        /// Who, and how it puts it.
        detail: String,
    },
    /// Anything else the operating system said.
    Other(String),
}

/// Nobody is stayed away from for longer, whatever he asks for.
const COME_BACK_MAX: Duration = Duration::from_secs(60);

/// What is wrong when TLS cannot be agreed on. [`TlsFault::code`] is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsFault {
    /// The server's certificate, or one above it, has expired.
    Expired,
    /// The server's certificate, or one above it, is not valid yet: a clock may be wrong.
    NotYetValid,
    /// The server's certificate is for other names.
    WrongName,
    /// The server's certificate leads to no authority that is trusted here.
    UnknownAuthority,
    /// The server's certificate was revoked, or is wrong in another way.
    BadCertificate,
    /// The server wants a certificate of ours, or refused the one it got.
    ClientCertificate,
    /// What the server says is not TLS, or it hung up instead of answering.
    NotTls,
    /// The handshake was not over in time.
    HandshakeTimeout,
    /// Anything else.
    Other,
}

impl TlsFault {
    /// A stable code for machines, in lower-case words.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "certificate_expired",
            Self::NotYetValid => "certificate_not_yet_valid",
            Self::WrongName => "certificate_wrong_name",
            Self::UnknownAuthority => "certificate_unknown_authority",
            Self::BadCertificate => "certificate_bad",
            Self::ClientCertificate => "client_certificate",
            Self::NotTls => "not_tls",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::Other => "other",
        }
    }
}

impl TlsFault {
    /// What usually helps, when there is something that usually helps.
    pub(crate) fn hint(self) -> Option<&'static str> {
        match self {
            Self::Expired | Self::BadCertificate => Some("renew the server's certificate"),
            Self::NotYetValid => Some("compare the clocks of this machine and the server"),
            Self::WrongName => {
                Some("put the address that is dialled into the certificate, or set the server name")
            }
            Self::UnknownAuthority => Some("trust the authority that signed it (CA file)"),
            Self::ClientCertificate => Some("give a client certificate that the server trusts"),
            Self::NotTls => Some("turn TLS on at the server, or off for this address"),
            Self::HandshakeTimeout | Self::Other => None,
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expired => "the server's certificate has expired",
            Self::NotYetValid => "the server's certificate is not valid yet",
            Self::WrongName => "the server's certificate is for another name",
            Self::UnknownAuthority => "the server's certificate is from an unknown authority",
            Self::BadCertificate => "the server's certificate is bad",
            Self::ClientCertificate => "the server wants a client certificate that it accepts",
            Self::NotTls => "the server does not speak TLS",
            Self::HandshakeTimeout => "the TLS handshake was not over in time",
            Self::Other => "TLS failed",
        })
    }
}

impl ConnectionEnd {
    /// How long the other end asked us to stay away, at most [`COME_BACK_MAX`].
    pub(crate) fn come_back_after(&self) -> Duration {
        match self {
            Self::Overloaded { after, .. } => (*after).min(COME_BACK_MAX),
            _ => Duration::ZERO,
        }
    }

    /// Whether the peer read nothing of what was written, although the connection was open to us.
    /// With TLS 1.3 the server looks at our certificate after we have begun to write; if it refuses
    /// it, it has read no request (RFC 8446, section 4.4.2.4; there is no later authentication
    /// unless we offer it).
    pub(crate) fn precedes_all_requests(&self) -> bool {
        matches!(self, Self::Tls { fault: TlsFault::ClientCertificate, .. })
    }
}

impl fmt::Display for ConnectionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::DialTimeout => f.write_str("dial timed out"),
            Self::Unreachable(text) => write!(f, "unreachable: {text}"),
            Self::Closed => f.write_str("closed by the peer"),
            Self::Reset => f.write_str("reset by the peer"),
            Self::Retired => f.write_str("closed by us"),
            Self::Malformed(text) => write!(f, "the peer sent a malformed frame: {text}"),
            Self::Tls { fault, detail } if detail.is_empty() => write!(f, "{fault}"),
            Self::Tls { fault, detail } => write!(f, "{fault} ({detail})"),
            Self::Proxy(text) | Self::Token(text) | Self::Other(text) => f.write_str(text),
            Self::Overloaded { after, detail } if after.is_zero() => f.write_str(detail),
            Self::Overloaded { after, detail } => {
                write!(f, "{detail} (come back after {} ms)", millis(*after))
            }
        }
    }
}
