//! What happens to the cluster.

use std::time::{Duration, Instant};

use sim::dice::{Concern, Dice};
use sim::model::broker::{Fault, Refusal, Times};
use sim::serve::EmbeddedCluster;
use tokio::time::sleep;

pub(crate) const BROKERS: [&str; 3] = ["broker-a", "broker-b", "broker-c"];

/// One thing after the other, each at one broker or the name server; all is mended in between.
/// Returns how many there were.
pub(crate) async fn until(end: Instant, cluster: &EmbeddedCluster, seed: u64) -> u32 {
    let mut dice = Dice::new(seed, Concern::Faults);
    let mut happened = 0;
    loop {
        sleep(Duration::from_millis(dice.between(500, 2_500))).await;
        if Instant::now() >= end {
            return happened;
        }
        let name = dice.pick(&BROKERS);
        let lasting = Duration::from_millis(dice.between(200, 3_200));
        one(cluster, name, dice.below(9), lasting).await;
        happened += 1;
    }
}

async fn one(cluster: &EmbeddedCluster, name: &str, what: u64, lasting: Duration) {
    let broker = cluster.broker(name);
    match what {
        0 => {
            broker.kill().await;
            sleep(lasting).await;
            broker.restart().await.unwrap();
        }
        1 => {
            broker.restart_elsewhere().await.unwrap();
        }
        2 => {
            broker.pause();
            sleep(lasting).await;
            broker.resume();
        }
        3 => {
            broker.slow(Duration::from_millis(300));
            sleep(lasting).await;
        }
        4 => {
            broker.read_only();
            sleep(lasting).await;
        }
        5 => cluster.name_server(0).restart_empty().await.unwrap(),
        n => {
            let fault = match n {
                6 => Fault::NoAnswer,
                7 => Fault::HalfAnswer,
                _ => Fault::Refuse(Refusal::SystemError),
            };
            broker.fault(fault, Times::Next(50));
            sleep(lasting).await;
        }
    }
    broker.heal();
    cluster.wait_until_registered().await.unwrap();
}
