//! What does it bring that sends share requests? 64 tasks send 128 bytes each and wait for the
//! receipt, alone and sharing, against one embedded broker in the same run. The message is there:
//! what is measured is sending.
//!
//! Producer, broker and tasks share one thread, so that a rate is what a message takes of a
//! processor, and nothing else: `cargo bench -p tests --bench auto_batch` fails below three times as
//! many messages a second, or when 99 of 100 do not take less than the linger and one and a half
//! times as long as alone. The same on two threads is printed; what it comes to depends on whether
//! they have a core each.
#![allow(clippy::unwrap_used, reason = "a bench")]

use std::time::{Duration, Instant};

use producer_native::{AutoBatch, Bytes, Message, Producer};
use sim::model::broker::BrokerConfig;
use sim::serve::EmbeddedCluster;

const TASKS: usize = 64;
const SPAN: Duration = Duration::from_millis(700);
static BODY: [u8; 128] = [b'x'; 128];

fn main() {
    for threads in [2, 1] {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(threads).enable_all().build().unwrap();
        println!("threads: {threads}");
        // The tasks are what runs on them, not this thread.
        let (ratios, late) = runtime.block_on(runtime.spawn(compare())).unwrap();
        assert!(threads > 1 || (ratios[3] >= 3.0 && late <= 1), "{ratios:.2?}, {late} late");
    }
}

/// Seven ratios in order, and how often the latency was too high.
async fn compare() -> (Vec<f64>, usize) {
    // It keeps little, so that the kernel need not clear pages all the time.
    let keeps = |config: &mut BrokerConfig| config.log_bytes_max = 16 << 20;
    let builder = EmbeddedCluster::builder().broker("broker-a", |broker| broker.tune(keeps));
    let cluster = builder.topic("t", 4).start().await.unwrap();
    let producer = || Producer::builder("sharing").name_servers(&cluster.name_servers());
    let alone = producer().build().unwrap();
    let sharing = producer().auto_batch(AutoBatch::default()).build().unwrap();
    for producer in [&alone, &sharing] {
        measure(producer).await;
    }
    let (mut ratios, mut costs, mut late) = (Vec::new(), Vec::new(), 0);
    for _ in 0..7 {
        let (one, one_p99, one_cost) = measure(&alone).await;
        let before = sharing.stats();
        let (many, many_p99, many_cost) = measure(&sharing).await;
        let after = sharing.stats();
        let together =
            (after.stored - before.stored) as f64 / (after.attempts - before.attempts) as f64;
        println!(
            "alone {one:.0}/s, p99 {one_p99:?}, {one_cost:.2} us of a processor each; sharing \
             {many:.0}/s, p99 {many_p99:?}, {many_cost:.2} us, {together:.1} a request: {:.2} times",
            many / one
        );
        late += usize::from(many_p99 > AutoBatch::default().linger + one_p99 * 3 / 2);
        ratios.push(many / one);
        costs.push(one_cost / many_cost);
    }
    ratios.sort_by(f64::total_cmp);
    costs.sort_by(f64::total_cmp);
    println!(
        "median {:.2} times, wanted 3, at {:.2} times less time of a processor each; p99 too high \
         {late} times",
        ratios[3], costs[3]
    );
    (ratios, late)
}

/// Messages a second, the latency that 99 of 100 stay below, and the microseconds of a processor that
/// each takes.
async fn measure(producer: &Producer) -> (f64, Duration, f64) {
    let (begun, busy) = (Instant::now(), processor_us());
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let producer = producer.clone();
            tokio::spawn(async move {
                let message = Message::new("t", Bytes::from_static(&BODY)).unwrap();
                let (mut sent, mut took) = (0, Vec::new());
                while begun.elapsed() < SPAN {
                    // One in four is timed: looking at the clock takes its time, too.
                    for _ in 0..3 {
                        producer.send(message.clone()).await.unwrap();
                    }
                    let before = Instant::now();
                    producer.send(message.clone()).await.unwrap();
                    took.push(before.elapsed());
                    sent += 4;
                }
                (sent, took)
            })
        })
        .collect();
    let (mut sent, mut took) = (0, Vec::new());
    for task in tasks {
        let (more, times) = task.await.unwrap();
        sent += more;
        took.extend(times);
    }
    let cost = (processor_us() - busy) / f64::from(sent);
    let rate = f64::from(sent) / begun.elapsed().as_secs_f64();
    took.sort_unstable();
    (rate, took[took.len() * 99 / 100], cost)
}

/// What this process has taken of processors so far (Linux; 0 elsewhere), in ticks of 10 ms.
fn processor_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 10_000.0
}
