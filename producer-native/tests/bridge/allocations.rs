//! After warm-up, a frame that passes the filter of the bridge allocates nothing; and what a busy
//! connection needs, an idle one gives back.

#[path = "../bridge_filter/frames.rs"]
#[expect(dead_code, reason = "shared with the tests of what passes")]
mod frames;

use std::time::Duration;

use producer_native::bridge::{Filter, FilterLimits, Grants, Names, TargetKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

use crate::counting;
use crate::stage::{SOCKET_BYTES, Stage, config};

/// Sends of a tab, in pieces of `piece` bytes.
fn allocations(grants: Grants, piece: usize) -> u64 {
    let stream: Vec<u8> = (0..500).flat_map(|_| frames::send("g-a", "a-1", &[7; 256])).collect();
    let mut filter = Filter::new(TargetKind::Broker, FilterLimits::default(), grants.into());
    let mut run = || {
        let mut passed = 0;
        for piece in stream.chunks(piece) {
            let verdict = filter.check(piece);
            assert_eq!(verdict.refused, None);
            passed += verdict.held.len() + verdict.passed;
        }
        assert_eq!(passed, stream.len());
    };
    run();
    let before = counting::allocations();
    run();
    counting::allocations() - before
}

#[test]
fn a_frame_that_passes_costs_no_allocation() {
    let tenant = || Grants {
        topics: Names::new(["a-*"]).expect("valid"),
        groups: Names::new(["g-a"]).expect("valid"),
        ..Grants::everything()
    };
    for piece in [1, 7, 100, 500, 65_536] {
        for (who, grants) in [("everything", Grants::everything()), ("a tenant", tenant())] {
            let counted = allocations(grants, piece);
            println!("{who}, pieces of {piece} bytes: {counted} allocations for 500 frames");
            assert_eq!(counted, 0, "{who}, pieces of {piece} bytes");
        }
    }
}

/// A message as a page writes it, masked by zeros.
fn message(payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x82, 0xff];
    bytes.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Reads for a while, and answers pings. All that one of these brings is small, so a buffer on the
/// stack is enough, and nothing of it is counted.
async fn idle(page: &mut DuplexStream, time: Duration) {
    let idling = timeout(time, async {
        let mut bytes = [0; 64];
        loop {
            let have = page.read(&mut bytes).await.unwrap();
            if let [0x89, 8, said @ ..] = &bytes[..have] {
                let mut pong = vec![0x8a, 0x88, 0, 0, 0, 0];
                pong.extend_from_slice(said);
                page.write_all(&pong).await.unwrap();
            }
        }
    });
    assert!(idling.await.is_err(), "it stays open");
}

/// Sends four times what fits a socket in messages of a size, and lets it pile up for a while.
async fn be_busy(page: &mut DuplexStream, broker: &mut DuplexStream, size: usize) {
    let frame = frames::send("g-a", "a-1", &vec![7; size]);
    let count = (4 * SOCKET_BYTES).div_ceil(size);
    let bytes = message(&frame).repeat(count);
    let reading = async {
        tokio::time::advance(Duration::from_secs(1)).await;
        let mut arrived = vec![0; count * frame.len()];
        broker.read_exact(&mut arrived).await.unwrap();
        assert!(arrived.chunks(frame.len()).all(|one| one == frame));
    };
    let (written, ()) = tokio::join!(page.write_all(&bytes), reading);
    written.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_large_message_needed_is_given_back_by_an_idle_connection() {
    let mut stage = Stage::new(config());
    let (page, mut broker) = stage.connected().await;
    let mut page = page.0.into_inner();
    // The sockets of this stage keep what was once in them, so that is got over with.
    be_busy(&mut page, &mut broker, 1_000).await;
    idle(&mut page, Duration::from_secs(30)).await;
    let before = counting::kept();

    be_busy(&mut page, &mut broker, 250_000).await;
    let busy = counting::kept() - before;
    idle(&mut page, Duration::from_secs(30)).await;
    let after = counting::kept() - before;

    println!("kept after messages of 250 KB: {busy} bytes at once, {after} when idle");
    assert!(busy > 200_000, "{busy}: else nothing is shown");
    assert!(after < 24 * 1024, "{after} bytes more than before");
    be_busy(&mut page, &mut broker, 1_000).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_small() {
    let mut stage = Stage::new(config());
    let mut connections = Vec::new();
    let mut before = 0;
    let count = 16;
    // The first one pays for what all have together; more of them would come too often.
    for number in 0..=count {
        let (page, broker) = stage.connected().await;
        // A page's own buffers are its own.
        connections.push((page.0.into_inner(), broker));
        if number == 0 {
            before = counting::kept();
        }
    }
    let each = (counting::kept() - before) / count;

    println!("kept by an idle connection, both sockets of the stage included: {each} bytes");
    assert!(each < 48 * 1024, "{each} bytes");
}
