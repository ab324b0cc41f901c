//! Questions of administrators, recalls, access: pure functions.

use std::time::Duration;

use producer_core::wire::recall::RecallHandle;
use producer_core::wire::route::{BrokerData, QueueData, RouteJson, TopicRouteData};
use producer_core::wire::stored::StoredMessage;
use producer_core::{
    Address, Answer, AskError, AskTarget, Boundary, Config, Credentials, ErrorKind, InvalidMessage,
    InvalidQuestion, Message, NewTopic, Places, Questions, Queue, Recall, Request, TopicName,
    Wanted, Window, admin, place_of_id,
};

fn topic(name: &str) -> TopicName {
    TopicName::new(name).expect("valid")
}

fn address(text: &str) -> Address {
    Address::new(text).expect("valid")
}

fn answer(code: i32, remark: Option<&str>, fields: &[(&str, &str)], body: Vec<u8>) -> Answer {
    Answer::new(code, remark, fields.iter().copied(), body)
}

fn field<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    request.fields.iter().find(|field| field.0 == name).map(|field| &*field.1)
}

/// Broker `a` has a master and a slave, `b` a slave, `c` a master.
fn places() -> Places {
    let broker = |name: &str, addresses: &[(i64, &str)]| BrokerData {
        broker_name: name.into(),
        addresses: addresses.iter().map(|&(id, text)| (id, text.into())).collect(),
        ..BrokerData::default()
    };
    let queue = |name: &str| QueueData {
        broker_name: name.into(),
        read_queue_nums: 2,
        write_queue_nums: 2,
        perm: 6,
        topic_sys_flag: 0,
    };
    let data = TopicRouteData {
        queues: vec![queue("c"), queue("b"), queue("a")],
        brokers: vec![
            broker("c", &[(0, "c:1")]),
            broker("b", &[(1, "b:2")]),
            broker("a", &[(0, "a:1"), (1, "a:2")]),
        ],
        ..TopicRouteData::default()
    };
    Places::read(&answer(0, None, &[], data.encode(RouteJson::Strict))).expect("a route")
}

fn handle(topic: &str, broker: &str) -> String {
    let handle = RecallHandle {
        topic: topic.into(),
        broker_name: broker.into(),
        timestamp: "1700000000000".into(),
        message_id: "7F0000010001AABBCCDD00000000ABCD".into(),
    };
    handle.encode()
}

/// The planted bug `DelayedTwice` makes this fail.
#[test]
pub(crate) fn a_message_is_delayed_in_one_way_only() {
    let message = Message::new("t", "b").and_then(|message| message.delay_level(3)).expect("valid");

    let (first, second) = ("DELAY", "TIMER_DELAY_MS");
    let both = message.delay(Duration::from_secs(1));
    assert_eq!(both, Err(InvalidMessage::DelayedTwice { first, second }));
}

/// The planted bug `DenialUnread` makes this fail.
#[test]
pub(crate) fn access_control_is_told_from_other_refusals() {
    let refused = |code, remark| answer(code, Some(remark), &[], Vec::new()).success().cloned();
    let old = "org.apache.rocketmq.acl.common.AclException: Check signature failed for accessKey=a";

    for (code, remark, kind) in [
        (1, old, "bad_credentials"),
        (16, "check signature failed.", "bad_credentials"),
        (16, "User:u has no permission to access Topic:t", "not_permitted"),
        (16, "the broker[x] sending message is forbidden", "broker"),
        (2, "[REJECTREQUEST]", "busy"),
        (17, "topic[t] not exist", "topic_not_found"),
        (22, "can not find message", "message_not_found"),
    ] {
        assert_eq!(refused(code, remark).expect_err("refused").code(), kind, "{remark}");
    }
    let kind = refused(16, "check signature failed.");
    assert!(matches!(kind, Err(AskError::Refused(ErrorKind::BadCredentials { .. }))));
}

#[test]
fn a_recall_goes_to_the_broker_of_its_handle() {
    let config = Config::default();
    let questions = Questions::new(&config);
    let to = |broker: &str| {
        let recall = questions.recall(&topic("t"), &handle("t", broker)).expect("a handle");
        let request = questions.recall_request(&recall, &places()).expect("there are masters");
        (request.target.clone(), field(&request, "bname").map(String::from))
    };

    assert_eq!(to("c"), (AskTarget::Address(address("c:1")), Some("c".into())));
    // Without a master, or unknown: whoever else is there says so.
    assert_eq!(to("b"), (AskTarget::Address(address("a:1")), Some("b".into())));
    assert_eq!(to("gone").0, AskTarget::Address(address("a:1")));
    let recall = questions.recall(&topic("t"), &handle("t", "a")).expect("a handle");
    assert_eq!(recall.due_ms(), Some(1_700_000_000_000));
    let nowhere = questions.recall_request(&recall, &Places::default());
    assert_eq!(nowhere, Err(AskError::NoBroker));
}

#[test]
fn a_handle_that_is_none_is_refused_here() {
    let config = Config::default();
    let questions = Questions::new(&config);
    let refused = |name: &str, handle: &str| questions.recall(&topic(name), handle);

    for bad in ["", "bm90IGEgaGFuZGxl", "not base64!", "djEgYSBi"] {
        assert_eq!(refused("t", bad), Err(InvalidQuestion::Handle), "{bad}");
    }
    let other = InvalidQuestion::OtherTopic { topic: "u".into() };
    assert_eq!(refused("t", &handle("u", "a")), Err(other));
    let retry = handle("%RETRY%g", "a");
    assert_eq!(refused("%RETRY%g", &retry), Err(InvalidQuestion::RetryTopic));
}

/// The planted bug `RecallAlwaysDone` makes this fail.
#[test]
pub(crate) fn a_recall_that_comes_too_late_says_so() {
    let read = |code, remark| Recall::read(&answer(code, Some(remark), &[], Vec::new()));

    let late = read(604, "recall failed, timestamp invalid");
    assert!(matches!(late, Err(AskError::NotRecallable { .. })), "{late:?}");
    let off = read(16, "recall failed, operation is forbidden");
    assert_eq!(off, Err(AskError::RecallDisabled));
    assert_eq!(read(17, "recall failed, the topic[t] not exist"), Err(AskError::NoTopic));
    assert!(matches!(read(14, "store is shut down"), Err(AskError::Refused(_))));
    assert!(matches!(read(0, ""), Err(AskError::BadAnswer { .. })), "it names no message");
    let done = answer(0, Some("not set any response code"), &[("msgId", "7F")], Vec::new());
    assert_eq!(Recall::read(&done), Ok("7F".into()));
}

/// The planted bug `SystemTopicCreated` makes this fail.
#[test]
pub(crate) fn system_topics_are_not_created() {
    let config = Config::default();
    let questions = Questions::new(&config);
    for name in ["TBW102", "BenchmarkTest", "RMQ_SYS_TRACE_TOPIC", "rmq_sys_x"] {
        let new = NewTopic::new(topic(name), 4);
        let refused = questions.create_topic(&new).map(|_| ());
        assert_eq!(refused, Err(InvalidQuestion::SystemTopic.into()), "{name}");
    }
}

#[test]
fn a_topic_is_created_as_it_is_described() {
    let config = Config { namespace: Some("ns".into()), ..Config::default() };
    let questions = Questions::new(&config);
    let new = NewTopic::new(topic("t"), 8)
        .write_queues(4)
        .like(&topic("k"))
        .ordered()
        .read_only()
        .attribute("message.type", "DELAY")
        .attribute("queue.type", "BatchCQ");

    let (key, ask) = questions.create_topic(&new).expect("it can be");
    let request = ask(&address("a:1"));

    assert_eq!((key, request.code), ("k", 17));
    for (name, value) in [
        ("topic", "ns%t"),
        ("defaultTopic", "k"),
        ("readQueueNums", "8"),
        ("writeQueueNums", "4"),
        ("perm", "4"),
        ("order", "true"),
        ("attributes", "+message.type=DELAY,+queue.type=BatchCQ"),
    ] {
        assert_eq!(field(&request, name), Some(value), "{name}");
    }
    for count in [0, 65_537] {
        let refused = questions.create_topic(&NewTopic::new(topic("t"), count)).map(|_| ());
        assert_eq!(refused, Err(InvalidQuestion::QueueCount { count }.into()));
    }
    for (name, value) in [("a,b", "x"), ("", "x"), ("a", "x=y"), ("-a", "x"), ("a", " ")] {
        let new = NewTopic::new(topic("t"), 1).attribute(name, value);
        let refused = questions.create_topic(&new).map(|_| ());
        assert_eq!(refused, Err(InvalidQuestion::Attribute { name: name.into() }.into()));
    }
}

/// The planted bug `WrappedTwice` makes this fail.
#[test]
pub(crate) fn names_get_into_the_namespace_once_and_the_systems_never() {
    let config = Config { namespace: Some("ns".into()), ..Config::default() };
    let questions = Questions::new(&config);
    for (name, inside) in [
        ("t", "ns%t"),
        ("ns%t", "ns%t"),
        ("other%t", "ns%other%t"),
        ("%RETRY%g", "%RETRY%ns%g"),
        ("%RETRY%ns%g", "%RETRY%ns%g"),
        ("%DLQ%g", "%DLQ%ns%g"),
        ("TBW102", "TBW102"),
        ("rmq_sys_x", "rmq_sys_x"),
    ] {
        let request = questions.places(name).expect("a name");
        assert_eq!(field(&request, "topic"), Some(inside), "{name}");
    }
    let long = "t".repeat(126);
    let refused = questions.places(&long);
    assert!(matches!(refused, Err(AskError::Invalid(InvalidQuestion::Topic(_)))), "{refused:?}");
}

#[test]
fn places_are_those_of_the_route() {
    let places = places();

    let queues: Vec<_> =
        [("a", 0), ("a", 1), ("c", 0), ("c", 1)].map(|(b, id)| Queue::new(b, id)).into();
    assert_eq!(places.queues, queues, "those of brokers with a master, by name");
    assert_eq!(places.master("a"), Ok(address("a:1")));
    assert_eq!(places.master("b"), Err(AskError::NoBroker));
    let masters: Vec<_> = places.masters().map(|(_, address)| address.as_str()).collect();
    let readers: Vec<_> = places.readers().map(Address::as_str).collect();
    assert_eq!((masters, readers), (vec!["a:1", "c:1"], vec!["a:1", "b:2", "c:1"]));
    assert!(places.names(&address("a:2")) && !places.names(&address("z:1")));
    let absent = Places::read(&answer(17, Some("No topic route info"), &[], Vec::new()));
    assert_eq!(absent, Err(AskError::NoTopic));
    let garbage = Places::read(&answer(0, None, &[], b"{{".to_vec()));
    assert!(matches!(garbage, Err(AskError::BadAnswer { .. })));
}

#[test]
fn offsets_are_read() {
    let config = Config::default();
    let questions = Questions::new(&config);
    let (at, queue) = (address("a:1"), Queue::new("a", 3));
    let upper = questions.search_offset(&at, &topic("t"), &queue, (5, Boundary::Upper));
    let upper = upper.expect("valid");
    assert_eq!(field(&upper, "boundaryType"), Some("UPPER"));
    assert_eq!(field(&upper, "bname"), Some("a"));

    let offset = |fields: &[(&str, &str)]| admin::offset(&answer(0, None, fields, Vec::new()));
    assert_eq!(offset(&[("offset", "42")]), Ok(42));
    assert!(matches!(offset(&[]), Err(AskError::BadAnswer { .. })));
    assert!(matches!(offset(&[("offset", "x")]), Err(AskError::BadAnswer { .. })));
    let time = |text| admin::store_time(&answer(0, None, &[("timestamp", text)], Vec::new()));
    assert_eq!((time("7"), time("-1")), (Ok(Some(7)), Ok(None)));
}

fn stored(topic: &str, properties: &str) -> Vec<u8> {
    let message = StoredMessage {
        body_crc: 0,
        queue_id: 1,
        flag: 0,
        queue_offset: 2,
        physical_offset: 3,
        sys_flag: 0,
        born_timestamp: 4,
        born_host: ([10, 0, 0, 1], 5).into(),
        store_timestamp: 6,
        store_host: ([10, 0, 0, 2], 10_911).into(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: b"body".into(),
        topic: topic.into(),
        properties: properties.into(),
    };
    let mut bytes = Vec::new();
    message.encode(&mut bytes).expect("small");
    bytes
}

/// The planted bug `IndexBelieved` makes this fail: an index goes by hashes.
#[test]
pub(crate) fn only_what_was_wanted_is_found() {
    let config = Config { namespace: Some("ns".into()), ..Config::default() };
    let questions = Questions::new(&config);
    let body = [
        stored("ns%t", "KEYS\u{1}a b\u{2}UNIQ_KEY\u{1}1\u{2}"),
        stored("ns%t", "KEYS\u{1}ab\u{2}UNIQ_KEY\u{1}b\u{2}"),
        stored("ns%u", "KEYS\u{1}b\u{2}UNIQ_KEY\u{1}3\u{2}"),
        stored("ns%t", ""),
    ];
    let found = |wanted| {
        let answer = answer(0, None, &[], body.concat());
        let found = questions.read_found(&answer, &topic("t"), wanted).expect("readable");
        found.iter().map(|message| message.message_id.clone()).collect::<Vec<_>>()
    };

    assert_eq!(found(Wanted::Key("b")), ["1"]);
    assert_eq!(found(Wanted::Id("b")), ["b"]);
    assert_eq!(found(Wanted::Id("0A00000200002A9F0000000000000003")).len(), 1, "without a key");
    let none = answer(22, Some("can not find message"), &[], Vec::new());
    assert_eq!(questions.read_found(&none, &topic("t"), Wanted::Key("b")), Ok(Vec::new()));
    let torn = answer(0, None, &[], body[0][..40].to_vec());
    let torn = questions.read_found(&torn, &topic("t"), Wanted::Key("b"));
    assert!(matches!(torn, Err(AskError::BadAnswer { .. })));
}

#[test]
fn ids_of_clients_are_no_places() {
    let (place, offset) = place_of_id("C0A8010A00002A9F00000000075BCD15").expect("a broker's id");
    assert_eq!((place.as_str(), offset), ("192.168.1.10:10911", 123_456_789));
    for id in ["7F0000010001AABBCCDD00000000ABCD", "", "x", "C0A8010A", &"G".repeat(32)] {
        assert_eq!(place_of_id(id), None, "{id}");
    }
}

/// The planted bug `FlagSigned` makes this fail.
#[test]
pub(crate) fn a_signed_query_suits_both_generations() {
    let flag = |credentials| {
        let config = Config { credentials, ..Config::default() };
        let window = Window::of_id(1_700_000_000_000);
        let wanted = Wanted::Id("7F0000010001AABBCCDD00000000ABCD");
        let asked = Questions::new(&config).find(&places(), &topic("t"), wanted, window);
        let asked = asked.expect("valid");
        assert_eq!(asked.len(), 3, "every broker is asked, the one with a slave only too");
        assert_eq!(field(&asked[0], "maxNum"), Some("32"));
        field(&asked[0], "_UNIQUE_KEY_QUERY").map(String::from)
    };

    assert_eq!(flag(None).as_deref(), Some("true"));
    assert_eq!(flag(Credentials::new("ak", "sk").ok()), None);
    let config = Config::default();
    let blank =
        Questions::new(&config).find(&places(), &topic("t"), Wanted::Key(" "), Window::of_id(0));
    assert_eq!(blank, Err(InvalidQuestion::Key.into()));
}

#[test]
fn a_view_that_meets_no_message_says_so() {
    let config = Config::default();
    let questions = Questions::new(&config);
    let broken = answer(1, Some("java.lang.IllegalArgumentException: newLimit < 0"), &[], vec![]);
    assert_eq!(questions.read_view(&broken), Err(AskError::NoMessage));
    let denied = "org.apache.rocketmq.acl.common.AclException: No acl config for x";
    let denied = questions.read_view(&answer(1, Some(denied), &[], vec![]));
    assert_eq!(denied.expect_err("denied").code(), "bad_credentials");
    let found = questions.read_view(&answer(0, None, &[], stored("t", "TAGS\u{1}x\u{2}")));
    let found = found.expect("one record");
    assert_eq!((found.property("TAGS"), &*found.body), (Some("x"), &b"body"[..]));
    assert_eq!((found.queue_offset, found.compression()), (2, None));
}
