//! The null broker: a name server and brokers that do nothing but answer.
//!
//! It reads as much as there is, copies the opaque number of each request into a ready answer, and
//! writes all answers at once; nothing is parsed that is not needed for that, nothing stored. So it
//! is never what a client waits for: it answers several million requests a second.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Codes of a request for a route (GET_ROUTEINFO_BY_TOPIC), and of a send (SEND_MESSAGE_V2).
const ROUTE: &[u8] = b"105";
const SEND: &[u8] = b"310";
/// Longer frames are skipped over without being seen.
const BUFFER: usize = 256 << 10;

/// Listens for a name server and so many brokers; their addresses, in this order. Of the sends of a
/// connection, if they have JSON headers, no more than `sends` get an answer.
pub(crate) fn start(brokers: usize, sends: u64) -> Vec<String> {
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let name_server = listen();
    let listeners: Vec<TcpListener> = (0..brokers).map(|_| listen()).collect();
    let address = |listener: &TcpListener| listener.local_addr().unwrap().to_string();
    let mut all = vec![address(&name_server)];
    all.extend(listeners.iter().map(address));
    let route: Arc<[u8]> = route(&all[1..]).into_bytes().into();
    for listener in listeners.into_iter().chain([name_server]) {
        let route = route.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let route = route.clone();
                std::thread::spawn(move || {
                    let answers = Json { sends, ..Json::default() };
                    serve(stream.unwrap(), &route, BUFFER, answers, &mut |_| ());
                });
            }
        });
    }
    all
}

/// The route of every topic: four queues on each broker.
pub(crate) fn route(brokers: &[String]) -> String {
    let data = |(n, address): (usize, &String)| {
        // One client reads no route without the last field, which 5.x always writes.
        format!(
            r#"{{"brokerAddrs":{{"0":"{address}"}},"brokerName":"broker-{n}","cluster":"c","enableActingMaster":false}}"#
        )
    };
    let queues = |n: usize| {
        format!(
            r#"{{"brokerName":"broker-{n}","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}}"#
        )
    };
    let datas: Vec<String> = brokers.iter().enumerate().map(data).collect();
    let queues: Vec<String> = (0..brokers.len()).map(queues).collect();
    let (datas, queues) = (datas.join(","), queues.join(","));
    format!(r#"{{"brokerDatas":[{datas}],"filterServerTable":{{}},"queueDatas":[{queues}]}}"#)
}

/// Answers one connection until it ends. `seen` is shown every frame that fits into so many bytes.
pub(crate) fn serve(
    mut stream: TcpStream,
    route: &[u8],
    bytes: usize,
    mut json: Json,
    seen: &mut dyn FnMut(&[u8]),
) {
    stream.set_nodelay(true).unwrap();
    let mut buffer = vec![0; bytes];
    let mut filled = 0;
    let mut out = Vec::with_capacity(64 << 10);
    // Of a frame that is longer than the buffer: what is still to come of it, and its answer.
    let (mut skip, mut owed) = (0, Vec::new());
    loop {
        let read = match stream.read(&mut buffer[filled..]) {
            Ok(read) if read > 0 => read,
            _ => return,
        };
        filled += read;
        let mut at = 0;
        if skip > 0 {
            at = skip.min(filled);
            skip -= at;
            if skip == 0 {
                out.append(&mut owed);
            }
        }
        while let Some(word) = word(&buffer[at..filled], 0) {
            let total = word as usize + 4;
            let Some(marked) = self::word(&buffer[at..filled], 4) else { break };
            let (is_binary, header) = (marked >> 24 == 1, (marked & 0xff_ffff) as usize);
            let here = filled - at;
            if here < 8 + header || (here < total && total <= bytes) {
                break;
            }
            let head = &buffer[at + 8..at + 8 + header];
            if here < total {
                owed.clear();
                answer(is_binary, head, route, &mut json, &mut owed);
                (skip, at) = (total - here, filled);
                break;
            }
            seen(&buffer[at..at + total]);
            answer(is_binary, head, route, &mut json, &mut out);
            at += total;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        if !out.is_empty() {
            if stream.write_all(&out).is_err() {
                return;
            }
            out.clear();
        }
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|four| u32::from_be_bytes(four.try_into().unwrap()))
}

fn answer(is_binary: bool, head: &[u8], route: &[u8], json: &mut Json, out: &mut Vec<u8>) {
    if is_binary {
        answer_binary(head, route, out);
    } else {
        json.answer(head, route, out);
    }
}

/// Fields and order are those of a 5.4.0 broker.
const FIELDS: [(&str, &str); 6] = [
    ("queueId", "0"),
    ("transactionId", "7F0000010001AABBCCDD00000000ABCD"),
    ("msgId", "C0A8010A00002A9F00000000075BCD15"),
    ("TRACE_ON", "true"),
    ("MSG_REGION", "DefaultRegion"),
    ("queueOffset", "123456"),
];

/// Where things stood in the last header: the next one is probably the same.
pub(crate) struct Json {
    /// How many more sends are answered.
    sends: u64,
    code_at: usize,
    flag_at: usize,
    opaque_at: usize,
    fields: String,
}

impl Default for Json {
    fn default() -> Self {
        Self { sends: u64::MAX, code_at: 0, flag_at: 0, opaque_at: 0, fields: String::new() }
    }
}

impl Json {
    pub(crate) fn answer(&mut self, head: &[u8], route: &[u8], out: &mut Vec<u8>) {
        let code = number(head, b"\"code\":", &mut self.code_at);
        let is_oneway = number(head, b"\"flag\":", &mut self.flag_at) == b"2";
        if is_oneway {
            return;
        }
        if code == SEND {
            let Some(left) = self.sends.checked_sub(1) else { return };
            self.sends = left;
        }
        let opaque = number(head, b"\"opaque\":", &mut self.opaque_at);
        if self.fields.is_empty() {
            let fields = FIELDS.map(|(name, value)| format!(r#""{name}":"{value}""#)).join(",");
            self.fields = format!(
                r#"{{"code":0,"extFields":{{{fields}}},"flag":1,"language":"JAVA","opaque":"#
            );
        }
        let (before, body) = match code == ROUTE {
            true => (&br#"{"code":0,"flag":1,"language":"JAVA","opaque":"#[..], route),
            false => (self.fields.as_bytes(), &[][..]),
        };
        let after = br#","serializeTypeCurrentRPC":"JSON","version":493}"#;
        let header = before.len() + opaque.len() + after.len();
        out.extend_from_slice(&((4 + header + body.len()) as u32).to_be_bytes());
        out.extend_from_slice(&(header as u32).to_be_bytes());
        out.extend_from_slice(before);
        out.extend_from_slice(opaque);
        out.extend_from_slice(after);
        out.extend_from_slice(body);
    }
}

/// The digits behind a key.
fn number<'a>(head: &'a [u8], key: &[u8], at: &mut usize) -> &'a [u8] {
    if !head.get(*at..).is_some_and(|rest| rest.starts_with(key)) {
        let found = head.windows(key.len()).position(|window| window == key);
        *at = found.expect("every header has it");
    }
    let rest = &head[*at + key.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    &rest[..digits]
}

fn answer_binary(head: &[u8], route: &[u8], out: &mut Vec<u8>) {
    let (code, flag) = (&head[..2], &head[9..13]);
    if flag == [0, 0, 0, 2] {
        return;
    }
    let is_route = code == 105_u16.to_be_bytes();
    let start = out.len();
    out.extend_from_slice(&[0; 8]);
    // code, language, version, opaque, flag, no remark
    out.extend_from_slice(&[0, 0, 0, 1, 237]);
    out.extend_from_slice(&head[5..9]);
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0]);
    let fields: &[_] = if is_route { &[] } else { &FIELDS };
    let bytes: usize = fields.iter().map(|(name, value)| 6 + name.len() + value.len()).sum();
    out.extend_from_slice(&(bytes as u32).to_be_bytes());
    for (name, value) in fields {
        out.extend_from_slice(&(name.len() as u16).to_be_bytes());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&(value.len() as u32).to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    let header = (out.len() - start - 8) as u32;
    if is_route {
        out.extend_from_slice(route);
    }
    let total = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&total.to_be_bytes());
    out[start + 4..start + 8].copy_from_slice(&(1 << 24 | header).to_be_bytes());
}
