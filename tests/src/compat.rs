//! Which feature was seen to work with which servers: interop tests say so when they have seen it,
//! and the README's table is made of what they said, not written by hand.
//!
//! A test calls [`record`] after its last assertion. `./check interop` collects the records of one
//! run and fails if the README says otherwise, or if a cell that servers support is empty.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::{env, fmt, io};

use crate::cluster::{Error, Release, Result};

/// A row of the table: something that a producer does, as users name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Body, tag, keys, properties and flag.
    Messages,
    /// Sends that no broker answers.
    OneWay,
    /// A queue by number, and by Java's hash of a key.
    Queues,
    /// Messages of a key in their order.
    OrderingKeys,
    /// A topic that its first message brings about.
    CreatedTopics,
    /// Several messages in one request.
    Batches,
    /// Bodies by zlib, LZ4 and zstd.
    Compressed,
    /// Single sends that go out in one request.
    Shared,
    /// A request answered by a Java service, and a Java request answered by us.
    Requests,
    /// The prefix on topic and group.
    Namespaces,
    /// The fields of requests.
    NamespacesV2,
    /// Delivery later, by level.
    DelayLevels,
    /// Delivery after or at a time.
    Timers,
    /// A timer message taken back before it was due.
    Recalls,
    /// What `mqadmin queryMsgTraceById` reads.
    Traces,
    /// Committed, rolled back, and decided when the broker asks.
    Transactions,
    /// Topics created, offsets asked for, messages found by ids and key.
    Administration,
    /// Signed requests, and refusals that are understood.
    Access,
    /// Both ways verified at real servers.
    Tls,
    /// A message in further queues without a topic.
    LightQueues,
    /// The broker's port two below.
    SecondPort,
}

/// A column: with whom it was seen to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Real brokers of that release store it as asked.
    Broker(Release),
    /// A Java consumer, 5.4.0, reads from real brokers what was sent.
    JavaReads,
    /// Our models of both releases store the same, and a Java consumer reads it from them.
    Model(Release),
}

impl Feature {
    /// All rows, in the order of the table.
    pub const ALL: [Self; 21] = [
        Self::Messages,
        Self::OneWay,
        Self::Queues,
        Self::OrderingKeys,
        Self::CreatedTopics,
        Self::Batches,
        Self::Shared,
        Self::Compressed,
        Self::Requests,
        Self::Namespaces,
        Self::NamespacesV2,
        Self::DelayLevels,
        Self::Timers,
        Self::Recalls,
        Self::Traces,
        Self::Transactions,
        Self::Administration,
        Self::Access,
        Self::Tls,
        Self::LightQueues,
        Self::SecondPort,
    ];

    fn title(self) -> &'static str {
        match self {
            Self::Messages => "messages with tag, keys, properties, flag",
            Self::OneWay => "one-way sends",
            Self::Queues => "a chosen queue, Java's hash selector",
            Self::OrderingKeys => "ordering keys",
            Self::CreatedTopics => "topics made by their first message",
            Self::Batches => "batches",
            Self::Shared => "sends that share requests",
            Self::Compressed => "bodies by zlib, LZ4, zstd",
            Self::Requests => "requests and replies, either way",
            Self::Namespaces => "namespaces, the prefix",
            Self::NamespacesV2 => "namespaces, the fields of 5.x",
            Self::DelayLevels => "delay levels",
            Self::Timers => "timers: a delay or a time",
            Self::Recalls => "recalled timers",
            Self::Traces => "message trace",
            Self::Transactions => "transactions with checks",
            Self::Administration => "topics created, offsets, messages found",
            Self::Access => "access control",
            Self::Tls => "TLS",
            Self::LightQueues => "light queues",
            Self::SecondPort => "the second port (VIP channel)",
        }
    }

    /// Why it cannot be seen there.
    pub fn lacks(self, column: Column) -> Option<&'static str> {
        use Release::V4_9_7;
        match (self, column) {
            (
                Self::NamespacesV2 | Self::Recalls,
                Column::Broker(V4_9_7) | Column::Model(V4_9_7),
            ) => Some("not known to it"),
            (Self::Timers, Column::Broker(V4_9_7) | Column::Model(V4_9_7)) => {
                Some("delivers at once")
            }
            (Self::LightQueues | Self::SecondPort, Column::Model(_)) => Some("not modelled"),
            _ => None,
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(release) => write!(f, "broker {release}"),
            Self::JavaReads => f.write_str("Java consumer"),
            Self::Model(release) => write!(f, "model {release}"),
        }
    }
}

/// Notes that a feature was seen to work.
pub fn record(feature: Feature, column: Column) -> Result<()> {
    let path = records()?;
    let write = || -> io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = File::options().create(true).append(true).open(&path)?;
        // In one piece: test programs may run side by side.
        file.write_all(line(feature, column).as_bytes())
    };
    write().map_err(Error::doing(format!("writing {}", path.display())))
}

/// The file of the records, below the target folder of this build: `interop/seen.txt`.
pub fn records() -> Result<PathBuf> {
    let program = env::current_exe().map_err(Error::doing("finding this program"))?;
    // target/PROFILE/deps/PROGRAM
    let target = program.ancestors().nth(3).ok_or_else(|| Error::new("no target folder"))?;
    Ok(target.join("interop/seen.txt"))
}

/// The table as Markdown, and what it lacks: cells that servers support and nobody recorded.
pub fn table(records: &str) -> (String, Vec<String>) {
    let seen: BTreeSet<&str> = records.split_inclusive('\n').collect();
    let mut missing = Vec::new();
    let mut text = String::from(HEAD);
    for feature in Feature::ALL {
        let mut cell = |columns: &[Column]| {
            let supported: Vec<_> =
                columns.iter().filter(|column| feature.lacks(**column).is_none()).collect();
            if supported.is_empty() {
                return feature.lacks(columns[0]).unwrap_or_default();
            }
            let unseen = supported.into_iter().filter(|c| !seen.contains(&*line(feature, **c)));
            let unseen: Vec<_> = unseen.map(|c| format!("{feature:?} at {c}")).collect();
            let is_seen = unseen.is_empty();
            missing.extend(unseen);
            if is_seen { "yes" } else { "" }
        };
        let cells = [
            cell(&[Column::Broker(Release::V5_4_0)]),
            cell(&[Column::Broker(Release::V4_9_7)]),
            cell(&[Column::JavaReads]),
            cell(&Release::ALL.map(Column::Model)),
        ];
        text += &format!("| {} | {} |\n", feature.title(), cells.join(" | "));
    }
    (text, missing)
}

fn line(feature: Feature, column: Column) -> String {
    format!("{feature:?}\t{column}\n")
}

const HEAD: &str = "\
| | broker 5.4.0 | broker 4.9.7 | a Java consumer reads it | our models agree |
|---|---|---|---|---|
";
