//! What must hold whatever a page writes and however it is cut.

use producer_core::wire::client::Heartbeat;
use producer_core::wire::code::request as r;
use producer_core::wire::frame::{FRAME_BYTES_MAX, split};
use producer_core::wire::{Head, Header, SerializeType};
use producer_native::bridge::{Filter, FilterLimits, Grants, Names, Refusal, TargetKind};

/// A connection's filter before it has seen anything.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) to: TargetKind,
    pub(crate) limits: FilterLimits,
    pub(crate) grants: Grants,
}

impl Setting {
    pub(crate) fn new(to: TargetKind, grants: Grants) -> Self {
        Self { to, limits: FilterLimits::default(), grants }
    }

    pub(crate) fn filter(&self) -> Filter {
        Filter::new(self.to, self.limits, self.grants.clone().into())
    }
}

/// Grants of these topics and groups.
pub(crate) fn grants(topics: &[&str], groups: &[&str]) -> Grants {
    Grants {
        topics: Names::new(topics.iter().copied()).expect("valid"),
        groups: Names::new(groups.iter().copied()).expect("valid"),
        ..Grants::everything()
    }
}

/// What passes of some pieces, and why it ended.
pub(crate) fn pass<'p>(
    setting: &Setting,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> (Vec<u8>, Option<Refusal>) {
    let mut filter = setting.filter();
    let (mut passed, mut refused) = (Vec::new(), None);
    for piece in pieces {
        let verdict = filter.check(piece);
        assert!(refused.is_none() || verdict.passed == 0, "nothing passes behind a refusal");
        passed.extend_from_slice(verdict.held);
        passed.extend_from_slice(&piece[..verdict.passed]);
        refused = refused.or(verdict.refused);
    }
    (passed, refused)
}

/// The pieces between ascending cuts.
pub(crate) fn pieces<'b>(bytes: &'b [u8], cuts: &[usize]) -> Vec<&'b [u8]> {
    let mut from = 0;
    let ends = cuts.iter().copied().chain([bytes.len()]);
    ends.map(|to| &bytes[std::mem::replace(&mut from, to)..to]).collect()
}

/// Checks all of it for one stream of bytes and one way to cut it; returns why it was refused.
pub(crate) fn check(setting: &Setting, bytes: &[u8], cuts: &[usize]) -> Option<Refusal> {
    let (passed, refused) = pass(setting, [bytes]);
    let cut = pass(setting, pieces(bytes, cuts));
    assert_eq!((&passed, refused), (&cut.0, cut.1), "pieces change nothing: {cuts:?}");
    assert!(bytes.starts_with(&passed), "what passes is a prefix");

    let mut rest = &*passed;
    while let Some(frame) = split(rest, FRAME_BYTES_MAX).expect("lengths that a broker takes") {
        assert_eq!(frame.serialize, SerializeType::RocketMq);
        allowed(setting, frame.header, Some(frame.body));
        rest = &rest[frame.len..];
    }
    if rest.is_empty() {
        let waiting = &bytes[passed.len()..];
        assert!(refused.is_some() || waits(setting, waiting), "held back without a reason");
    } else {
        assert_eq!(refused, None, "frames before a refused one are whole");
        assert_eq!(passed.len(), bytes.len(), "bodies pass as they come");
        let header = u32::from_be_bytes([0, rest[5], rest[6], rest[7]]) as usize;
        allowed(setting, &rest[8..8 + header], None);
    }
    refused
}

/// The same for bytes that choose: the first who may do what, the next two where the rest is cut.
pub(crate) fn check_chosen(bytes: &[u8]) -> Option<Refusal> {
    let (chosen, stream) = bytes.split_first_chunk::<3>()?;
    let place = |part: u8| usize::from(part) * stream.len() / 255;
    let mut cuts = [place(chosen[1]), place(chosen[2])];
    cuts.sort_unstable();
    check(&settings()[usize::from(chosen[0]) % 4], stream, &cuts)
}

/// A page, a tenant at a broker and at a name server, and one with all that is optional.
pub(crate) fn settings() -> [Setting; 4] {
    let mut optional = Setting::new(TargetKind::Broker, grants(&["a-*"], &["g-a"]));
    optional.limits.recall = true;
    optional.limits.replies = true;
    [
        Setting::new(TargetKind::Broker, Grants::everything()),
        Setting::new(TargetKind::Broker, grants(&["a-*"], &["g-a"])),
        Setting::new(TargetKind::NameServer, grants(&["a-*"], &["*"])),
        optional,
    ]
}

/// Whether the start of a frame cannot be judged yet.
fn waits(setting: &Setting, start: &[u8]) -> bool {
    let Some(lengths) = start.first_chunk::<8>() else { return true };
    let header = u32::from_be_bytes([0, lengths[5], lengths[6], lengths[7]]) as usize;
    let whole = u32::from_be_bytes([lengths[0], lengths[1], lengths[2], lengths[3]]) as usize + 4;
    let heartbeat = setting.to == TargetKind::Broker && start[8..].starts_with(&[0, 34]);
    start.len() < if heartbeat { whole } else { 8 + header }
}

/// What a broker reads in a header that passed: the decoder of the core is the judge.
fn allowed(setting: &Setting, header: &[u8], body: Option<&[u8]>) {
    let read = Header::decode(SerializeType::RocketMq, header).expect("a header that decodes");
    let field = |name: &str| read.ext.get(name).map(|text| text.to_cow());
    if read.is_response() {
        assert!(setting.limits.replies && body.is_none_or(<[u8]>::is_empty));
        return;
    }
    assert!(matches!(read.flag, Head::REQUEST | Head::ONE_WAY));
    let codes: &[i32] = match setting.to {
        TargetKind::NameServer => &[r::GET_ROUTEINFO_BY_TOPIC],
        TargetKind::Broker => &[
            r::SEND_MESSAGE_V2,
            r::SEND_BATCH_MESSAGE,
            r::HEART_BEAT,
            r::UNREGISTER_CLIENT,
            r::END_TRANSACTION,
            r::GET_MAX_OFFSET,
        ],
    };
    let optional = match read.code {
        r::RECALL_MESSAGE => setting.limits.recall,
        r::SEND_REPLY_MESSAGE_V2 => setting.limits.replies,
        _ => false,
    } && setting.to == TargetKind::Broker;
    assert!(codes.contains(&read.code) || optional, "code {}", read.code);

    let sends =
        matches!(read.code, r::SEND_MESSAGE_V2 | r::SEND_BATCH_MESSAGE | r::SEND_REPLY_MESSAGE_V2);
    let (topic, group) = if sends { ("b", "a") } else { ("topic", "producerGroup") };
    let Grants { topics, groups, .. } = &setting.grants;
    let untold = matches!(read.code, r::HEART_BEAT | r::UNREGISTER_CLIENT | r::END_TRANSACTION);
    if *topics != Names::Any && !untold {
        let topic = field(topic).expect("a topic");
        let creation = setting.to == TargetKind::NameServer && topic == "TBW102";
        assert!(creation || topics.allow(topic.as_bytes()), "topic {topic}");
    }
    let grouped = sends || matches!(read.code, r::UNREGISTER_CLIENT | r::END_TRANSACTION);
    if *groups != Names::Any && grouped {
        assert!(groups.allow(field(group).expect("a group").as_bytes()));
    }
    if read.code == r::UNREGISTER_CLIENT {
        assert_eq!(field("consumerGroup"), None);
    }
    if read.code == r::HEART_BEAT {
        let body = body.expect("passes as a whole");
        let heartbeat = Heartbeat::decode(body).expect("a heartbeat that decodes");
        assert!(heartbeat.producer_groups.iter().all(|group| groups.allow(group.as_bytes())));
        let consumers: serde_json::Value = serde_json::from_slice(body).expect("JSON");
        assert!(consumers["consumerDataSet"].as_array().is_none_or(Vec::is_empty));
    }
}
