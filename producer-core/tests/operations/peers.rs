//! The other ends of connections: what they read, and what they may say.

use std::collections::BTreeSet;

use producer_core::wire::send::{SendForm, SendRequest};
use producer_core::wire::transaction::CheckTransaction;
use producer_core::wire::{Fields, Head, Header, SerializeType, batch, frame, properties};

use super::said::{self, encode, head};

/// A request that a peer has read.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The place of its connection.
    pub(crate) conn: usize,
    pub(crate) code: i32,
    pub(crate) opaque: i32,
    pub(crate) one_way: bool,
    serialize: SerializeType,
    queue_id: i32,
    /// Those whose messages are in it.
    pub(crate) tickets: BTreeSet<u64>,
    /// Properties of the message.
    pub(crate) properties: String,
}

/// Before the ticket in each body.
const MARK: &[u8] = b"#";

/// A body that says whose it is.
pub(crate) fn body(ticket: u64, padding: usize) -> Vec<u8> {
    let mut body = [MARK, format!("{ticket:08}").as_bytes()].concat();
    body.resize(body.len() + padding, b'.');
    body
}

fn ticket_in(body: &[u8]) -> Option<u64> {
    let digits = body.strip_prefix(MARK)?.get(..8)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads whole frames.
pub(crate) fn read(conn: usize, mut bytes: &[u8]) -> Vec<Asked> {
    let mut all = Vec::new();
    while let Some(found) = frame::split(bytes, usize::MAX).expect("our frames are frames") {
        let header = Header::decode(found.serialize, found.header).expect("our headers");
        let mut asked = Asked {
            conn,
            code: header.code,
            opaque: header.opaque,
            one_way: header.is_one_way(),
            serialize: found.serialize,
            queue_id: 0,
            tickets: BTreeSet::new(),
            properties: String::new(),
        };
        if matches!(header.code, 310 | 320 | 325) && !header.is_response() {
            let send = SendRequest::from_ext(SendForm::V2, &header.ext).expect("our sends");
            asked.queue_id = send.queue_id;
            asked.properties = send.properties.as_deref().unwrap_or("").to_owned();
            if send.batch == Some(true) || header.code == 320 {
                let members = batch::members(found.body).map(|member| member.expect("ours"));
                asked.tickets = members.filter_map(|member| ticket_in(member.body)).collect();
            } else {
                asked.tickets = ticket_in(found.body).into_iter().collect();
            }
        }
        if !header.is_response() {
            all.push(asked);
        }
        bytes = &bytes[found.len..];
    }
    assert!(bytes.is_empty(), "a write ends where a frame does");
    all
}

const CODES: [i32; 20] =
    [0, 0, 0, 0, 10, 11, 12, 1, 2, 13, 14, 16, 17, 29, 204, 205, 215, 1500, 1500, -1];

/// The frame of an answer; `what` 0 is the best there is.
pub(crate) fn answer(asked: &Asked, opaque: i32, what: u8) -> Vec<u8> {
    let mut fields = Fields::new();
    let (mut code, mut body, mut remark) = (0, Vec::new(), None);
    match asked.code {
        105 => (code, body) = route(what),
        310 | 320 | 325 => {
            code = CODES[usize::from(what) % CODES.len()];
            remark = remark_of(what);
            fields = fields
                .text("msgId", "0A00000100002A9F0000000000000001")
                .text("MSG_REGION", if what & 1 == 0 { "DefaultRegion" } else { "other" })
                .text("TRACE_ON", if what & 3 == 3 { "false" } else { "true" });
            // Without them a receipt cannot be made.
            if what < 240 {
                fields = fields.show("queueId", asked.queue_id).show("queueOffset", what);
            }
        }
        _ if what >= 128 => code = CODES[usize::from(what) % CODES.len()],
        _ => {}
    }
    let head = Head { code, opaque, flag: Head::RESPONSE, remark, ..head() };
    let serialize = match (what & 64 != 0, asked.serialize) {
        (false, same) => same,
        (true, SerializeType::Json) => SerializeType::RocketMq,
        (true, SerializeType::RocketMq) => SerializeType::Json,
    };
    encode(serialize, &head, &fields, &body)
}

fn remark_of(what: u8) -> Option<&'static str> {
    const REMARKS: [&str; 5] = [
        "the broker's page cache is busy [PCBUSY_CLEAN_QUEUE]",
        "request queueId[9] is illegal, [broker]",
        "push reply message fail, channel of <c@1> not found.",
        "service not available now, maybe disk full",
        "it \"says\"\n\u{e4}",
    ];
    (what >= 32).then(|| REMARKS[usize::from(what) % REMARKS.len()])
}

/// What a name server says of a topic: brokers `a`, `b`, `c` at `…:1` or `…:2`, or something worse.
fn route(what: u8) -> (i32, Vec<u8>) {
    let kind = what % 16;
    if kind == 15 {
        return (17, Vec::new());
    }
    if kind == 14 {
        return (1, Vec::new());
    }
    let names = &["a", "b", "c"][..if kind < 3 { 3 - usize::from(kind) } else { 2 }];
    let (mut brokers, mut queues) = (Vec::new(), Vec::new());
    for (at, name) in names.iter().enumerate() {
        let moved = 1 + u8::from(kind == 4 || (kind == 5 && at == 0));
        let id = u8::from(kind == 6 || (kind == 7 && at == 0));
        let perm = if kind == 8 || (kind == 9 && at == 0) { 4 } else { 6 };
        let count = if kind == 10 { 0 } else { 1 + what / 16 % 4 };
        brokers.push(format!(
            r#"{{"brokerAddrs":{{{id}:"{name}:{moved}0911"}},"brokerName":"{name}","cluster":"c"}}"#
        ));
        queues.push(format!(
            r#"{{"brokerName":"{name}","perm":{perm},"readQueueNums":{count},"topicSysFlag":0,"writeQueueNums":{count}}}"#
        ));
    }
    let ordered = if kind == 11 { r#""orderTopicConf":"a:2;b:1","# } else { "" };
    let text = format!(
        r#"{{{ordered}"brokerDatas":[{}],"filterServerTable":{{}},"queueDatas":[{}]}}"#,
        brokers.join(","),
        queues.join(",")
    );
    let end = if kind == 12 { text.len() / 2 } else { text.len() };
    (0, text.as_bytes()[..end].to_vec())
}

/// A request of a peer, about a message whose properties it knows.
pub(crate) fn push(what: u8, about: Option<&str>) -> Vec<u8> {
    let known = about.unwrap_or("");
    let code = [39, 39, 326, 326, 40, 220, 221, 307, 309, 4_711][usize::from(what) % 10];
    let flag = if what & 32 == 32 { Head::ONE_WAY } else { Head::REQUEST };
    let head = Head { code, opaque: i32::from(what), flag, ..head() };
    let json = SerializeType::Json;
    match code {
        39 if what < 200 => {
            let mut half = Vec::new();
            said::half_stored("t0", known, b"half", 0).encode(&mut half).expect("it fits");
            encode(json, &head, &check(known, what).to_ext(), &half)
        }
        326 if what < 200 => encode(json, &head, &said::reply(known, 0).to_ext(), b"a reply"),
        _ => encode(json, &head, &Fields::new(), known.as_bytes()),
    }
}

fn check(known: &str, what: u8) -> CheckTransaction {
    CheckTransaction {
        topic: Some("t0".into()),
        tran_state_table_offset: 40,
        commit_log_offset: 4_000,
        msg_id: properties::get(known, "UNIQ_KEY").map(Into::into),
        transaction_id: properties::get(known, "UNIQ_KEY").map(Into::into),
        offset_msg_id: None,
        broker_name: (what & 16 == 0).then(|| "a".into()),
    }
}
