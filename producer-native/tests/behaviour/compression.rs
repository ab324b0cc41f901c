//! Compressed bodies: which, once, and what a broker gets.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use producer_native::{
    AutoBatch, Batch, BuildError, Compress, Compression, DecompressError, FrameHook, Message,
    Producer, SeenFrame, decompress,
};
use sim::model::broker::{Fault, Refusal, Times};
use sim::serve::EmbeddedCluster;

async fn served() -> EmbeddedCluster {
    let builder = EmbeddedCluster::builder().broker("broker-a", |broker| broker).topic("t", 1);
    builder.start().await.unwrap()
}

fn producer(cluster: &EmbeddedCluster, how: Compress) -> Producer {
    let builder = Producer::builder("packing").name_servers(&cluster.name_servers());
    builder.compression(how).auto_batch(AutoBatch::default()).build().unwrap()
}

fn text(bytes: usize) -> Vec<u8> {
    b"order paid, receipt sent; ".iter().copied().cycle().take(bytes).collect()
}

/// Bytes that nothing makes shorter.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

fn kinds() -> Vec<Compression> {
    let zstd = cfg!(feature = "zstd").then_some(Compression::Zstd);
    [Compression::Zlib, Compression::Lz4].into_iter().chain(zstd).collect()
}

#[tokio::test]
async fn long_bodies_are_compressed_and_the_flag_says_how() {
    for kind in kinds() {
        let cluster = served().await;
        let producer = producer(&cluster, Compress { kind, ..Compress::default() });

        for body in [text(4_095), text(4_096), noise(8_192), text(100_000)] {
            producer.send(Message::new("t", body).unwrap()).await.unwrap();
        }

        let stored = cluster.broker("broker-a").messages("t");
        let flags: Vec<i32> = stored.iter().map(|message| message.sys_flag & 0x701).collect();
        let packed = 1 | kind.flag();
        assert_eq!(flags, [0, packed, 0, packed], "{kind:?}: short, long, no shorter, longer");
        assert!(stored[3].body.len() < 10_000, "{}", stored[3].body.len());
        assert_eq!(
            decompress(stored[3].sys_flag, &stored[3].body, 100_000).unwrap(),
            text(100_000)
        );
        assert_eq!(
            decompress(stored[3].sys_flag, &stored[3].body, 99_999),
            Err(DecompressError::TooLong { bytes_max: 99_999 })
        );
    }
}

#[tokio::test]
async fn batches_stay_as_they_are() {
    let cluster = served().await;
    let producer = producer(&cluster, Compress { threshold: 10, ..Compress::default() });
    let messages = (0..3).map(|_| Message::new("t", text(5_000)).unwrap());

    producer.send_batch(Batch::new(messages).unwrap()).await.unwrap();

    let stored = cluster.broker("broker-a").messages("t");
    assert!(stored.iter().all(|message| message.body == text(5_000) && message.sys_flag & 1 == 0));
}

#[tokio::test]
async fn a_retry_carries_the_same_compressed_body() {
    let cluster = served().await;
    let producer = producer(&cluster, Compress::default());
    let busy = Fault::Refuse(Refusal::Busy);
    cluster.broker("broker-a").fault(busy, Times::Next(1));

    let receipt = producer.send(Message::new("t", text(9_000)).unwrap()).await.unwrap();

    assert_eq!(receipt.attempts, 2);
    let stored = cluster.broker("broker-a").messages("t");
    assert_eq!(decompress(stored[0].sys_flag, &stored[0].body, 9_000).unwrap(), text(9_000));
}

/// The bodies of all sends, as they leave.
#[derive(Clone, Default)]
struct Bodies(Arc<Mutex<Vec<Vec<u8>>>>);

impl FrameHook for Bodies {
    fn sent(&self, frame: &SeenFrame<'_>) {
        if frame.header().is_some_and(|header| header.code == SEND_MESSAGE_V2) {
            self.0.lock().unwrap().push(frame.body().to_vec());
        }
    }
}

#[tokio::test]
async fn p05_a_body_is_compressed_once_however_often_it_is_tried() {
    for kind in kinds() {
        let cluster = served().await;
        let bodies = Bodies::default();
        let builder = Producer::builder("packing").name_servers(&cluster.name_servers());
        let builder = builder.compression(Compress { kind, ..Compress::default() });
        let producer = builder.frame_hook(bodies.clone()).build().unwrap();
        cluster.broker("broker-a").fault(Fault::Refuse(Refusal::Busy), Times::Next(2));

        let receipt = producer.send(Message::new("t", text(9_000)).unwrap()).await.unwrap();

        assert_eq!(receipt.attempts, 3);
        let bodies = bodies.0.lock().unwrap().clone();
        assert_eq!(bodies.len(), 3, "{kind:?}");
        for body in &bodies {
            assert_eq!(body, &bodies[0], "{kind:?}");
            assert_eq!(decompress(1 | kind.flag(), body, 9_000).unwrap(), text(9_000));
        }
    }
}

/// Lines that are alike and yet not the same, so that it pays to look further.
fn lines(bytes: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let mut text = Vec::with_capacity(bytes + 100);
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (order, sum, place) = (state >> 44, (state >> 33) % 9_999, (state >> 20) % 17);
        let line = format!("{{\"order\":{order},\"sum\":\"{sum}.00\",\"store\":\"S{place}\"}}\n");
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(bytes);
    text
}

#[tokio::test]
async fn p07_the_level_is_honoured_and_clamped() {
    let cluster = served().await;
    let plain = lines(100_000);
    for (kind, lowest, highest) in [(Compression::Zlib, 1, 9), (Compression::Zstd, 1, 22)] {
        if !kinds().contains(&kind) {
            continue;
        }
        let mut lengths = Vec::new();
        for level in [lowest, (lowest + highest) / 2, highest, i32::MAX] {
            let producer = producer(&cluster, Compress { kind, level, ..Compress::default() });
            producer.send(Message::new("t", plain.clone()).unwrap()).await.unwrap();
            let stored = cluster.broker("broker-a").messages("t").pop().unwrap();
            assert_eq!(decompress(stored.sys_flag, &stored.body, 100_000).unwrap(), plain);
            lengths.push(stored.body.len());
        }
        assert!(lengths[2] < lengths[0] && lengths[1] <= lengths[0], "{kind:?}: {lengths:?}");
        assert_eq!(lengths[3], lengths[2], "{kind:?}: above the highest it is the highest");
    }
    // Below the lowest it is the lowest, which for zlib stores what it is given.
    for (level, is_packed) in [(i32::MIN, false), (0, false), (1, true)] {
        let producer = producer(&cluster, Compress { level, ..Compress::default() });
        producer.send(Message::new("t", plain.clone()).unwrap()).await.unwrap();
        let stored = cluster.broker("broker-a").messages("t").pop().unwrap();
        assert_eq!(stored.sys_flag & 1 == 1, is_packed, "level {level}");
    }
}

#[test]
fn a_flag_that_means_nothing_is_an_error_and_none_is_none() {
    assert_eq!(decompress(0, b"plain", 5).unwrap(), &b"plain"[..]);
    assert!(matches!(
        decompress(0x701, b"x", 5),
        Err(DecompressError::UnknownCompression { sys_flag: 0x701 })
    ));
    assert!(matches!(decompress(0x301, b"x", 5), Err(DecompressError::Malformed { .. })));
    assert_eq!(decompress(0, b"plain", 4), Err(DecompressError::TooLong { bytes_max: 4 }));
}

#[tokio::test]
async fn what_this_build_cannot_do_is_said_when_it_is_made() {
    let zstd = Compress { kind: Compression::Zstd, ..Compress::default() };
    let built = Producer::builder("g").name_servers("127.0.0.1:1").compression(zstd).build();

    match built {
        Ok(producer) if cfg!(feature = "zstd") => {
            producer.close(Duration::ZERO).await;
        }
        Ok(_) => panic!("this build cannot compress with zstd"),
        Err(error) => assert_eq!(error, BuildError::NoCompression(Compression::Zstd)),
    }
}

const SEND_MESSAGE_V2: i32 = 310;
