//! The byte stream in memory: the test plays the broker.

use std::time::Duration;

use producer_native::{Address, ConnectionEnd, Leaving, Stream, Transport, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use crate::stage::{BROKER, REFUSES, SILENT, Stage, config, read, send_frame, soon};

pub(crate) fn bridge() -> WebSocket {
    WebSocket::new("ws://127.0.0.1:7070/").unwrap()
}

pub(crate) async fn dial(
    way: &impl Transport,
    target: &str,
) -> Result<Box<dyn Stream>, ConnectionEnd> {
    way.connect(&Address::new(target).unwrap(), Instant::now() + Duration::from_secs(30)).await
}

/// Both ends of a stream through the bridge.
pub(crate) async fn connected(
    stage: &mut Stage,
    way: &impl Transport,
) -> (Box<dyn Stream>, DuplexStream) {
    let (stream, (target, broker)) = tokio::join!(dial(way, BROKER), stage.dial());
    assert_eq!(target, BROKER);
    (stream.unwrap(), broker)
}

#[tokio::test(start_paused = true)]
async fn bytes_arrive_as_they_were_written_in_both_directions() {
    let mut stage = Stage::new(config());
    let way = bridge().over(stage.way()).unwrap();
    let (stream, mut broker) = connected(&mut stage, &way).await;
    let frames: Vec<u8> = (0..3).flat_map(|n| send_frame("orders", 100_000 * n)).collect();

    let (mut answers, mut requests) = tokio::io::split(stream);
    let writing = async {
        requests.write_all(&frames).await.unwrap();
        requests.flush().await.unwrap();
    };
    let (got, ()) = soon(async { tokio::join!(read(&mut broker, frames.len()), writing) }).await;
    assert!(got == frames);
    let answer = send_frame("any frame", 200_000);
    let writing = async { broker.write_all(&answer).await.unwrap() };
    let mut read = vec![0; answer.len()];
    let (got, ()) = soon(async { tokio::join!(answers.read_exact(&mut read), writing) }).await;
    got.unwrap();
    assert!(read == answer);
}

#[tokio::test(start_paused = true)]
async fn a_dial_ends_as_the_bridges_own_dial_did() {
    let stage = Stage::new(config());
    let way = bridge().over(stage.way()).unwrap();

    assert_eq!(dial(&way, REFUSES).await.err(), Some(ConnectionEnd::Refused));
    assert_eq!(dial(&way, SILENT).await.err(), Some(ConnectionEnd::DialTimeout));
    let Some(ConnectionEnd::Proxy(text)) = dial(&way, "10.0.0.1:10911").await.err() else {
        panic!("the bridge refuses")
    };
    assert!(text.starts_with("bridge ws://127.0.0.1:7070: it answers 403"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn an_end_is_announced_while_the_connection_still_works() {
    let mut config = config();
    config.rules.lifetime = Duration::from_secs(50);
    let mut stage = Stage::new(config);
    let way = bridge().over(stage.way()).unwrap();
    let (mut stream, mut broker) = connected(&mut stage, &way).await;

    // Not by `read_u8`: that goes on after an interruption.
    let told = soon(stream.read(&mut [0])).await.unwrap_err();
    assert!(Leaving::is(&told), "{told:?}");
    let frame = send_frame("orders", 10);
    stream.write_all(&frame).await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(read(&mut broker, frame.len()).await, frame);
    broker.write_all(&frame).await.unwrap();
    let mut answer = vec![0; frame.len()];
    soon(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, frame);
    let ended = soon(stream.read_u8()).await.unwrap_err();
    assert!(ended.to_string().contains("4009"), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn what_happens_to_the_brokers_end_happens_to_ours() {
    let mut stage = Stage::new(config());
    let way = bridge().over(stage.way()).unwrap();
    let (mut stream, broker) = connected(&mut stage, &way).await;

    drop(broker);
    let ended = soon(stream.read_u8()).await.unwrap_err();
    assert!(ended.to_string().contains("4511"), "{ended}");

    let (mut stream, mut broker) = connected(&mut stage, &way).await;
    stream.write_all(&send_frame("orders", 10)).await.unwrap();
    soon(stream.shutdown()).await.unwrap();
    drop(stream);
    let mut rest = Vec::new();
    soon(broker.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, send_frame("orders", 10), "what was written is delivered");
}
