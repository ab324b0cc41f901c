//! Every request there is, to both kinds of targets, by both kinds of headers.

use producer_core::wire::code::request;

use super::client::{Scene, binary};
use crate::stage::{BROKER, frame, json_frame, read};

/// What pages may send, and where.
const TO_BROKERS: [i32; 6] = [
    request::SEND_MESSAGE_V2,
    request::SEND_BATCH_MESSAGE,
    request::HEART_BEAT,
    request::UNREGISTER_CLIENT,
    request::END_TRANSACTION,
    request::GET_MAX_OFFSET,
];
const TO_NAME_SERVERS: [i32; 1] = [request::GET_ROUTEINFO_BY_TOPIC];

/// Those that have a name, and some that have none.
fn codes() -> Vec<i32> {
    let all = i32::from(i16::MIN)..=i32::from(i16::MAX);
    let mut codes: Vec<i32> = all.filter(|code| request::name(*code).is_some()).collect();
    assert!(codes.len() > 100, "{}", codes.len());
    codes.extend([i16::MIN, -310, -1, 0, 1, 309, 311, i16::MAX].map(i32::from));
    // Spread over all there are, the same each time.
    codes.extend((1..40).map(|n| (n * 40_503 % 65_536) - 32_768));
    codes
}

fn binary_frame(code: i32) -> Vec<u8> {
    let beat = br#"{"clientID":"c","producerDataSet":[{"groupName":"pages"}]}"#;
    let body: &[u8] = if code == request::HEART_BEAT { beat } else { b"" };
    let ext = [("topic", "orders"), ("producerGroup", "pages"), ("a", "pages"), ("b", "orders")];
    frame(code, &ext, body)
}

fn json(code: i32) -> Vec<u8> {
    let header = format!(
        r#"{{"code":{code},"flag":0,"language":"JAVA","opaque":1,"version":493,"extFields":{{"topic":"orders"}}}}"#
    );
    json_frame(&header, b"")
}

#[tokio::test(start_paused = true)]
async fn no_code_passes_but_those_of_producers() {
    let mut scene = Scene::new().await;
    for (target, allowed) in [(BROKER, &TO_BROKERS[..]), ("ns", &TO_NAME_SERVERS[..])] {
        for code in codes() {
            for bytes in [binary_frame(code), json(code)] {
                let passes = allowed.contains(&code) && bytes[4] == 1;
                let piece = 1 + code.unsigned_abs() as usize % 50;
                let segments: Vec<_> = bytes.chunks(piece).map(binary).collect();
                if passes {
                    let (mut raw, mut broker) = scene.connected(target).await;
                    assert!(raw.write(&segments.concat()).await);
                    assert_eq!(read(&mut broker, bytes.len()).await, bytes, "code {code}");
                    continue;
                }
                let ended = scene.end_of(target, &segments).await;
                assert_eq!(ended, (1008, Vec::new()), "code {code} to {target}");
            }
        }
        scene.others_go_on().await;
    }
}
