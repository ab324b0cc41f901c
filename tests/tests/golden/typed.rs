//! Typed headers and bodies of the recorded frames: read, written and read again.

use std::collections::BTreeMap;

use crate::support::{files, hex, int, json, root, short, text};
use producer_core::wire::client::{Heartbeat, HeartbeatResponse, UnregisterClient};
use producer_core::wire::cluster::ClusterInfo;
use producer_core::wire::code::request as r;
use producer_core::wire::frame::{FRAME_BYTES_MAX, split};
use producer_core::wire::name_server::{KvRequest, KvResponse, RouteRequest};
use producer_core::wire::offset::{
    MaxOffset, MinOffset, OffsetResponse, SearchOffset, StoreTimeResponse,
};
use producer_core::wire::query::{
    PullMessage, PullResponse, QueryMessage, QueryResponse, ViewMessage,
};
use producer_core::wire::recall::{RecallRequest, RecallResponse};
use producer_core::wire::reply::PushReply;
use producer_core::wire::route::{RouteJson, TopicRouteData};
use producer_core::wire::send::{SendForm, SendRequest, SendResponse};
use producer_core::wire::stored::records;
use producer_core::wire::topic_config::CreateTopic;
use producer_core::wire::transaction::{CheckTransaction, EndTransaction};
use producer_core::wire::{Ext, Fields, Header, WireError, acl, batch};
use serde_json::Value;

type Map = BTreeMap<String, String>;
type Again = Result<Map, WireError>;

/// One recorded frame with the code of the request that it is or answers.
struct Recorded<'f> {
    context: &'f str,
    value: &'f Value,
    request: i32,
    header: Header<'f>,
    body: &'f [u8],
}

fn each_frame(mut check: impl FnMut(&Recorded<'_>)) {
    for path in files(&root().join("frames")) {
        let case = json(&path);
        let mut asked = BTreeMap::new();
        for value in case["frames"].as_array().expect("frames") {
            let context = format!("{} frame {}", short(&path), value["n"]);
            let bytes = hex(text(value, "hex"));
            let frame = split(&bytes, FRAME_BYTES_MAX).expect(&context).expect(&context);
            let header = Header::decode(frame.serialize, frame.header).expect(&context);
            let (from, to) = text(value, "dir").split_once('→').expect("dir");
            let request = if header.is_response() {
                let key = (int(value, "conn"), header.opaque, to.to_owned());
                *asked.get(&key).unwrap_or_else(|| panic!("{context}: nobody asked"))
            } else {
                asked.insert((int(value, "conn"), header.opaque, from.to_owned()), header.code);
                header.code
            };
            let body = frame.body;
            check(&Recorded { context: &context, value, request, header, body });
        }
    }
}

/// What every request may carry besides the fields of its own.
const COMMON: [&str; 7] =
    ["AccessKey", "Signature", "SecurityToken", "__ZONE_MODE", "__ZONE_NAME", "ns", "nsd"];

#[test]
fn typed_headers_survive_a_round_trip() {
    let mut counts = BTreeMap::new();
    each_frame(|frame| {
        let ext = &frame.header.ext;
        let mut fields = map(ext.iter().map(|(k, v)| (k.to_cow(), v.to_cow())));
        fields.retain(|name, _| !COMMON.contains(&&**name));
        let response = frame.header.is_response();
        let again = if response { response_again(frame) } else { request_again(frame) };
        let Some(again) = again else { return };
        if frame.context.contains("error-missing-fields") && !response {
            assert!(matches!(again, Err(WireError::MissingField { .. })), "{}", frame.context);
            return;
        }
        assert_eq!(again.expect(frame.context), fields, "{}", frame.context);
        *counts.entry((frame.request, response)).or_insert(0) += 1;
    });
    println!("{counts:?}");
    let total: i32 = counts.values().sum();
    assert!(counts.len() >= 36 && total >= 1_678, "{} kinds, {total} headers", counts.len());
}

fn request_again(frame: &Recorded<'_>) -> Option<Again> {
    let ext = &frame.header.ext;
    if let Some(form) = SendForm::of_code(frame.request) {
        return Some(SendRequest::from_ext(form, ext).map(|sent| fields(&sent.to_ext(form))));
    }
    Some(match frame.request {
        r::PULL_MESSAGE => PullMessage::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::QUERY_MESSAGE => QueryMessage::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::UPDATE_AND_CREATE_TOPIC if frame.header.ext.get("perm").is_some() => {
            CreateTopic::from_ext(ext).map(|it| fields(&it.to_ext()))
        }
        r::SEARCH_OFFSET_BY_TIMESTAMP => SearchOffset::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::GET_MAX_OFFSET => MaxOffset::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::GET_MIN_OFFSET | r::GET_EARLIEST_MSG_STORETIME => {
            MinOffset::from_ext(ext).map(|it| fields(&it.to_ext()))
        }
        r::VIEW_MESSAGE_BY_ID => ViewMessage::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::UNREGISTER_CLIENT => UnregisterClient::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::END_TRANSACTION => EndTransaction::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::CHECK_TRANSACTION_STATE => {
            CheckTransaction::from_ext(ext).map(|it| fields(&it.to_ext()))
        }
        r::PUT_KV_CONFIG | r::GET_KV_CONFIG | r::DELETE_KV_CONFIG => {
            KvRequest::from_ext(ext).map(|it| fields(&it.to_ext()))
        }
        r::GET_ROUTEINFO_BY_TOPIC => RouteRequest::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::PUSH_REPLY_MESSAGE_TO_CLIENT => PushReply::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::RECALL_MESSAGE => RecallRequest::from_ext(ext).map(|it| fields(&it.to_ext())),
        _ => return None,
    })
}

fn response_again(frame: &Recorded<'_>) -> Option<Again> {
    let ext = &frame.header.ext;
    if SendForm::of_code(frame.request).is_some() {
        let bytes = hex(text(frame.value, "hex"));
        let split = split(&bytes, FRAME_BYTES_MAX).expect("frame").expect("frame");
        let response = SendResponse::decode(split.serialize, split.header).expect("header");
        return Some(Ok(fields(&response.to_ext())));
    }
    // A proxy adds region and trace switch to every answer.
    if frame.context.contains("proxy") || frame.header.code != 0 {
        return None;
    }
    Some(match frame.request {
        r::SEARCH_OFFSET_BY_TIMESTAMP | r::GET_MAX_OFFSET | r::GET_MIN_OFFSET => {
            OffsetResponse::from_ext(ext).map(|it| fields(&it.to_ext()))
        }
        r::GET_EARLIEST_MSG_STORETIME => {
            StoreTimeResponse::from_ext(ext).map(|it| fields(&it.to_ext()))
        }
        r::PULL_MESSAGE => PullResponse::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::QUERY_MESSAGE => QueryResponse::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::HEART_BEAT => HeartbeatResponse::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::RECALL_MESSAGE => RecallResponse::from_ext(ext).map(|it| fields(&it.to_ext())),
        r::GET_KV_CONFIG => KvResponse::from_ext(ext).map(|it| fields(&it.to_ext())),
        _ => return None,
    })
}

#[test]
fn bodies_survive_a_round_trip() {
    let mut counts = BTreeMap::<&str, usize>::new();
    each_frame(|frame| {
        let Recorded { context, request, header, body, .. } = frame;
        let response = header.is_response();
        if body.is_empty() || header.code != 0 && response {
            return;
        }
        let kind = match (*request, response) {
            (r::GET_ROUTEINFO_BY_TOPIC, true) => {
                let route = TopicRouteData::decode(body).expect(context);
                let loose = route.encode(RouteJson::Loose);
                let strict = route.encode(RouteJson::Strict);
                assert_eq!(TopicRouteData::decode(&loose).as_ref(), Ok(&route), "{context}");
                assert_eq!(TopicRouteData::decode(&strict).as_ref(), Ok(&route), "{context}");
                assert!(*body == loose || *body == strict, "{context}: {}", lossy(body));
                route.publish_queues().expect(context);
                if *body == strict { "strict route" } else { "loose route" }
            }
            (r::GET_BROKER_CLUSTER_INFO, true) => {
                let info = ClusterInfo::decode(body).expect(context);
                assert_eq!(lossy(&info.encode()), lossy(body), "{context}");
                "cluster"
            }
            (r::HEART_BEAT, false) => {
                let heartbeat = Heartbeat::decode(body).expect(context);
                assert_eq!(lossy(&heartbeat.encode()), lossy(body), "{context}");
                if heartbeat.fingerprint.unwrap_or(0) != 0 { "heartbeat v2" } else { "heartbeat" }
            }
            (r::SEND_BATCH_MESSAGE, false) => {
                let mut again = Vec::new();
                for member in batch::members(body) {
                    let member = member.expect(context);
                    let properties = member.properties.as_bytes();
                    batch::push_member(&mut again, member.flag, member.body, properties)
                        .expect(context);
                }
                assert_eq!(again, *body, "{context}");
                "batch"
            }
            (r::VIEW_MESSAGE_BY_ID | r::QUERY_MESSAGE | r::PULL_MESSAGE, true)
            | (r::CHECK_TRANSACTION_STATE, false) => {
                let mut again = Vec::new();
                for record in records(body) {
                    record.expect(context).encode(&mut again).expect(context);
                }
                assert_eq!(again, *body, "{context}");
                "stored"
            }
            _ => return,
        };
        *counts.entry(kind).or_default() += 1;
    });
    println!("{counts:?}");
    assert!(counts.len() >= 7, "{counts:?}");
    assert!(counts.values().sum::<usize>() >= 314, "{counts:?}");
}

#[test]
fn signatures_are_those_of_java() {
    let mut count = 0;
    each_frame(|frame| {
        let ext = &frame.header.ext;
        let Some(expected) = ext.get("Signature") else { return };
        let note = text(frame.value, "note");
        let secret = note.split_once('(').and_then(|(_, rest)| rest.split_once(','));
        let (secret, _) = secret.unwrap_or_else(|| panic!("{}: {note}", frame.context));
        let fields = map(ext.iter().map(|(k, v)| (k.to_cow(), v.to_cow())));

        let fields = fields.iter().map(|(k, v)| (&**k, &**v));
        let found = acl::signature_of_request(fields, secret, frame.body).expect(frame.context);

        assert!(expected.eq_str(&found), "{}: {note}", frame.context);
        count += 1;
    });
    println!("{count} signatures");
    assert!(count >= 78, "{count}");
}

fn fields(fields: &Fields<'_>) -> Map {
    map(fields.iter())
}

fn map<K: Into<String>, V: Into<String>>(fields: impl Iterator<Item = (K, V)>) -> Map {
    fields.map(|(name, value)| (name.into(), value.into())).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The fields of every kind of header that nobody needs are absent, not empty.
#[test]
fn absent_fields_are_not_written() {
    let nothing = Ext::default();

    let sent = HeartbeatResponse::from_ext(&nothing).expect("all optional");

    assert!(sent.to_ext().is_empty());
    assert_eq!(RouteRequest::from_ext(&nothing), Err(WireError::MissingField { name: "topic" }));
}
