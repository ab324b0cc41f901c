//! The WebSocket bridge: carries the remoting protocol's own frames between pages and a cluster.

pub mod discovery;
pub mod filter;
pub mod grants;
pub mod limits;
pub mod policy;
pub mod token;

pub use discovery::{AskError, Discovery, Learned, NotPermitted, Rejected};
pub use filter::{Filter, FilterLimits, Refusal, TargetKind, Verdict, Why};
pub use grants::{Grants, InvalidPattern, NamePattern, Names};
pub use limits::{Admission, Dial, Knock, LimitSettings, Limits, Over, Pace};
pub use policy::{Denied, InvalidNetwork, InvalidTarget, Network, Policy, Target};
pub use token::{InvalidKeys, KeyFile, Keys, TokenError, TokenSettings, Verifier};
