//! The filter of the bridge: what passes, what does not, and that pieces make no difference.

#[path = "bridge_filter/check.rs"]
mod check;
#[path = "bridge_filter/frames.rs"]
mod frames;
#[path = "bridge_filter/fuzz.rs"]
mod fuzz;

use check::{Setting, check, grants, pass};
use frames::{binary, frame, heartbeat, send, send_fields, usual};
use producer_core::wire::code::request as r;
use producer_core::wire::{Head, SerializeType};
use producer_native::bridge::{Filter, FilterLimits, Grants, Refusal, TargetKind, Why};
use proptest::prelude::*;

const KINDS: [TargetKind; 2] = [TargetKind::NameServer, TargetKind::Broker];

fn all() -> Setting {
    Setting::new(TargetKind::Broker, Grants::everything())
}

fn tenant() -> Setting {
    Setting::new(TargetKind::Broker, grants(&["a-*"], &["g-a"]))
}

/// Why a frame of `setting` is refused, however it is cut in two.
fn refused(setting: &Setting, bytes: &[u8]) -> Option<Why> {
    let mut why = None;
    for cut in 0..=bytes.len() {
        let refusal = check(setting, bytes, &[cut]);
        assert!(refusal.is_none() || pass(setting, [bytes]).0.is_empty(), "not a byte of it");
        why = refusal.map(|refusal| refusal.why);
    }
    why
}

/// T5: all there are, and the ones around them, to both kinds of target, in both kinds of header,
/// cut at every place.
#[test]
fn t05_only_codes_of_producers_pass() {
    let fields = send_fields("g", "t");
    for to in KINDS {
        let setting = Setting::new(to, Grants::everything());
        let named =
            (0..=32_767).filter(|code| producer_core::wire::code::request_name(*code).is_some());
        for code in named.chain([-1, 0, 1, 999, 32_767, -32_768]) {
            let body = if code == r::HEART_BEAT {
                &br#"{"clientID":"c","producerDataSet":[]}"#[..]
            } else {
                b""
            };
            let bytes = frame(SerializeType::RocketMq, code, Head::REQUEST, &fields, body);
            let passes = match to {
                TargetKind::NameServer => code == 105,
                TargetKind::Broker => [310, 320, 34, 35, 37, 30].contains(&code),
            };
            let wanted = if passes { None } else { Some(Why::Code) };
            assert_eq!(refused(&setting, &bytes), wanted, "{to:?} {code}");

            let json = frame(SerializeType::Json, code, Head::REQUEST, &fields, body);
            assert_eq!(refused(&setting, &json), Some(Why::NotBinary { kind: 0 }), "{to:?} {code}");
        }
    }
}

/// T6: what two readers might read differently.
#[test]
fn t06_lengths_that_lie_do_not_pass() {
    let length = |bytes: u32, header: u32| {
        let mut frame = send("g", "t", b"body");
        frame[..4].copy_from_slice(&bytes.to_be_bytes());
        frame[4..8].copy_from_slice(&(1 << 24 | header).to_be_bytes());
        frame
    };
    let max = FilterLimits::default().frame_bytes_max;
    for bytes in [1 << 31, u32::MAX, i32::MAX as u32, max as u32 + 1] {
        let wanted = Some(Why::TooLarge { bytes, max });
        assert_eq!(refused(&all(), &length(bytes, 21)), wanted);
    }
    for (bytes, header) in [(0, 0), (3, 0), (4, 0), (24, 20), (25, 20), (24, 21), (100, 97)] {
        assert_eq!(refused(&all(), &length(bytes, header)), Some(Why::Length), "{bytes} {header}");
    }
    let max = FilterLimits::default().header_bytes_max;
    for header in [65_537, 0xff_ffff] {
        let wanted = Some(Why::HeaderTooLarge { bytes: header, max });
        assert_eq!(refused(&all(), &length(4_000_000, header)), wanted);
    }
    for kind in [0, 2, b'{', 255] {
        let mut bytes = send("g", "t", b"");
        bytes[4] = kind;
        assert_eq!(refused(&all(), &bytes), Some(Why::NotBinary { kind }));
    }
}

/// T6: lengths within the header.
#[test]
fn t06_headers_that_do_not_add_up_do_not_pass() {
    let good = send("g", "t", b"body");
    // Of the remark, of all fields, of the first name and of its value.
    for at in [8 + 13, 8 + 17, 8 + 21, 8 + 24] {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = good.clone();
            if bytes[at] == byte {
                continue;
            }
            bytes[at] = byte;
            // A name of another length may read as something else, which is nothing bad.
            if at != 8 + 21 {
                assert_eq!(refused(&all(), &bytes), Some(Why::Malformed), "{at} {byte}");
            }
            check(&tenant(), &bytes, &[]);
        }
    }
    let mut behind = send("g", "t", b"");
    behind.push(0);
    behind[3] += 1;
    behind[7] += 1;
    assert_eq!(refused(&all(), &behind), Some(Why::Malformed), "a byte behind the fields");

    let mut flag = good;
    flag[8 + 12] = 4;
    assert_eq!(refused(&all(), &flag), Some(Why::Flag));
}

#[test]
fn t06_a_response_does_not_pass_unless_replies_do() {
    let response = frame(SerializeType::RocketMq, 0, Head::RESPONSE, &[], b"");
    let with_body = frame(SerializeType::RocketMq, 0, Head::RESPONSE, &[], b"x");
    let mut replies = all();
    replies.limits.replies = true;

    assert_eq!(refused(&all(), &response), Some(Why::Response));
    assert_eq!(refused(&replies, &response), None);
    assert_eq!(refused(&replies, &with_body), Some(Why::BodyTooLarge { bytes: 1, max: 0 }));
    let name_server = Setting { to: TargetKind::NameServer, ..replies };
    assert_eq!(refused(&name_server, &response), Some(Why::Response));
}

#[test]
fn what_is_optional_passes_when_it_is_switched_on() {
    let recall = binary(r::RECALL_MESSAGE, &[("topic", "t"), ("recallHandle", "h")], b"");
    let reply = binary(r::SEND_REPLY_MESSAGE_V2, &send_fields("g", "C_REPLY_TOPIC"), b"x");
    let limits = FilterLimits { recall: true, replies: true, ..FilterLimits::default() };

    for bytes in [recall, reply] {
        assert_eq!(refused(&all(), &bytes), Some(Why::Code));
        assert_eq!(refused(&Setting { limits, ..all() }, &bytes), None);
    }
}

/// T16: topics and groups of others.
#[test]
fn t16_a_token_of_one_tenant_passes_nothing_of_another() {
    for bytes in usual("g-a", "a-1") {
        assert_eq!(refused(&tenant(), &bytes), None);
    }
    let probe = binary(r::GET_MAX_OFFSET, &[("topic", "b-1"), ("queueId", "0")], b"");
    let leave = binary(r::UNREGISTER_CLIENT, &[("clientID", "c"), ("producerGroup", "g-b")], b"");
    let end = binary(r::END_TRANSACTION, &[("topic", "a-1"), ("producerGroup", "g-b")], b"");
    let no_group = binary(r::END_TRANSACTION, &[("topic", "a-1")], b"");
    let no_topic = binary(r::SEND_MESSAGE_V2, &send_fields("g-a", ""), b"");
    for (bytes, wanted) in [
        (send("g-a", "b-1", b""), Why::Topic),
        (send("g-a", "%RETRY%a-1", b""), Why::Topic),
        (send("g-a", "a-\u{1}", b""), Why::Topic),
        (send("g-b", "a-1", b""), Why::Group),
        (probe, Why::Topic),
        (leave, Why::Group),
        (end, Why::Group),
        (no_group, Why::NoGroup),
        (no_topic, Why::NoTopic),
        (heartbeat(&["g-b"]), Why::Group),
        (heartbeat(&["g-a", "g-b"]), Why::Group),
    ] {
        assert_eq!(refused(&tenant(), &bytes), Some(wanted));
    }
}

/// T16: ways around a name that is looked at.
#[test]
fn t16_a_name_cannot_be_slipped_in() {
    let with = |more: &[(&str, &str)]| {
        let mut fields = send_fields("g-a", "a-1");
        fields.extend_from_slice(more);
        binary(r::SEND_MESSAGE_V2, &fields, b"")
    };
    let properties = |text: &'static str| {
        let mut fields = send_fields("g-a", "a-1");
        fields.retain(|field| field.0 != "i");
        fields.push(("i", text));
        binary(r::SEND_MESSAGE_V2, &fields, b"")
    };
    for (bytes, wanted) in [
        (with(&[("b", "b-1")]), Why::Twice),
        (with(&[("b", "")]), Why::Twice),
        (with(&[("a", "g-a")]), Why::Twice),
        (with(&[("ns", "other"), ("nsd", "true")]), Why::Namespace),
        (properties("A\u{1}1\u{2}INNER_MULTI_DISPATCH\u{1}b-1\u{2}"), Why::Dispatch),
        (properties("TRAN_MSG\u{1}true\u{2}PGROUP\u{1}g-b\u{2}"), Why::Group),
    ] {
        assert_eq!(refused(&tenant(), &bytes), Some(wanted));
        // Who may do everything may do these too.
        assert_eq!(refused(&all(), &bytes), None);
    }
    // A field of another form is no topic to a broker, so it is none here.
    assert_eq!(refused(&tenant(), &with(&[("topic", "b-1")])), None);
    assert_eq!(refused(&tenant(), &properties("PGROUP\u{1}g-a\u{2}")), None);
}

#[test]
fn t16_topics_without_groups_end_no_transactions() {
    let setting = Setting::new(TargetKind::Broker, grants(&["a-*"], &["*"]));
    let end = binary(r::END_TRANSACTION, &[("topic", "a-1"), ("producerGroup", "g-a")], b"");

    assert_eq!(refused(&setting, &end), Some(Why::GroupsUnnamed));
}

#[test]
fn t16_routes_are_those_of_ones_own_topics() {
    let setting = Setting { to: TargetKind::NameServer, ..tenant() };
    let ask = |topic: &str| binary(r::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)], b"");

    assert_eq!(refused(&setting, &ask("a-1")), None);
    assert_eq!(refused(&setting, &ask("TBW102")), None);
    assert_eq!(refused(&setting, &ask("b-1")), Some(Why::Topic));
    assert_eq!(refused(&setting, &ask("")), Some(Why::NoTopic));
}

/// A page that consumed would take queues from real consumers.
#[test]
fn a_page_cannot_consume() {
    let beat = |body: &str| refused(&all(), &binary(r::HEART_BEAT, &[], body.as_bytes()));
    let consumer = r#"{"groupName":"g","consumeType":"CONSUME_ACTIVELY","subscriptionDataSet":[]}"#;
    let other = Some(Why::Heartbeat);

    assert_eq!(beat(r#"{"clientID":"c","producerDataSet":[{"groupName":"g"}]}"#), None);
    assert_eq!(
        beat(&format!(r#"{{"clientID":"c","producerDataSet":[],"consumerDataSet":[{consumer}]}}"#)),
        Some(Why::Consumer)
    );
    let escaped = r#"{"clientID":"c","producerDataSet":[],"consumerD\u0061taSet":[1]}"#;
    assert_eq!(beat(escaped), Some(Why::Consumer));
    for body in [
        "",
        "{}",
        "[]",
        r#"{"clientID":"c","producerDataSet":[],"consumerDataSet":[],"consumerDataSet":[1]}"#,
        r#"{"clientID":"c","producerDataSet":[],"consumer_data_set":[1]}"#,
        r#"{"clientID":"c","producerDataSet":[],"ConsumerDataSet":[1]}"#,
        r#"{"clientID":"c","producerDataSet":[],'consumerDataSet':[1]}"#,
        r#"{"clientID":"c","producerDataSet":[],/**/"consumerDataSet":[]}"#,
        r#"{"clientID":"c","producerDataSet":[{"groupName":"g","groupName":"h"}]}"#,
        r#"{"@type":"x","clientID":"c","producerDataSet":[]}"#,
        r#"{"clientID":"c","producerDataSet":[]}{}"#,
        r#"["c",[]]"#,
        r#"{"clientID":"c","producerDataSet":[["g"]]}"#,
    ] {
        assert_eq!(beat(body), other, "{body}");
    }
    let leave = [("clientID", "c"), ("producerGroup", "g"), ("consumerGroup", "h")];
    assert_eq!(refused(&all(), &binary(r::UNREGISTER_CLIENT, &leave, b"")), Some(Why::Consumer));
}

#[test]
fn bodies_have_limits() {
    let mut setting = all();
    setting.grants.body_bytes_max = Some(100);
    assert_eq!(refused(&setting, &send("g", "t", &[1; 100])), None);
    let wanted = Why::BodyTooLarge { bytes: 101, max: 100 };
    assert_eq!(refused(&setting, &send("g", "t", &[1; 101])), Some(wanted));

    let beat = binary(r::HEART_BEAT, &[], &vec![b' '; 16 * 1024 + 1]);
    let wanted = Why::BodyTooLarge { bytes: 16 * 1024 + 1, max: 16 * 1024 };
    assert_eq!(check(&all(), &beat, &[100]).map(|refusal| refusal.why), Some(wanted));
    let wanted = Why::BodyTooLarge { bytes: 1, max: 0 };
    assert_eq!(refused(&all(), &binary(r::GET_MAX_OFFSET, &[], b"x")), Some(wanted));
}

#[test]
fn the_largest_frame_passes_and_one_byte_more_does_not() {
    let max = FilterLimits::default().frame_bytes_max;
    let header = send("g", "t", b"").len() - 4;
    let largest = send("g", "t", &vec![1; max - header]);
    let larger = send("g", "t", &vec![1; max - header + 1]);

    assert_eq!(check(&all(), &largest, &[8, 30, 5_000, 1 << 20]), None);
    assert_eq!(check(&all(), &larger, &[8]).expect("too large").close_code(), 1009);
}

#[test]
fn frames_before_a_refused_one_pass_whole_and_nothing_behind_it() {
    let good = usual("g", "t").concat();
    let bytes = [&*good, &*binary(25, &[], b""), &*good].concat();

    for cut in 0..bytes.len() {
        let (passed, refused) = pass(&all(), check::pieces(&bytes, &[cut]));
        assert_eq!(passed, good);
        assert_eq!(refused, Some(Refusal { code: Some(25), why: Why::Code }));
    }
}

#[test]
fn frames_are_counted_and_a_stream_knows_whether_it_is_between_two() {
    let mut filter = all().filter();
    let good = usual("g", "t").concat();
    let counts = |filter: &mut Filter| {
        let mut list = Vec::new();
        filter.take_frames(|name, frames| list.push((name, frames)));
        list
    };

    assert!(filter.check(&good).refused.is_none() && filter.is_between_frames());
    for byte in &good {
        assert!(filter.check(&[*byte]).refused.is_none());
    }
    let sends = send("g", "t", &[1; 100]);
    assert_eq!(filter.check(&sends[..sends.len() - 1]).passed, sends.len() - 1);
    assert!(!filter.is_between_frames(), "the broker waits for a byte");

    let found = counts(&mut filter);
    assert_eq!(found[0], ("SEND_MESSAGE_V2", 3));
    assert!(found[1..].iter().all(|count| count.1 == 2) && found.len() == 6, "{found:?}");
    assert_eq!(counts(&mut filter), []);
}

#[test]
fn new_grants_count_from_the_next_header_on() {
    let mut filter = all().filter();
    let first = send("g", "t", &[1; 100]);
    assert_eq!(filter.check(&first[..first.len() - 50]).passed, first.len() - 50);

    filter.set_grants(tenant().grants.into());

    assert_eq!(filter.check(&first[first.len() - 50..]).passed, 50, "its header was allowed");
    let refused = filter.check(&first).refused.map(|refusal| refusal.why);
    assert_eq!(refused, Some(Why::Topic));
}

#[test]
fn reasons_fit_a_close_frame_and_repeat_no_text() {
    let large = u32::MAX as usize;
    for why in [
        Why::Length,
        Why::TooLarge { bytes: u32::MAX, max: large },
        Why::HeaderTooLarge { bytes: u32::MAX, max: large },
        Why::BodyTooLarge { bytes: large, max: large },
        Why::NotBinary { kind: 255 },
        Why::Code,
        Why::NoTopic,
        Why::GroupsUnnamed,
        Why::Namespace,
        Why::Dispatch,
        Why::Heartbeat,
    ] {
        let refusal = Refusal { code: Some(i16::MIN), why };
        assert!(refusal.to_string().len() <= 123, "{refusal}");
        assert_eq!(refusal.label(), "unknown");
    }
    assert_eq!(Refusal { code: Some(25), why: Why::Code }.label(), "UPDATE_BROKER_CONFIG");
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::sample::select(vec!["a-1", "a-2", "b-1", "", "g-a", "g-b"]);
    let codes = prop::sample::select(vec![310, 320, 34, 35, 37, 30, 105, 370, 325, 25, 10, 0]);
    let field =
        (prop::sample::select(vec!["a", "b", "i", "topic", "producerGroup", "x", "ns"]), names);
    let made = (
        codes,
        prop::collection::vec(field, 0..4),
        prop::collection::vec(any::<u8>(), 0..40),
        0..4,
    )
        .prop_map(|(code, fields, body, flag)| {
            frame(SerializeType::RocketMq, code, flag, &fields, &body)
        });
    let usual =
        (0..6usize, prop::sample::select(vec![("g-a", "a-1"), ("g-b", "a-1"), ("g-a", "b")]))
            .prop_map(|(at, (group, topic))| usual(group, topic).swap_remove(at));
    let frames = prop::collection::vec(prop_oneof![1 => made, 4 => usual], 0..6);
    let damage = prop::option::weighted(0.5, (any::<prop::sample::Index>(), any::<u8>()));
    (frames, damage).prop_map(|(frames, damage)| {
        let mut bytes = frames.concat();
        if let Some((at, byte)) = damage.filter(|_| !bytes.is_empty()) {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn however_it_is_cut_the_same_passes(
        bytes in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        broker in any::<bool>(),
        named in any::<bool>(),
        optional in any::<bool>(),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|at| at.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let grants = if named { tenant().grants } else { Grants::everything() };
        let mut setting = Setting::new(KINDS[usize::from(broker)], grants);
        setting.limits.recall = optional;
        setting.limits.replies = optional;

        check(&setting, &bytes, &cuts);
        let every: Vec<usize> = (0..bytes.len()).collect();
        check(&setting, &bytes, &every);
    }
}
