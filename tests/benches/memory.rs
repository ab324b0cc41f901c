//! How much memory do 100,000 sends take that nobody answers? Run by `cargo bench -p tests --bench memory`.
//!
//! A broker of the embedded cluster is frozen: it accepts, and reads nothing. Printed are the
//! producer's own counters and what the operating system says of the whole process.

use producer_native::{Message, Producer};
use sim::serve::EmbeddedCluster;

const SENDS: usize = 100_000;
const BYTES_MAX: usize = 32 << 20;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run());
}

async fn run() {
    let cluster = EmbeddedCluster::builder()
        .broker("broker-a", |broker| broker)
        .topic("memory", 4)
        .start()
        .await
        .expect("a cluster on loopback");
    let producer = Producer::builder("memory")
        .name_servers(&cluster.name_servers())
        .configure(|config| {
            config.bytes_max = BYTES_MAX;
            config.waiting_bytes_max = BYTES_MAX;
        })
        .build()
        .expect("a valid configuration");
    let message = || Message::new("memory", vec![b'x'; 1024]).expect("a valid message");
    producer.send(message()).await.expect("the broker answers");
    cluster.broker("broker-a").pause();

    let before = resident_kib();
    let mut most = 0;
    let mut tickets = Vec::with_capacity(SENDS);
    for _ in 0..SENDS {
        tickets.push(producer.enqueue(message()));
        tokio::task::yield_now().await;
        let stats = producer.stats();
        most = most.max(stats.bytes_in_hand + stats.bytes_waiting);
    }
    let grown = resident_kib().saturating_sub(before);
    let full = producer.stats().not_sent;

    println!("{SENDS} sends of 1 KiB to a broker that reads nothing:");
    println!("  {full} refused at once, for there was no room");
    println!("  counted: {} KiB in hand and waiting, {} KiB allowed", most >> 10, BYTES_MAX >> 9);
    println!("  resident memory grew by {grown} KiB, tickets of refused sends included");
    assert!(most <= 2 * BYTES_MAX, "the budget holds");
}

/// Resident memory of this process; 0 where there is no /proc.
fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}
