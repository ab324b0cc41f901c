//! A client of a few lines that speaks the wire codec over TCP.

pub(crate) mod direct;
pub(crate) mod document;

use std::net::SocketAddr;

use producer_core::wire::frame::{self, FRAME_BYTES_MAX};
use producer_core::wire::route::TopicRouteData;
use producer_core::wire::send::{SendForm, SendRequest};
use producer_core::wire::{Fields, Head, Header, SerializeType, Text, encode_frame, properties};
use sim::model::ConnId;
use sim::model::broker::Broker;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that asks one thing at a time, or several.
pub(crate) struct Client {
    stream: TcpStream,
    inbox: Vec<u8>,
    opaque: i32,
}

/// An answer, taken out of its frame.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) code: i32,
    pub(crate) opaque: i32,
    pub(crate) flag: i32,
    pub(crate) remark: Option<String>,
    pub(crate) ext: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn new(header: &Header<'_>, body: &[u8]) -> Self {
        let text = |text: Text<'_>| text.to_cow().into_owned();
        Self {
            code: header.code,
            opaque: header.opaque,
            flag: header.flag,
            remark: header.remark.map(text),
            ext: header.ext.iter().map(|(key, value)| (text(key), text(value))).collect(),
            body: body.to_vec(),
        }
    }

    pub(crate) fn ext(&self, name: &str) -> Option<&str> {
        self.ext.iter().find(|field| field.0 == name).map(|field| field.1.as_str())
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        Ok(Self { stream, inbox: Vec::new(), opaque: 0 })
    }

    pub(crate) async fn put(
        &mut self,
        code: i32,
        fields: &Fields<'_>,
        body: &[u8],
    ) -> std::io::Result<i32> {
        let opaque = self.opaque;
        self.opaque += 1;
        let head = Head { code, version: 409, opaque, ..Head::default() };
        let mut out = Vec::new();
        encode_frame(&mut out, SerializeType::RocketMq, &head, fields.iter(), body)
            .expect("a test's request fits a frame");
        self.stream.write_all(&out).await?;
        Ok(opaque)
    }

    /// The next answer; an error if the connection ends first.
    pub(crate) async fn next(&mut self) -> std::io::Result<Got> {
        loop {
            let split = frame::split(&self.inbox, FRAME_BYTES_MAX);
            if let Some(frame) = split.map_err(std::io::Error::other)? {
                let header =
                    Header::decode(frame.serialize, frame.header).map_err(std::io::Error::other)?;
                let got = Got::new(&header, frame.body);
                let len = frame.len;
                self.inbox.drain(..len);
                return Ok(got);
            }
            let mut buffer = [0; 4096];
            let len = self.stream.read(&mut buffer).await?;
            if len == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.inbox.extend_from_slice(&buffer[..len]);
        }
    }

    pub(crate) async fn ask(
        &mut self,
        code: i32,
        fields: &Fields<'_>,
        body: &[u8],
    ) -> std::io::Result<Got> {
        self.put(code, fields, body).await?;
        self.next().await
    }

    pub(crate) async fn send(
        &mut self,
        topic: &str,
        queue_id: i32,
        body: &str,
    ) -> std::io::Result<Got> {
        let request = send_request(topic, queue_id);
        self.ask(310, &request.to_ext(SendForm::V2), body.as_bytes()).await
    }

    pub(crate) async fn route(&mut self, topic: &str) -> std::io::Result<Option<TopicRouteData>> {
        let got = self.ask(105, &Fields::new().text("topic", topic), &[]).await?;
        if got.code != 0 {
            return Ok(None);
        }
        TopicRouteData::decode(&got.body).map(Some).map_err(std::io::Error::other)
    }
}

pub(crate) fn send_request(topic: &str, queue_id: i32) -> SendRequest<'_> {
    SendRequest {
        producer_group: "g".into(),
        topic: topic.into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id,
        properties: Some("UNIQ_KEY\u{1}0A\u{2}".into()),
        ..SendRequest::default()
    }
}

/// A heartbeat of a client with one group.
pub(crate) fn beat(broker: &mut direct::Direct<Broker>, conn: ConnId, client: &str, group: &str) {
    let body =
        format!(r#"{{"clientID":"{client}","producerDataSet":[{{"groupName":"{group}"}}]}}"#);
    let got = broker.ask(conn, 34, &Fields::new(), body.as_bytes());
    assert_eq!(got[0].code, 0, "{got:?}");
}

/// Sends a half message of the group `g` to queue 2 of topic `T`.
pub(crate) fn send_half(
    broker: &mut direct::Direct<Broker>,
    conn: ConnId,
    key: &str,
    born_timestamp: i64,
    more: &[(&str, &str)],
) -> Got {
    let usual = [("UNIQ_KEY", key), ("TRAN_MSG", "true"), ("PGROUP", "g"), ("WAIT", "true")];
    let properties = properties::encode(usual.into_iter().chain(more.iter().copied()));
    let request = SendRequest {
        sys_flag: 4,
        born_timestamp,
        properties: Some(properties.into()),
        ..send_request("T", 2)
    };
    broker.ask(conn, 310, &request.to_ext(SendForm::V2), b"half").remove(0)
}
