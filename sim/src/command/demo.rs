//! A demonstration that ends: what does a producer do while its brokers fail?

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use producer_native::{Message, Producer, Receipt, SendError};
use sim::serve::EmbeddedCluster;

const TOPIC: &str = "demo";
/// A broker that is well again and gets nothing for so long is a failure.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// How much is sent.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Messages sent while a master fails.
    #[arg(long, default_value_t = 20_000)]
    messages: usize,
    /// Sends at a time.
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
}

/// What fails while messages are sent.
#[derive(Clone, Copy)]
enum Failure {
    Kill,
    Freeze,
}

/// Starts a cluster of two masters, publishes, and lets a master fail twice. Fails if a message
/// was lost.
pub(crate) async fn run(arguments: DemoArguments) -> io::Result<()> {
    let cluster = EmbeddedCluster::builder()
        .name_servers(2)
        .broker("broker-a", |broker| broker)
        .broker("broker-b", |broker| broker)
        .topic(TOPIC, 4)
        .start()
        .await?;
    println!("An embedded cluster: two name servers ({}), two masters.", cluster.name_servers());
    let producer = Producer::builder("demo")
        .name_servers(&cluster.name_servers())
        .build()
        .map_err(io::Error::other)?;

    println!("\nFive messages and their receipts:");
    for number in 1..=5 {
        let receipt = producer.send(message(number)).await.map_err(io::Error::other)?;
        print_receipt(&receipt);
    }
    let mut ledger = Ledger::default();
    for (failure, what) in [(Failure::Kill, "is killed"), (Failure::Freeze, "stops answering")] {
        println!(
            "\nbroker-a {what} while {} messages are sent, {} at a time:",
            arguments.messages, arguments.concurrency
        );
        let before = producer.stats();
        let begun = Instant::now();
        let slowest = send_through(&producer, &cluster, failure, &arguments, &mut ledger).await;
        let after = producer.stats();
        println!(
            "  {} sent in {} ms; {} attempts failed and were made again elsewhere; {} failed; \
             slowest send {} ms",
            arguments.messages,
            begun.elapsed().as_millis(),
            after.retries - before.retries,
            ledger.failed.len(),
            slowest.as_millis()
        );
        let back = recover(&producer, &cluster, failure, &mut ledger).await?;
        println!("  broker-a is well again and takes messages {} ms later", back.as_millis());
    }
    let report = producer.close(Duration::from_secs(5)).await;
    println!("\nClosed: {} sends in hand were unknown.", report.unknown);
    judge(&cluster, &ledger)
}

/// What the producer said about every message.
#[derive(Default)]
struct Ledger {
    stored: BTreeSet<String>,
    maybe_twice: usize,
    failed: Vec<SendError>,
}

impl Ledger {
    fn note(&mut self, receipt: &Receipt) {
        self.maybe_twice += usize::from(receipt.maybe_duplicate);
        self.stored.insert(receipt.message_id.to_string());
    }
}

fn message(number: usize) -> Message {
    let message = Message::new(TOPIC, format!("message {number}"));
    message.expect("a constant topic and a body that is not empty")
}

fn print_receipt(receipt: &Receipt) {
    println!(
        "  {}  {} at {}, queue {}, offset {}",
        receipt.message_id, receipt.status, receipt.broker, receipt.queue_id, receipt.queue_offset
    );
}

/// Sends from many tasks; after a third of the messages, broker-a fails. Returns the slowest send.
async fn send_through(
    producer: &Producer,
    cluster: &EmbeddedCluster,
    failure: Failure,
    arguments: &DemoArguments,
    ledger: &mut Ledger,
) -> Duration {
    let next = Arc::new(AtomicUsize::new(0));
    let (messages, third) = (arguments.messages, arguments.messages / 3);
    let mut tasks = Vec::new();
    for _ in 0..arguments.concurrency.max(1) {
        let (producer, next) = (producer.clone(), next.clone());
        let broker = cluster.broker("broker-a");
        tasks.push(tokio::spawn(async move {
            let mut ended = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= messages {
                    return ended;
                }
                if number == third {
                    match failure {
                        Failure::Kill => broker.kill().await,
                        Failure::Freeze => broker.pause(),
                    }
                }
                let begun = Instant::now();
                let result = producer.send(message(number)).await;
                ended.push((result, begun.elapsed()));
            }
        }));
    }
    let mut slowest = Duration::ZERO;
    for task in tasks {
        for (result, elapsed) in task.await.into_iter().flatten() {
            slowest = slowest.max(elapsed);
            match result {
                Ok(receipt) => ledger.note(&receipt),
                Err(error) => ledger.failed.push(error),
            }
        }
    }
    slowest
}

/// Lets broker-a recover and sends until it takes a message again. Returns how long that took.
async fn recover(
    producer: &Producer,
    cluster: &EmbeddedCluster,
    failure: Failure,
    ledger: &mut Ledger,
) -> io::Result<Duration> {
    let broker = cluster.broker("broker-a");
    match failure {
        Failure::Kill => {
            broker.restart().await?;
            cluster.wait_until_registered().await?;
        }
        Failure::Freeze => broker.resume(),
    }
    let begun = Instant::now();
    while begun.elapsed() < RECOVERY_MAX {
        let receipt = producer.send(message(0)).await.map_err(io::Error::other)?;
        ledger.note(&receipt);
        if &*receipt.broker == "broker-a" {
            return Ok(begun.elapsed());
        }
    }
    Err(io::Error::other("broker-a was not used again"))
}

/// Holds what the producer said against what the brokers have.
fn judge(cluster: &EmbeddedCluster, ledger: &Ledger) -> io::Result<()> {
    let mut copies = std::collections::BTreeMap::<String, usize>::new();
    for broker in cluster.brokers() {
        for message in broker.messages(TOPIC) {
            let id = message.uniq_key().unwrap_or_default().to_owned();
            *copies.entry(id).or_default() += 1;
        }
    }
    let lost = ledger.stored.iter().filter(|id| !copies.contains_key(*id)).count();
    let twice = copies.values().filter(|&&count| count > 1).count();
    println!("\nThe producer's word against the brokers' logs:");
    println!("  {} messages acknowledged, {lost} of them lost", ledger.stored.len());
    println!(
        "  {twice} stored twice, all under one id; the receipts of {} warned",
        ledger.maybe_twice
    );
    println!("  {} failed", ledger.failed.len());
    if let Some(error) = ledger.failed.first() {
        println!("  the first of them: {error}");
    }
    if lost > 0 || !ledger.failed.is_empty() || twice > ledger.maybe_twice {
        return Err(io::Error::other("the promise was not kept"));
    }
    println!("\nNothing was lost. Now run ./check, which shows the same on real clusters.");
    Ok(())
}
