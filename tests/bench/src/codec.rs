//! What the bytes of a send cost, alone: a frame written and an answer read, beside copying the frame
//! and beside what comes to mind first, a map of fields and `serde_json`.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use producer_core::send_frame::{Filling, Templates};
use producer_core::wire::SerializeType;
use producer_core::wire::frame::split;
use producer_core::wire::send::{Looks, SendResponse};
use producer_core::{Config, MessageId};
use serde::{Deserialize, Serialize};

use crate::broker::Json;
use crate::child::{BE, ONE, Places, this_program};
use crate::figures::{median, range};
use crate::ours::BODY;

/// Frames in a buffer, as one write or read has them.
const FRAMES: usize = 64;
/// Buffers in one sample.
const BUFFERS: usize = 500;
const BODY_BYTES: usize = 128;
const FRAME_BYTES_MAX: usize = 1 << 20;
const BORN_MS: u64 = 1_793_491_200_000;
const ID: &str = "7F0000010001AABBCCDD00000000ABCD";

/// Nanoseconds a frame, of one round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Codec {
    /// A frame copied.
    copy: f64,
    /// A frame written, by the core and by a map.
    write: f64,
    write_map: f64,
    /// An answer read: as one of its kind was before, as the first of its kind, and into a map.
    read: f64,
    read_first: f64,
    read_map: f64,
}

/// Measures it in a process of its own.
pub(crate) fn measure(places: Places, rounds: usize) -> Vec<Codec> {
    let mut command = places.command(ONE, &this_program());
    let done = command.args([BE, "codec", &rounds.to_string()]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("it prints its rounds")
}

/// The child.
pub(crate) fn be(rounds: usize) {
    let mut work = Work::new();
    work.check();
    work.round(); // warms up
    let rounds: Vec<Codec> = (0..rounds).map(|_| work.round()).collect();
    println!("{}", serde_json::to_string(&rounds).unwrap());
}

pub(crate) fn table(rounds: &[Codec]) {
    let ns = |of: fn(&Codec) -> f64| median(rounds.iter().map(of));
    let ratio = |of: fn(&Codec) -> f64| (ns(of), range(rounds.iter().map(of)));
    println!("\n{:42}  {:>8}", "bytes alone, JSON headers, 128 B", "ns");
    for (what, ns) in [
        ("a frame copied", ns(|it| it.copy)),
        ("a frame written", ns(|it| it.write)),
        ("the same, from a HashMap by serde_json", ns(|it| it.write_map)),
        ("an answer read that looks as one before", ns(|it| it.read)),
        ("an answer read that does not", ns(|it| it.read_first)),
        ("the same, into a HashMap by serde_json", ns(|it| it.read_map)),
    ] {
        println!("{what:42}  {ns:>8.1}");
    }
    let judge = |what: &str, (value, (least, most)): (f64, (f64, f64)), met: bool| {
        let met = if met { "met" } else { "MISSED" };
        println!("{what}: {value:.1} ({least:.1}..{most:.1}) {met}");
    };
    let by_copy = ratio(|it| it.write / it.copy);
    judge("G2 a frame written by a frame copied ≤2", by_copy, by_copy.0 <= 2.0);
    let faster = ratio(|it| it.write_map / it.write);
    judge("G2 written faster than by a map ≥60", faster, faster.0 >= 60.0);
    let faster = ratio(|it| it.read_map / it.read);
    judge("G2 read faster than by a map ≥15", faster, faster.0 >= 15.0);
    let faster = ratio(|it| it.read_map / it.read_first);
    judge("G2 the first of its kind ≥15", faster, faster.0 >= 15.0);
}

/// A header as most clients have it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Header {
    code: i32,
    ext_fields: HashMap<String, String>,
    flag: i32,
    language: String,
    opaque: i32,
    #[serde(rename = "serializeTypeCurrentRPC")]
    serialize_type: String,
    version: i32,
}

struct Work {
    config: Config,
    templates: Templates,
    topic_head: Vec<u8>,
    broker_part: Vec<u8>,
    id: MessageId,
    opaque: i32,
    frame: Vec<u8>,
    /// Answers to as many sends as there are frames in a buffer.
    answers: Vec<u8>,
    looks: Looks,
    out: Vec<u8>,
}

impl Work {
    fn new() -> Self {
        let config = Config::default();
        let templates = Templates::new(&config);
        let mut work = Self {
            topic_head: templates.topic_head(&config, "bench", "bench-0"),
            broker_part: templates.broker_part("broker-0"),
            config,
            templates,
            id: MessageId::parse(ID).expect("it is one"),
            // As long as those of a busy producer.
            opaque: 1_000_000,
            frame: Vec::new(),
            answers: Vec::new(),
            looks: Looks::default(),
            out: Vec::new(),
        };
        work.write();
        work.frame = std::mem::take(&mut work.out);
        let mut broker = Json::default();
        for _ in 0..FRAMES {
            work.out.clear();
            work.write();
            let frame = split(&work.out, FRAME_BYTES_MAX).unwrap().unwrap();
            broker.answer(frame.header, &[], &mut work.answers);
        }
        let first = split(&work.answers, FRAME_BYTES_MAX).unwrap().unwrap();
        let answer = SendResponse::decode(SerializeType::Json, first.header).unwrap();
        work.looks.learn(&answer, first.header);
        work
    }

    /// That all ways come to the same.
    fn check(&mut self) {
        self.out.clear();
        self.write();
        let ours = split(&self.out, FRAME_BYTES_MAX).unwrap().unwrap();
        let ours: (Header, _) = (serde_json::from_slice(ours.header).unwrap(), ours.body.to_vec());
        self.opaque -= 1;
        self.out.clear();
        self.write_map();
        let map = split(&self.out, FRAME_BYTES_MAX).unwrap().unwrap();
        assert_eq!(
            (serde_json::from_slice::<Header>(map.header).unwrap(), map.body.to_vec()),
            ours
        );
        let first = split(&self.answers, FRAME_BYTES_MAX).unwrap().unwrap();
        let mut looked = SendResponse::default();
        assert!(self.looks.fill(&mut looked, first.header), "it looks as itself");
        assert_eq!(looked, SendResponse::decode(SerializeType::Json, first.header).unwrap());
        assert_eq!(read_map(&self.answers), first.len);
    }

    fn round(&mut self) -> Codec {
        let frame = std::mem::take(&mut self.frame);
        let copy = self.time(|work| work.out.extend_from_slice(black_box(&frame)));
        self.frame = frame;
        let write = self.time(Self::write);
        let write_map = self.time(Self::write_map);
        let answers = std::mem::take(&mut self.answers);
        let mut at = 0;
        let mut next = |read: &dyn Fn(&[u8]) -> usize| {
            at = (at + read(black_box(&answers[at..]))) % answers.len();
        };
        let read = self.time(|work| next(&|bytes| read_as_before(&work.looks, bytes)));
        let read_first = self.time(|_| next(&read_first));
        let read_map = self.time(|_| next(&read_map));
        self.answers = answers;
        Codec { copy, write, write_map, read, read_first, read_map }
    }

    /// Nanoseconds a frame.
    fn time(&mut self, mut one: impl FnMut(&mut Self)) -> f64 {
        let start = Instant::now();
        for _ in 0..BUFFERS {
            self.out.clear();
            for _ in 0..FRAMES {
                one(self);
            }
            black_box(&self.out);
        }
        start.elapsed().as_nanos() as f64 / (FRAMES * BUFFERS) as f64
    }

    fn write(&mut self) {
        self.opaque += 1;
        let Self { templates, topic_head, broker_part, id, opaque, out, .. } = self;
        templates.append(
            out,
            &Filling {
                topic_head: black_box(topic_head),
                broker_part: black_box(broker_part),
                queue_id: 3,
                born_ms: black_box(BORN_MS),
                sys_flag: 0,
                flag: 0,
                id: black_box(id),
                wait_store_ok: true,
                properties: "",
                body: black_box(&BODY[..BODY_BYTES]),
                opaque: *opaque,
                one_way: false,
            },
        );
    }

    fn write_map(&mut self) {
        self.opaque += 1;
        let queues = self.config.default_topic_queues.to_string();
        let properties = format!("UNIQ_KEY\u{1}{}\u{2}WAIT\u{1}true\u{2}", black_box(&self.id));
        let born = black_box(BORN_MS).to_string();
        let fields = [
            ("a", "bench"),
            ("b", "bench-0"),
            ("c", &self.config.create_topic_key),
            ("d", &queues),
            ("e", "3"),
            ("f", "0"),
            ("g", &born),
            ("h", "0"),
            ("i", &properties),
            ("j", "0"),
            ("k", "false"),
            ("m", "false"),
            ("n", "broker-0"),
        ];
        let owned = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let header = Header {
            code: 310,
            ext_fields: HashMap::from(owned),
            flag: 0,
            language: "RUST".to_owned(),
            opaque: self.opaque,
            serialize_type: "JSON".to_owned(),
            version: self.config.version,
        };
        let header = serde_json::to_vec(&header).unwrap();
        let total = 4 + header.len() + BODY_BYTES;
        self.out.extend_from_slice(&(total as u32).to_be_bytes());
        self.out.extend_from_slice(&(header.len() as u32).to_be_bytes());
        self.out.extend_from_slice(&header);
        self.out.extend_from_slice(black_box(&BODY[..BODY_BYTES]));
    }
}

/// As the producer reads an answer; each of these returns how long it is.
fn read_as_before(looks: &Looks, bytes: &[u8]) -> usize {
    let frame = split(bytes, FRAME_BYTES_MAX).unwrap().unwrap();
    let mut answer = SendResponse::default();
    assert!(looks.fill(&mut answer, frame.header));
    black_box(&answer);
    frame.len
}

fn read_first(bytes: &[u8]) -> usize {
    let frame = split(bytes, FRAME_BYTES_MAX).unwrap().unwrap();
    let answer = SendResponse::decode(frame.serialize, frame.header).unwrap();
    black_box(&answer);
    frame.len
}

fn read_map(bytes: &[u8]) -> usize {
    let frame = split(bytes, FRAME_BYTES_MAX).unwrap().unwrap();
    let header: Header = serde_json::from_slice(frame.header).unwrap();
    let number =
        |name| header.ext_fields.get(name).and_then(|text: &String| text.parse::<i64>().ok());
    black_box((header.code, header.opaque, number("queueId"), number("queueOffset")));
    black_box((header.ext_fields.get("msgId"), header.ext_fields.get("transactionId")));
    frame.len
}
