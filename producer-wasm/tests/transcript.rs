//! The core, driven as a page drives it, in this process: calls and what each left, written to
//! `target/tmp/transcripts.json`. `test/transcript.test.mjs` makes the same calls of the module in Node, and
//! `tests/browser/transcript.mjs` in Chromium; every number, text and frame must be the same.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;

use producer_wasm::Core;

const SETTINGS: &str = "group\u{1}pages\u{1}timeout\u{1}2000\u{1}";
const UNIX_MS: f64 = 1_700_000_000_000.0;
const TRANSCRIPTS: u32 = 20;
const STEPS: usize = 400;

#[test]
fn transcripts_are_written() {
    let all: Vec<String> = (1..=TRANSCRIPTS).map(|seed| Transcript::of(seed).json()).collect();
    let frames: usize = all.iter().map(|one| one.matches("\"take\"").count()).sum();
    assert!(frames > 1_000, "{frames} frames are too few to say much");
    let path = concat!(env!("CARGO_TARGET_TMPDIR"), "/transcripts.json");
    std::fs::write(path, format!("[{}]", all.join(",\n"))).unwrap();
}

/// What was called, and what it left.
struct Transcript {
    core: Core,
    seed: u32,
    dice: u64,
    now: f64,
    lines: Vec<String>,
    /// Connections that are open, and requests on them that wait for an answer.
    open: Vec<(u32, Vec<Request>)>,
    tickets: u32,
}

struct Request {
    code: u16,
    opaque: i32,
}

impl Transcript {
    fn of(seed: u32) -> Self {
        let core = Core::new(SETTINGS, &[seed, 7], UNIX_MS).unwrap();
        let dice = u64::from(seed) * 0x9E37_79B9_7F4A_7C15 + 1;
        let mut one =
            Self { core, seed, dice, now: 0.0, lines: Vec::new(), open: Vec::new(), tickets: 0 };
        for _ in 0..STEPS {
            one.step();
        }
        one
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        self.dice % bound
    }

    fn step(&mut self) {
        self.now += self.below(40) as f64 / 4.0;
        let now = self.now;
        match self.below(10) {
            0..4 => self.send(),
            4..8 => self.answer(),
            8 => {
                let count = self.core.timeout(now);
                self.left("timeout", format_args!("{now}"), count);
            }
            _ if self.below(8) == 0 => self.break_one(),
            _ => {
                self.core.wall_clock(now, UNIX_MS + now);
                let count = self.core.flush(now);
                self.left("flush", format_args!("{now}"), count);
            }
        }
    }

    fn send(&mut self) {
        let (now, ticket) = (self.now, self.tickets);
        self.tickets += 1;
        let body: Vec<u8> = (0..self.below(300)).map(|byte| byte as u8).collect();
        let queue = ["", "skey-é", "akey", "hhash", "r"][self.below(5) as usize];
        let kind = u32::from(self.below(6) == 0);
        let head = format!("orders\u{1}tag\u{1}k1\u{2}k2\u{1}{queue}\u{1}\u{1}name\u{1}välue");
        let args = format!(
            "{now},{ticket},{kind},{},\"{}\",500",
            quoted(&head),
            hex(&body)
        );
        let count = self.core.send(now, ticket, kind, &head, body, 500.0);
        self.left("send", format_args!("{args}"), count);
    }

    /// The oldest request of some connection is answered, wrongly now and then.
    fn answer(&mut self) {
        let waiting: Vec<usize> =
            (0..self.open.len()).filter(|&n| !self.open[n].1.is_empty()).collect();
        if waiting.is_empty() {
            return;
        }
        let place = waiting[self.below(waiting.len() as u64) as usize];
        let Request { code, opaque } = self.open[place].1.remove(0);
        let conn = self.open[place].0;
        let busy = self.below(12) == 0;
        let bytes = answer_to(code, opaque, busy);
        let now = self.now;
        let count = self.core.received(now, conn, &bytes);
        self.left("received", format_args!("{now},{conn},\"{}\"", hex(&bytes)), count);
    }

    fn break_one(&mut self) {
        if self.open.is_empty() {
            return;
        }
        let place = self.below(self.open.len() as u64) as usize;
        let (conn, _) = self.open.remove(place);
        let now = self.now;
        let count = self.core.closed(now, conn, 4510, "reset");
        self.left("closed", format_args!("{now},{conn},4510,\"reset\""), count);
    }

    /// Writes down a call and what it left, and does what that asks for.
    fn left(&mut self, method: &str, args: std::fmt::Arguments<'_>, count: u32) {
        let (numbers, text) = self.core.left();
        assert_eq!(numbers.len(), count as usize);
        let (numbers, text) = (numbers.to_vec(), text.to_owned());
        let shown: Vec<String> = numbers.iter().map(|number| shown(*number)).collect();
        self.lines.push(format!(
            "[\"{method}\",[{args}],[{}],{}]",
            shown.join(","),
            quoted(&text)
        ));
        let conns = self.dialled(&numbers);
        if method == "take" {
            return;
        }
        for conn in conns {
            self.open.push((conn, Vec::new()));
            let now = self.now;
            let count = self.core.connected(now, conn);
            self.left("connected", format_args!("{now},{conn}"), count);
        }
        for conn in self.open.iter().map(|(conn, _)| *conn).collect::<Vec<_>>() {
            let count = self.core.take(conn);
            let frame = self.core.taken().to_vec();
            if frame.is_empty() {
                continue;
            }
            if let Some((_, waiting)) = self.open.iter_mut().find(|(open, _)| *open == conn) {
                waiting.extend(requests(&frame));
            }
            self.left("take", format_args!("{conn},\"{}\"", hex(&frame)), count);
        }
    }

    /// Connections that are to be made; those to be ended are forgotten.
    fn dialled(&mut self, numbers: &[f64]) -> Vec<u32> {
        let mut conns = Vec::new();
        let mut at = 2;
        while at < numbers.len() {
            // All fields are a number each: texts are their lengths.
            let fields = match numbers[at] as u32 {
                2 | 3 | 15 | 16 => 1,
                6 | 13 | 14 | 18 | 19 => 2,
                1 => 3,
                17 => 5,
                5 => 11,
                4 => 12,
                op => panic!("op {op} is not expected"),
            };
            let conn = numbers[at + 1] as u32;
            match numbers[at] as u32 {
                1 => conns.push(conn),
                3 => self.open.retain(|(open, _)| *open != conn),
                _ => {}
            }
            at += 1 + fields;
        }
        conns
    }

    fn json(self) -> String {
        format!("{{\"seed\":[{},7],\"calls\":[{}]}}", self.seed, self.lines.join(",\n"))
    }
}

/// Requests in written bytes that want an answer.
fn requests(mut bytes: &[u8]) -> Vec<Request> {
    let number = |bytes: &[u8], at: usize| i32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (frame, rest) = bytes.split_at(4 + number(bytes, 0) as usize);
        bytes = rest;
        // A binary header: code, language, version, opaque, flag; bit 1 of which is one-way.
        let code = u16::from_be_bytes([frame[8], frame[9]]);
        if number(frame, 17) & 2 == 0 {
            all.push(Request { code, opaque: number(frame, 13) });
        }
    }
    all
}

const ROUTE: u16 = 105;

fn answer_to(code: u16, opaque: i32, busy: bool) -> Vec<u8> {
    let (result, fields, body) = match code {
        ROUTE => (0, "{}".to_owned(), route()),
        _ if busy => (2, "{}".to_owned(), String::new()),
        _ => {
            let fields = format!(
                r#"{{"msgId":"0A00000100002A9F0000000000000001","queueId":"1","queueOffset":"{opaque}"}}"#
            );
            (0, fields, String::new())
        }
    };
    let header = format!(
        r#"{{"code":{result},"flag":1,"language":"JAVA","opaque":{opaque},"version":493,"serializeTypeCurrentRPC":"JSON","extFields":{fields}}}"#
    );
    let mut bytes = Vec::new();
    bytes.extend((4 + header.len() as u32 + body.len() as u32).to_be_bytes());
    bytes.extend((header.len() as u32).to_be_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(body.as_bytes());
    bytes
}

fn route() -> String {
    let queue = |name| {
        format!(
            r#"{{"brokerName":"{name}","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}}"#
        )
    };
    let broker = |name, address| {
        format!(
            r#"{{"brokerAddrs":{{"0":"{address}"}},"brokerName":"{name}","cluster":"c"}}"#
        )
    };
    format!(
        r#"{{"brokerDatas":[{},{}],"filterServerTable":{{}},"queueDatas":[{},{}]}}"#,
        broker("a", "10.0.0.1:10911"),
        broker("b", "10.0.0.2:10911"),
        queue("a"),
        queue("b"),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// As JSON has it, and infinity, which it has not, as text.
fn shown(number: f64) -> String {
    if number.is_infinite() { "\"Infinity\"".to_owned() } else { number.to_string() }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if letter < ' ' => write!(quoted, "\\u{:04x}", u32::from(letter)).unwrap(),
            _ => quoted.push(letter),
        }
    }
    quoted + "\""
}
