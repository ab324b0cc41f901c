//! Requests that are cut, never finished, or in too much of a hurry.

use super::client::{Raw, Scene, TEXT, binary, good, head, refused};
use crate::stage::{BROKER, read, read_rest, soon, until};

#[tokio::test(start_paused = true)]
async fn a_request_that_is_never_finished_dials_nobody() {
    let mut scene = Scene::new().await;
    let head = head(BROKER);
    for at in 0..head.len() {
        let mut raw = Raw::new(scene.stage.socket());
        assert!(raw.write(&head.as_bytes()[..at]).await);
        drop(raw);
        tokio::task::yield_now().await;
    }
    scene.others_go_on().await;
    assert!(scene.stage.no_dials());
}

#[tokio::test(start_paused = true)]
async fn a_request_arrives_however_it_is_cut() {
    let mut scene = Scene::new().await;
    let head = head(BROKER);
    for at in 1..head.len() {
        let mut raw = Raw::new(scene.stage.socket());
        let (first, rest) = head.as_bytes().split_at(at);
        for segment in [first, rest] {
            assert!(raw.write(segment).await);
            tokio::task::yield_now().await;
        }
        assert!(soon(raw.answer()).await.starts_with("HTTP/1.1 101"), "cut at {at}");
        let (_, _broker) = scene.stage.dial().await;
        assert_eq!(raw.next().await.map(|(opcode, _)| opcode), Some(TEXT));
    }
    scene.others_go_on().await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_within_a_request_holds_up_nobody() {
    let mut scene = Scene::new().await;
    let head = head(BROKER);
    let mut waiting = Vec::new();
    for at in [0, 1, 40, head.len() - 1] {
        let mut raw = Raw::new(scene.stage.socket());
        assert!(raw.write(&head.as_bytes()[..at]).await);
        waiting.push(raw);
    }
    scene.others_go_on().await;

    let metrics = scene.stage.bridge.metrics();
    until(|| metrics.handshakes("timeout") == 4).await;
    for raw in &mut waiting {
        assert_eq!(soon(raw.answer()).await, "", "it is closed without a word");
    }
    scene.others_go_on().await;
}

#[tokio::test(start_paused = true)]
async fn frames_may_come_with_the_request_and_are_judged_all_the_same() {
    let mut scene = Scene::new().await;
    let mut early = Raw::new(scene.stage.socket());
    assert!(early.write(&[head(BROKER).into_bytes(), binary(&good())].concat()).await);
    let (_, mut broker) = scene.stage.dial().await;
    assert_eq!(read(&mut broker, good().len()).await, good());

    for (what, frame, code) in refused() {
        let mut early = Raw::new(scene.stage.socket());
        assert!(early.write(&[head(BROKER).into_bytes(), binary(&frame)].concat()).await);
        assert!(soon(early.answer()).await.starts_with("HTTP/1.1 101"));
        let (_, mut broker) = scene.stage.dial().await;
        assert_eq!(early.closed().await, code, "{what}");
        drop(early);
        assert_eq!(soon(read_rest(&mut broker)).await, b"", "{what}");
    }
    scene.others_go_on().await;
}
