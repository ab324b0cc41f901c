//! WebSocket, spoken wrongly, or too much.

use super::client::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Scene, TEXT, binary, good, message,
};
use crate::stage::{BROKER, read, send_frame, soon};

const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;

/// What cannot be, and the code that says so.
fn wrong() -> Vec<(String, Vec<u8>, u16)> {
    let frame = good();
    let mut all = Vec::new();
    let mut add = |what: &str, bytes: Vec<u8>, code| all.push((what.to_owned(), bytes, code));
    for (bit, name) in [(RSV1, "compressed"), (RSV2, "RSV2"), (RSV3, "RSV3")] {
        add(name, message(FIN | bit | BINARY, &frame), 1002);
    }
    for opcode in (3..8).chain(11..16) {
        add(&format!("opcode {opcode}"), message(FIN | opcode, &frame), 1002);
    }
    let mut otherwise = binary(&frame);
    let (mask, masked) = (otherwise.len() - frame.len() - 4, otherwise[1]);
    let mut bare = otherwise[..mask].to_vec();
    bare[1] = masked & 0x7F;
    bare.extend_from_slice(&frame);
    add("unmasked", bare, 1002);
    otherwise[mask] ^= 0xFF;
    add("masked by another key", otherwise, 1009);
    add("nothing to go on with", message(FIN | CONTINUATION, &frame), 1002);
    let begun = message(BINARY, &frame[..10]);
    add("a message within another", [begun.clone(), binary(&frame)].concat(), 1002);
    add("text within binary", [begun, message(FIN | TEXT, b"{}")].concat(), 1002);
    add("a ping in fragments", message(PING, b"ping"), 1002);
    add("a long ping", message(FIN | PING, &[0; 126]), 1002);
    add("a long pong", message(FIN | PONG, &[0; 126]), 1002);
    add("a close of one byte", message(FIN | CLOSE, &[3]), 1002);
    add("a frame as text", message(FIN | TEXT, b"\0\0\0\x10"), 1008);
    add("text that is no JSON", message(FIN | TEXT, b"let me in"), 1008);
    add("text that is no UTF-8", message(FIN | TEXT, &[0xC3, 0x28]), 1002);
    add("JSON that is no object", message(FIN | TEXT, b"[1]"), 1008);
    add("an object of somebody else", message(FIN | TEXT, b"{\"subscribe\":1}"), 1008);
    add("a long text", message(FIN | TEXT, &[b' '; 20_000]), 1008);
    let mut long = vec![FIN | BINARY, 0x80 | 127];
    long.extend_from_slice(&(256 * 1024 + 1_u64).to_be_bytes());
    long.extend_from_slice(&[0; 4]);
    add("a long message", long.clone(), 1009);
    long[2..10].copy_from_slice(&u64::MAX.to_be_bytes());
    add("the longest message", long, 1009);
    all
}

#[tokio::test(start_paused = true)]
async fn what_is_no_websocket_ends_with_its_code_and_reaches_nobody() {
    let mut scene = Scene::new().await;
    for (what, bytes, code) in wrong() {
        for piece in [1, 3, bytes.len()] {
            let mut segments = vec![binary(&good())];
            segments.extend(bytes.chunks(piece).map(<[u8]>::to_vec));
            let (closed, seen) = scene.end_of(BROKER, &segments).await;
            assert_eq!(closed, code, "{what} in pieces of {piece}");
            assert_eq!(seen, good(), "{what} in pieces of {piece}");
        }
        scene.others_go_on().await;
    }
}

/// Sends so many, and an allowed frame behind them; nothing that is answered is read.
async fn flood(scene: &mut Scene, one: &[u8], count: usize) {
    let (mut raw, mut broker) = scene.connected(BROKER).await;
    let some = one.repeat(100);
    let sent = async {
        for _ in 0..count / 100 {
            assert!(raw.write(&some).await);
        }
        assert!(raw.write(&binary(&good())).await);
        read(&mut broker, good().len()).await
    };
    assert_eq!(soon(sent).await, good());
    scene.others_go_on().await;
}

#[tokio::test(start_paused = true)]
async fn floods_keep_nobody_from_going_on() {
    let mut scene = Scene::new().await;

    flood(&mut scene, &message(FIN | PING, &[7; 125]), 5_000).await;
    flood(&mut scene, &message(FIN | PONG, &[7; 8]), 20_000).await;
    flood(&mut scene, &binary(b""), 20_000).await;
    flood(&mut scene, &message(FIN | TEXT, b"{\"traceparent\":\"00\"}"), 5_000).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_in_ten_thousand_fragments_arrives() {
    let mut scene = Scene::new().await;
    let (mut raw, mut broker) = scene.connected(BROKER).await;
    let frame = good();

    assert!(raw.write(&message(BINARY, &frame[..1])).await);
    let nothing = message(CONTINUATION, b"").repeat(100);
    for byte in &frame[1..] {
        assert!(raw.write(&nothing).await);
        assert!(raw.write(&message(CONTINUATION, &[*byte])).await);
    }
    assert!(raw.write(&message(FIN | CONTINUATION, b"")).await);
    assert_eq!(soon(read(&mut broker, frame.len())).await, frame);
    scene.others_go_on().await;
}

/// Buffers that have grown are made anew while a page is silent: with nothing in them.
#[tokio::test(start_paused = true)]
async fn silence_within_a_message_or_a_frame_loses_nothing() {
    let frame = good();
    let large = send_frame("orders", 100_000);
    for at in [1, 4, 9, frame.len() / 2, frame.len() - 1] {
        let (one, other) = frame.split_at(at);
        for (one, other) in [
            (message(BINARY, one), message(FIN | CONTINUATION, other)),
            (binary(one), binary(other)),
        ] {
            let mut scene = Scene::new().await;
            let (mut raw, mut broker) = scene.connected(BROKER).await;
            let sent = async {
                assert!(raw.write(&[binary(&large), one].concat()).await);
                for _ in 0..3 {
                    let Some((PING, said)) = raw.next().await else { panic!("no ping") };
                    assert!(raw.write(&message(FIN | PONG, &said)).await);
                }
                assert!(raw.write(&other).await);
            };
            let seen = async {
                let mut seen = read(&mut broker, large.len()).await;
                seen.extend(read(&mut broker, frame.len()).await);
                seen
            };
            let ((), seen) = tokio::join!(sent, seen);
            assert!(seen == [&large[..], &frame].concat(), "cut at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_stops_within_a_message_is_given_up_and_reaches_nobody() {
    let wire = binary(&good());
    // From the middle of the message's head to its last byte but one.
    for at in [1, 3, 8, wire.len() / 2, wire.len() - 1] {
        let mut scene = Scene::new().await;
        let ended = scene.end_of(BROKER, &[wire[..at].to_vec()]).await;
        assert_eq!(ended, (1006, Vec::new()), "after {at} bytes");
    }
}
