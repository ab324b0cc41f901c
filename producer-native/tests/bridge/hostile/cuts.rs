//! Frames that are cut: into WebSocket messages, fragments and TCP segments, at every byte.

use tokio::io::AsyncReadExt;

use super::client::{BINARY, CONTINUATION, FIN, PING, Scene, binary, good, message, refused};
use crate::stage::{BROKER, read, read_rest, soon};

/// The ways to cut a frame in two, as segments.
fn cut(frame: &[u8], at: usize) -> [Vec<Vec<u8>>; 3] {
    let (one, other) = frame.split_at(at);
    let wire = binary(frame);
    let (first, rest) = wire.split_at(at);
    let fragments = [message(BINARY, one), message(FIN | CONTINUATION, other)];
    [
        vec![binary(one), binary(other)],
        vec![fragments[0].clone(), message(FIN | PING, b"between"), fragments[1].clone()],
        vec![first.to_vec(), rest.to_vec()],
    ]
}

#[tokio::test(start_paused = true)]
async fn an_allowed_frame_arrives_however_it_is_cut() {
    let mut scene = Scene::new().await;
    let (mut raw, mut broker) = scene.connected(BROKER).await;
    let frame = good();

    for at in 1..frame.len() {
        for segments in cut(&frame, at) {
            for segment in segments {
                assert!(raw.write(&segment).await);
                tokio::task::yield_now().await;
            }
            assert_eq!(read(&mut broker, frame.len()).await, frame, "cut at {at}");
        }
    }
    // And one byte after the other, each in a segment of its own.
    for byte in binary(&frame) {
        assert!(raw.write(&[byte]).await);
        tokio::task::yield_now().await;
    }
    assert_eq!(read(&mut broker, frame.len()).await, frame);
    scene.others_go_on().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_refused_frame_arrives_however_it_is_cut() {
    let mut scene = Scene::new().await;
    for (what, frame, code) in refused() {
        // Where the frame is long, what is behind its header says nothing new.
        for at in 1..frame.len().min(80) {
            for segments in cut(&frame, at) {
                let ended = scene.end_of(BROKER, &segments).await;
                assert_eq!(ended, (code, Vec::new()), "{what}, cut at {at}");
            }
        }
        scene.others_go_on().await;
    }
}

#[tokio::test(start_paused = true)]
async fn frames_before_a_refused_one_arrive_whole_and_nothing_behind_it() {
    let mut scene = Scene::new().await;
    for (what, frame, code) in refused() {
        let stream = [good(), good(), frame, good()].concat();
        for piece in [1, 7, good().len(), stream.len()] {
            let segments: Vec<_> = stream.chunks(piece).map(binary).collect();
            let ended = scene.end_of(BROKER, &segments).await;
            assert_eq!(ended, (code, [good(), good()].concat()), "{what}, pieces of {piece}");
        }
    }
    scene.others_go_on().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_frame_that_is_never_finished_no_more_arrives_than_was_sent() {
    let mut scene = Scene::new().await;
    let frame = good();
    let body = frame.len() - 10;

    for at in 1..frame.len() {
        let (mut raw, mut broker) = scene.connected(BROKER).await;
        assert!(raw.write(&[binary(&frame), binary(&frame[..at])].concat()).await);
        assert_eq!(read(&mut broker, frame.len()).await, frame);
        drop(raw);
        let seen = soon(read_rest(&mut broker)).await;
        // Before its header is whole it may still be refused.
        let may = if at < body { &frame[..0] } else { &frame[..at] };
        assert_eq!(seen, may, "cut at {at}");
    }
    scene.others_go_on().await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_wants_no_answer_passes() {
    let mut scene = Scene::new().await;
    let mut frame = good();
    frame[20] = 2;
    let (mut raw, mut broker) = scene.connected(BROKER).await;

    assert!(raw.write(&binary(&frame)).await);
    assert_eq!(read(&mut broker, frame.len()).await, frame);
    drop(raw);
    assert_eq!(soon(broker.read(&mut [0])).await.unwrap(), 0);
}
