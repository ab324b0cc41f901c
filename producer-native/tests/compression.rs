//! Compressed bodies: which, once, and what a broker gets.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use producer_native::{
    AutoBatch, Batch, BuildError, Compress, Compression, DecompressError, Message, Producer,
    decompress,
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
