//! How does a plan run on a real cluster?

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use producer_native::{Message, Order, Producer, QueueChoice, Receipt, SendError, SendOptions};
use sim::plan::{FaultKind, Mode, Plan, Workload};
use tests::cluster::{Cluster, Result, Topic};
use tests::interop::{pass, producer};
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep_until};

use crate::twin::classes::Classes;
use crate::twin::proxy::{Proxy, Through};

pub(crate) type Ends = Arc<Mutex<Vec<std::result::Result<Receipt, SendError>>>>;

/// A cluster whose brokers are behind proxies.
pub(crate) struct Stage {
    pub(crate) cluster: Cluster,
    runtime: Runtime,
    proxies: Vec<Proxy>,
}

impl Stage {
    pub(crate) fn new(cluster: Cluster, runtime: Runtime) -> Result<Self> {
        let brokers = ["broker-0", "broker-1"].into_iter();
        let addresses: Result<Vec<_>> =
            brokers.map(|name| Ok(cluster.master(name)?.address())).collect();
        let proxies = addresses?.into_iter().map(|to| Proxy::start(&runtime, to)).collect();
        Ok(Self { cluster, runtime, proxies })
    }

    /// Executes the plan under a topic of its own.
    pub(crate) fn run(&self, plan: &Plan, topic: &str) -> Result<Classes> {
        for (broker, queues) in plan.cluster.topics[0].queues.iter().enumerate() {
            if *queues > 0 {
                let name = format!("broker-{broker}");
                let queues = i32::from(*queues);
                self.cluster.create_topic(&Topic::new(topic, queues).on(&[&name]))?;
            }
        }
        let producer = producer(&self.runtime, &self.cluster)
            .config(plan.config.config(Vec::new()))
            .name_servers(&self.cluster.name_server_list())
            .transport(Through(self.proxies.clone()))
            .build()
            .expect("plans have valid configurations");
        let (ends, begin) = (Ends::default(), std::time::Instant::now());
        let loads = plan.workloads.iter().map(|workload| {
            let load = load(producer.clone(), topic.to_owned(), workload.clone(), ends.clone());
            self.runtime.spawn(load)
        });
        let loads: Vec<_> = loads.collect();
        let mut agenda: Vec<(u64, usize, bool)> = Vec::new();
        for (at, fault) in plan.faults.iter().enumerate() {
            agenda.push((fault.at_ms, at, true));
            agenda.push((fault.at_ms + fault.for_ms, at, false));
        }
        agenda.sort_unstable();
        for (at_ms, fault, begins) in agenda {
            pass(Duration::from_millis(at_ms).saturating_sub(begin.elapsed()));
            let fault = &plan.faults[fault];
            self.apply(&fault.target, fault.kind, begins)?;
        }
        for load in loads {
            self.runtime.block_on(load).expect("a load does not panic");
        }
        self.runtime.block_on(producer.close(Duration::from_secs(5)));
        self.cluster.wait_registered()?;
        let ends = std::mem::take(&mut *ends.lock().unwrap_or_else(PoisonError::into_inner));
        let stored = ends.iter().filter(|end| end.is_ok()).count();
        Ok(Classes::of_real(&ends, &self.cluster.read_back_when(topic, stored)?))
    }

    fn apply(&self, target: &str, kind: FaultKind, begins: bool) -> Result<()> {
        let number = target.rsplit('-').next().and_then(|n| n.parse::<usize>().ok());
        let number = number.expect("nodes are numbered");
        let is_broker = target.starts_with("broker-");
        if is_broker && self.proxies[number].apply(kind, begins) {
            return Ok(());
        }
        let node = match is_broker {
            true => self.cluster.master(target)?,
            false => self.cluster.name_server(number)?,
        };
        match (kind, begins) {
            (FaultKind::Crash, true) => node.kill(),
            (FaultKind::Crash, false) => node.restart()?,
            (FaultKind::Freeze, true) => node.freeze()?,
            (FaultKind::Freeze, false) => node.thaw()?,
            (FaultKind::ReadOnly, true) => node.update_config("brokerPermission", "4")?,
            (FaultKind::ReadOnly, false) => node.update_config("brokerPermission", "6")?,
            (kind, _) => panic!("{kind:?} cannot be done to a real cluster"),
        }
        Ok(())
    }
}

async fn load(producer: Producer, topic: String, workload: Workload, ends: Ends) {
    let begin = Instant::now() + Duration::from_millis(workload.start_ms);
    let every = Duration::from_micros(workload.every_us);
    let mut sends = Vec::new();
    for n in 0..workload.total {
        sleep_until(begin + every * (n / workload.burst)).await;
        let (producer, ends) = (producer.clone(), ends.clone());
        let body = format!("{n:<width$}", width = workload.body_bytes as usize);
        let message = Message::new(&*topic, body).expect("topic and body are valid");
        let key = format!("key-{}", n % workload.keys.max(1));
        let options = SendOptions { queue: queue(workload.mode, &key), ..SendOptions::default() };
        // In the order they are asked, as lanes are: the future does nothing before it is polled.
        let send = producer.enqueue_with(message, options);
        sends.push(tokio::spawn(async move {
            let end = send.await;
            ends.lock().unwrap_or_else(PoisonError::into_inner).push(end);
        }));
    }
    for send in sends {
        send.await.expect("a send does not panic");
    }
}

fn queue(mode: Mode, key: &str) -> QueueChoice {
    match mode {
        Mode::Rotate => QueueChoice::Rotate,
        Mode::Hash => QueueChoice::hash(key),
        Mode::Strict => QueueChoice::ordered(key, Order::Strict),
        Mode::Available => QueueChoice::ordered(key, Order::Available),
        Mode::OneWay => panic!("nothing is known of sends that nobody answers"),
    }
}
