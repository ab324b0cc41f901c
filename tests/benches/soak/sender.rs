//! The process whose resources are watched.

use std::io::{BufWriter, Write};
use std::time::Duration;

use producer_native::{Message, Outcome, Producer, Receipt, SendError, Ticket};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::TOPIC;
use crate::watch::Resources;

/// How often messages are sent: a hundredth of the rate at a time.
const TICK: Duration = Duration::from_millis(10);
static BODY: [u8; 64] = [b'x'; 64];

pub(crate) fn be(words: &[String]) {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build().unwrap();
    let rate: u64 = words[1].parse().unwrap();
    let ticks = words[2].parse::<u64>().unwrap() / TICK.as_millis() as u64;
    runtime.block_on(send(&words[0], rate, ticks));
}

async fn send(name_servers: &str, rate: u64, ticks: u64) {
    let producer = Producer::builder("soak").name_servers(name_servers).build().unwrap();
    let (begun, ends) = mpsc::unbounded_channel();
    let told = tokio::spawn(tell(ends));
    let mut every = interval(TICK);
    every.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut number = 0_u64;
    for tick in 0..ticks {
        every.tick().await;
        for _ in 0..rate / 100 {
            let body = [number.to_string().as_bytes(), b" ", &BODY[..]].concat();
            let ticket = producer.enqueue(Message::new(TOPIC, body).unwrap());
            begun.send(Say::End(number, ticket)).unwrap();
            number += 1;
        }
        if tick % 100 == 0 {
            begun.send(Say::Resources).unwrap();
        }
    }
    drop(begun);
    told.await.unwrap();
    let report = producer.close(Duration::from_secs(5)).await;
    assert_eq!(report.unknown, 0, "nothing was left");
}

enum Say {
    End(u64, Ticket),
    Resources,
}

/// Writes how each ended, in their order.
async fn tell(mut ends: mpsc::UnboundedReceiver<Say>) {
    let mut out = BufWriter::new(std::io::stdout());
    while let Some(say) = ends.recv().await {
        match say {
            Say::End(number, ticket) => end(&mut out, number, ticket.await),
            Say::Resources => writeln!(out, "r {}", Resources::now()).unwrap(),
        }
    }
}

fn end(out: &mut impl Write, number: u64, result: Result<Receipt, SendError>) {
    match result {
        Ok(it) => {
            let Receipt { broker, queue_id, queue_offset, maybe_duplicate, .. } = it;
            writeln!(out, "a {number} {broker} {queue_id} {queue_offset} {maybe_duplicate}")
        }
        Err(error) if error.outcome() == Outcome::Unknown => writeln!(out, "u {number}"),
        Err(_) => writeln!(out, "n {number}"),
    }
    .unwrap();
}
