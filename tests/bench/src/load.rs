//! What a client is to do.

use producer_native::SerializeType;
use serde::{Deserialize, Serialize};

/// Who sends, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Client {
    /// Limit: blocking writes and reads of ready frames, one or as many at a time as are in flight.
    Raw,
    /// Ours: each of so many tasks sends and waits for the receipt.
    Tasks,
    /// Ours: one task begins sends and takes the receipts in order.
    Tickets,
    /// Ours: one task begins them by the dozen (`enqueue_all`).
    Batches,
    /// Ours: nobody waits for an answer.
    Oneway,
    /// Ours: tasks whose sends share requests (`AutoBatch`).
    Shared,
}

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "limit",
            Self::Tasks => "tasks",
            Self::Tickets => "tickets",
            Self::Batches => "batches",
            Self::Oneway => "oneway",
            Self::Shared => "shared",
        }
    }
}

/// One measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) client: Client,
    /// Binary headers, not JSON.
    pub(crate) binary: bool,
    /// Bytes of a body.
    pub(crate) body: usize,
    pub(crate) in_flight: usize,
    /// Threads of ours.
    pub(crate) workers: usize,
    pub(crate) brokers: usize,
    pub(crate) topics: usize,
    pub(crate) warm_ms: u64,
    pub(crate) measure_ms: u64,
    /// Whether costs are counted, and times do not matter.
    pub(crate) counted: bool,
    /// The name server, then the brokers.
    pub(crate) addresses: Vec<String>,
}

impl Load {
    pub(crate) fn header(&self) -> SerializeType {
        if self.binary { SerializeType::RocketMq } else { SerializeType::Json }
    }
}
