//! A blocking client of the remoting protocol, one request at a time, for what the harness asks
//! of servers.

use std::collections::BTreeMap;
use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use producer_core::wire::cluster::ClusterInfo;
use producer_core::wire::code::{request, response};
use producer_core::wire::frame::{FRAME_BYTES_MAX, split};
use producer_core::wire::name_server::RouteRequest;
use producer_core::wire::route::TopicRouteData;
use producer_core::wire::version::V4_9_8;
use producer_core::wire::{Fields, Head, Header, SerializeType, Text, encode_frame};

use super::{Error, Result};

/// One connection to a name server or a broker.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    opaque: i32,
    limit: Duration,
    /// Received, and not yet taken as a frame.
    received: Vec<u8>,
}

/// What a server answered, whatever its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The response code, 0 for success.
    pub code: i32,
    /// The text beside the code; says nothing about success.
    pub remark: Option<String>,
    /// The ext fields.
    pub ext: BTreeMap<String, String>,
    /// The body, empty if there is none.
    pub body: Vec<u8>,
}

impl Client {
    /// Connects; each request then has to be answered within three seconds.
    pub fn connect(peer: SocketAddr) -> Result<Self> {
        Self::connect_within(peer, Duration::from_secs(3))
    }

    /// Connects; `limit` holds for connecting and for each request.
    pub fn connect_within(peer: SocketAddr, limit: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&peer, limit)
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(Error::doing(format!("connecting to {peer}")))?;
        Ok(Self { stream, peer, opaque: 0, limit, received: Vec::new() })
    }

    /// Asks and waits for the answer. After an error the connection is of no more use.
    pub fn call(&mut self, code: i32, ext: &Fields<'_>, body: &[u8]) -> Result<Answer> {
        let answer = self.write(code, Head::REQUEST, ext, body).and_then(|()| self.answer());
        answer.map_err(Error::doing(format!("request {code} to {}", self.peer)))
    }

    /// Sends a request that nobody answers.
    pub fn send_one_way(&mut self, code: i32, ext: &Fields<'_>, body: &[u8]) -> Result<()> {
        let sent = self.write(code, Head::ONE_WAY, ext, body);
        sent.map_err(Error::doing(format!("one-way request {code} to {}", self.peer)))
    }

    /// Asks a name server where a topic lives; `None` if it knows no such topic.
    pub fn route(&mut self, topic: &str) -> Result<Option<TopicRouteData>> {
        let ask = RouteRequest { topic: topic.to_owned(), accept_standard_json_only: None };
        let answer = self.call(request::GET_ROUTEINFO_BY_TOPIC, &ask.to_ext(), &[])?;
        if answer.code == response::TOPIC_NOT_EXIST {
            return Ok(None);
        }
        let route = TopicRouteData::decode(&answer.ok()?.body);
        route.map(Some).map_err(Error::doing(format!("the route of {topic}")))
    }

    /// Asks a name server which brokers it knows.
    pub fn cluster_info(&mut self) -> Result<ClusterInfo> {
        let answer = self.call(request::GET_BROKER_CLUSTER_INFO, &Fields::new(), &[])?.ok()?;
        ClusterInfo::decode(&answer.body).map_err(Error::doing("the list of brokers"))
    }

    fn write(&mut self, code: i32, flag: i32, ext: &Fields<'_>, body: &[u8]) -> Result<()> {
        self.opaque += 1;
        // 4.9.8 is new enough for strict JSON in routes and too old to be told to go away.
        let head = Head { code, flag, opaque: self.opaque, version: V4_9_8, ..Head::default() };
        let mut frame = Vec::new();
        encode_frame(&mut frame, SerializeType::Json, &head, ext.iter(), body)
            .map_err(Error::doing("encoding"))?;
        self.stream.set_write_timeout(Some(self.limit)).map_err(Error::doing("setting a limit"))?;
        self.stream.write_all(&frame).map_err(Error::doing("writing"))
    }

    /// The answer to the last request; older answers and a broker's own requests are dropped.
    fn answer(&mut self) -> Result<Answer> {
        let end = Instant::now() + self.limit;
        loop {
            let whole = split(&self.received, FRAME_BYTES_MAX).map_err(Error::doing("a frame"))?;
            if let Some(frame) = whole {
                let header = Header::decode(frame.serialize, frame.header);
                let header = header.map_err(Error::doing("a header"))?;
                let awaited = header.is_response() && header.opaque == self.opaque;
                let answer = awaited.then(|| Answer::new(&header, frame.body));
                let taken = frame.len;
                self.received.drain(..taken);
                match answer {
                    Some(answer) => return Ok(answer),
                    None => continue,
                }
            }
            self.read_more(end)?;
        }
    }

    fn read_more(&mut self, end: Instant) -> Result<()> {
        let late = || Error::new(format!("not answered in {:?}", self.limit));
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late());
        }
        self.stream.set_read_timeout(Some(left)).map_err(Error::doing("setting a limit"))?;
        let mut chunk = [0; 65_536];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(Error::new("the server closed the connection")),
            Ok(bytes) => {
                self.received.extend_from_slice(&chunk[..bytes]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), WouldBlock | TimedOut) => Err(late()),
            Err(error) => Err(Error::doing("reading")(error)),
        }
    }
}

impl Answer {
    /// Itself if the code is 0, else an error that shows code and remark.
    pub fn ok(self) -> Result<Self> {
        match self.code {
            response::SUCCESS => Ok(self),
            code => {
                let remark = self.remark.as_deref().unwrap_or("no remark");
                Err(Error::new(format!("answered with code {code}: {remark}")))
            }
        }
    }

    /// A number in the ext fields.
    pub fn number(&self, key: &str) -> Result<i64> {
        let value = self.ext.get(key).and_then(|value| value.parse().ok());
        value.ok_or_else(|| Error::new(format!("the answer has no number {key}: {:?}", self.ext)))
    }

    fn new(header: &Header<'_>, body: &[u8]) -> Self {
        let owned = |text: &Text<'_>| text.to_cow().into_owned();
        Self {
            code: header.code,
            remark: header.remark.as_ref().map(owned),
            ext: header.ext.iter().map(|(key, value)| (owned(&key), owned(&value))).collect(),
            body: body.to_vec(),
        }
    }
}
