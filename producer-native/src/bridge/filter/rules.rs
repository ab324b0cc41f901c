//! Which requests may a page send, and where in them is what a token limits?

use producer_core::wire::code::request;

use super::{FilterLimits, TargetKind};

/// One request that pages may send. What is in no rule is refused.
pub(super) struct Rule {
    pub(super) code: i16,
    to: TargetKind,
    when: When,
    /// Names of the fields that decide, each in its slot; an empty name is in no request.
    fields: [&'static [u8]; FIELDS],
    /// What their names begin with, a bit a letter: most fields of a send are seen by it to be others.
    letters: u32,
    /// Whether every connection's fields are read, not only those whose token gives names.
    pub(super) always_read: bool,
    pub(super) body: Body,
    /// What a token that names topics, or groups, asks of the fields.
    pub(super) topic: Needs,
    pub(super) group: Needs,
}

/// Slots of the fields that decide.
pub(super) const TOPIC: usize = 0;
pub(super) const GROUP: usize = 1;
pub(super) const PROPERTIES: usize = 2;
pub(super) const CONSUMER_GROUP: usize = 3;
pub(super) const NAMESPACE: usize = 4;
pub(super) const FIELDS: usize = 5;

/// Whether a request passes by default.
enum When {
    Always,
    Recall,
    Replies,
}

/// What a request must show to a token that gives names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: there is no such field, or brokers do not act on it.
    Nothing,
    /// The field, and that the token names it.
    Checked,
    /// Brokers look at the group in place of the topic, so the token must name groups.
    GroupInstead,
}

/// What is known about a request's body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Messages; it passes without a look.
    Messages,
    /// None.
    Empty,
    /// What a client says about itself; it is held until all of it was read.
    Heartbeat,
}

/// Fields of a send in its short form (spec §2.3, `SendMessageRequestHeaderV2.java`).
const SEND: [&[u8]; FIELDS] = [b"b", b"a", b"i", b"", b"ns"];
/// Fields of all other requests.
const USUAL: [&[u8]; FIELDS] = [b"topic", b"producerGroup", b"", b"consumerGroup", b"ns"];

/// The one that nearly all frames are comes first.
pub(super) static RULES: [Rule; 9] = [
    send(request::SEND_MESSAGE_V2),
    send(request::SEND_BATCH_MESSAGE),
    // Its groups are in the body.
    Rule { topic: Needs::Nothing, body: Body::Heartbeat, ..question(request::HEART_BEAT) },
    Rule { to: TargetKind::NameServer, ..question(request::GET_ROUTEINFO_BY_TOPIC) },
    // The core's probe of a broker that was silent.
    question(request::GET_MAX_OFFSET),
    // A page that could name a consumer group here could send that group's consumers away.
    Rule {
        always_read: true,
        topic: Needs::Nothing,
        group: Needs::Checked,
        ..question(request::UNREGISTER_CLIENT)
    },
    // Its topic is that of the half messages if it follows a check, and 4.9 has none.
    Rule {
        topic: Needs::GroupInstead,
        group: Needs::Checked,
        ..question(request::END_TRANSACTION)
    },
    // The group is optional and brokers do not read it; the handle is for its topic only.
    Rule { when: When::Recall, ..question(request::RECALL_MESSAGE) },
    Rule { when: When::Replies, ..send(request::SEND_REPLY_MESSAGE_V2) },
];

const fn send(code: i32) -> Rule {
    Rule {
        fields: SEND,
        letters: letters(&SEND),
        body: Body::Messages,
        group: Needs::Checked,
        ..question(code)
    }
}

/// A request to a broker about a topic, without a body.
const fn question(code: i32) -> Rule {
    assert!(code > 0 && code <= i16::MAX as i32, "a binary header has 16 bits for it");
    Rule {
        code: code as i16,
        to: TargetKind::Broker,
        when: When::Always,
        fields: USUAL,
        letters: letters(&USUAL),
        always_read: false,
        body: Body::Empty,
        topic: Needs::Checked,
        group: Needs::Nothing,
    }
}

const fn letters(names: &[&[u8]; FIELDS]) -> u32 {
    let (mut all, mut at) = (0, 0);
    while at < names.len() {
        if let [first, ..] = names[at] {
            all |= letter(*first);
        }
        at += 1;
    }
    all
}

const fn letter(of: u8) -> u32 {
    1 << (of % 32)
}

impl Rule {
    /// The slot of a field that decides.
    #[inline]
    pub(super) fn slot(&self, name: &[u8]) -> Option<usize> {
        if name.first().is_none_or(|first| self.letters & letter(*first) == 0) {
            return None;
        }
        self.fields.iter().position(|wanted| same(wanted, name))
    }
}

/// Whether two names are the same. They are so short that a call would cost more.
#[inline]
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one == other)
}

/// The rule of a request, and its place among all.
#[inline]
pub(super) fn find(
    code: i16,
    to: TargetKind,
    limits: &FilterLimits,
) -> Option<(usize, &'static Rule)> {
    let (at, rule) = RULES.iter().enumerate().find(|(_, rule)| rule.code == code)?;
    let on = match rule.when {
        When::Always => true,
        When::Recall => limits.recall,
        When::Replies => limits.replies,
    };
    (on && rule.to == to).then_some((at, rule))
}
