//! What tests have the Java client 5.4.0 do: read a topic, send in every way it knows, ask and
//! answer. One JVM for all of it: start it once a test.
//!
//! ```no_run
//! use tests::interop::client::{Java, Reach};
//!
//! let java = Java::start()?;
//! let reach = Reach::new("127.0.0.1:9876", "readers");
//! let read = java.consume(&reach, "orders", 10)?;
//! assert_eq!(read[0].keys.as_deref(), Some("order-1001"));
//!
//! // A Java service that answers every request on the topic with "re:" and its body.
//! let service = java.serve(&reach, "questions", &[])?;
//! let replies = java.request(&reach, "questions", 2, 3_000)?;
//! assert_eq!(replies[0]["body"], "re:request-0");
//! assert_eq!(service.stop()?.len(), 2);
//! # Ok::<(), tests::cluster::Error>(())
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::cluster::session::{Call, Session};
use crate::cluster::{Error, Result};

/// A running Java client.
#[derive(Debug)]
pub struct Java {
    session: Session,
}

/// How a Java client reaches a cluster, and as whom.
#[derive(Clone, Debug)]
pub struct Reach {
    settings: Vec<(&'static str, String)>,
}

impl Reach {
    /// By these name servers, `ip:port;ip:port`, in this group.
    pub fn new(name_servers: &str, group: &str) -> Self {
        Self { settings: Vec::new() }.with("name_servers", name_servers).with("group", group)
    }

    /// Signs all requests.
    pub fn credentials(self, access_key: &str, secret_key: &str) -> Self {
        self.with("access_key", access_key).with("secret_key", secret_key)
    }

    /// In a namespace of the old kind, a prefix of topics and groups.
    pub fn namespace(self, namespace: &str) -> Self {
        self.with("namespace", namespace)
    }

    /// In a namespace of the new kind, a field of requests.
    pub fn namespace_v2(self, namespace: &str) -> Self {
        self.with("namespace_v2", namespace)
    }

    /// Over TLS; any certificate is good, as Java has it without a configuration file.
    pub fn tls(self) -> Self {
        self.with("tls", "")
    }

    /// Sends to the port two below the advertised one.
    pub fn vip(self) -> Self {
        self.with("vip", "")
    }

    /// Traces sends, to the default topic.
    pub fn traced(self) -> Self {
        self.with("trace", "")
    }

    /// Compresses bodies from that many bytes: `ZLIB`, `LZ4` or `ZSTD`. Without it Java compresses
    /// from 4096 bytes by zlib.
    pub fn compressed(self, kind: &str, level: i32, over: usize) -> Self {
        let level = self.with("compress", kind).with("compress_level", &level.to_string());
        level.with("compress_over", &over.to_string())
    }

    /// Any setting of `Client.java`.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.settings.retain(|(other, _)| *other != name);
        self.settings.push((name, value.to_owned()));
        self
    }

    fn and<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = self.settings.iter().map(|(name, value)| (*name, value.as_str()));
        own.chain(more.iter().copied()).collect()
    }
}

/// A message as the Java consumer saw it: the body decompressed, all properties.
#[derive(Clone, Debug, Deserialize)]
pub struct Read {
    /// The topic, without its namespace.
    pub topic: String,
    /// The broker it came from.
    pub broker: String,
    /// The queue it was in.
    pub queue_id: u32,
    /// Its place in the queue.
    pub queue_offset: u64,
    /// Java's `getMsgId`: the unique key where there is one.
    pub message_id: String,
    /// The property `UNIQ_KEY`.
    pub uniq_key: Option<String>,
    /// The tag.
    pub tags: Option<String>,
    /// The keys, one string.
    pub keys: Option<String>,
    /// The application's flag.
    pub flag: i32,
    /// Compression, transaction and host bits.
    pub sys_flag: i32,
    /// When the producer says it made the request, in milliseconds since 1970.
    pub born_time_ms: i64,
    /// When the broker stored it, in milliseconds since 1970.
    pub store_time_ms: i64,
    /// How often consumers gave it back.
    pub reconsume_times: i32,
    /// All properties; those of a namespace, the client and the broker too.
    pub properties: BTreeMap<String, String>,
    body_hex: String,
}

impl Read {
    /// The body, decompressed.
    pub fn body(&self) -> Vec<u8> {
        let digits = self.body_hex.as_bytes();
        let digit = |byte: u8| char::from(byte).to_digit(16).expect("hex");
        let byte = |pair: &[u8]| (digit(pair[0]) << 4 | digit(pair[1])) as u8;
        digits.chunks_exact(2).map(byte).collect()
    }
}

impl Java {
    /// Starts it, with the defaults of the JVM.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// Starts it with JVM flags: `-Drocketmq.serialize.type=ROCKETMQ`, for one.
    pub fn start_with(flags: &[&str]) -> Result<Self> {
        Ok(Self { session: Session::start(flags)? })
    }

    /// Reads a topic from its first message: `count` messages or what there is after thirty
    /// seconds, by broker, queue and offset.
    pub fn consume(&self, reach: &Reach, topic: &str, count: usize) -> Result<Vec<Read>> {
        let count = count.to_string();
        let settings = reach.and(&[("topic", topic), ("count", &count)]);
        let results = self.session.begin("consume", &settings)?.finish(LIMIT)?;
        let read: Result<Vec<Read>, _> = results.into_iter().map(serde_json::from_value).collect();
        let mut read = read.map_err(Error::doing("what the Java consumer printed"))?;
        let place = |read: &Read| (read.broker.clone(), read.queue_id, read.queue_offset);
        read.sort_by_key(place);
        Ok(read)
    }

    /// Sends to `topic` by one producer, one step after another, and returns an object a result as
    /// [`Peer::send`](crate::cluster::java::Peer::send) does, with `recallHandle` beside. The i-th
    /// message of a step has the key and body `step-i` and the tag `step`. Steps:
    ///
    /// - `sync:count[:bytes]`, `batch:count[:bytes]`: bodies filled up with `x`;
    /// - `selector:count`: to the queue of Java's hash of the key;
    /// - `delay:count:level`, `timer:count:ms`, `deliver:count:ms from now`, `priority:count:n`;
    /// - `recall:count:ms`: timer messages recalled at once, the answer in `recalled`;
    /// - `request:count:timeout ms`: results with `keys`, `body` and `properties` of the reply;
    /// - `transaction:count:local:check`: what the listener says, `commit`, `rollback`, `unknown`
    ///   or anything else to throw; `localState` beside. A check is a result of its own with the
    ///   api `check` and the message as [`Read`] has it;
    /// - `checks:count`: waits until so many transactions have been asked about and answered for.
    pub fn produce(&self, reach: &Reach, topic: &str, steps: &[&str]) -> Result<Vec<Value>> {
        let steps: Vec<_> = steps.iter().map(|step| ("step", *step)).collect();
        let settings = reach.and(&[&[("topic", topic)], &steps[..]].concat());
        self.session.begin("produce", &settings)?.finish(LIMIT)
    }

    /// As [`Java::produce`], and then the producer stays until it is stopped: Java's shutdown loses
    /// traces that are on their way.
    pub fn produce_and_stay(
        &self,
        reach: &Reach,
        topic: &str,
        steps: &[&str],
    ) -> Result<Running<'_>> {
        let steps: Vec<_> = steps.iter().chain(&["stay:60"]).map(|step| ("step", *step)).collect();
        let settings = reach.and(&[&[("topic", topic)], &steps[..]].concat());
        self.running("produce", &settings)
    }

    /// Asks so many requests, one after the other, and returns what [`Java::produce`] says of the
    /// step `request`.
    pub fn request(
        &self,
        reach: &Reach,
        topic: &str,
        count: usize,
        timeout_ms: u32,
    ) -> Result<Vec<Value>> {
        self.produce(reach, topic, &[&format!("request:{count}:{timeout_ms}")])
    }

    /// Starts a service that answers each message of `topic`, from the first on, with `re:` and the
    /// body, by a pull consumer and `MessageUtil.createReplyMessage`. It has its queues when this
    /// returns. `more`: `reply_delay_ms` waits before each reply.
    pub fn serve(&self, reach: &Reach, topic: &str, more: &[(&str, &str)]) -> Result<Running<'_>> {
        self.running("serve", &reach.and(&[&[("topic", topic)], more].concat()))
    }

    fn running(&self, command: &str, settings: &[(&str, &str)]) -> Result<Running<'_>> {
        let mut call = self.session.begin(command, settings)?;
        call.ready(LIMIT)?;
        Ok(Running { call })
    }
}

/// A Java service or producer that goes on until it is stopped or the JVM ends.
#[derive(Debug)]
pub struct Running<'a> {
    call: Call<'a>,
}

impl Running<'_> {
    /// Stops it: all its results. A service's are the requests it saw, each as [`Read`] has it,
    /// with `reply`, what came of the answer.
    pub fn stop(self) -> Result<Vec<Value>> {
        self.call.stop(LIMIT)
    }
}

const LIMIT: Duration = Duration::from_secs(60);
