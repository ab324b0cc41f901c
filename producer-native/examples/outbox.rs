//! A message that is seen if, and only if, a change in a local store was made: although the process
//! may die between the two.
//!
//!     cargo run -p producer-native --example outbox        # [-- --name-server 10.0.0.1:9876]
//!
//! The broker keeps the message hidden (a *half* message), and the store is the truth: a broker that
//! does not hear how it ended asks a process of the group, which looks there. What this costs, and
//! when a table of messages in the store is better: `docs/outcomes.md`, Outbox.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use producer_native::{Builder, Decision, Message, Producer, TransactionCheck};

pub mod support;

/// Within this time a real broker has asked three times.
const REAL_BROKERS_ASK: Duration = Duration::from_secs(180);

/// What is paid: a line an order. Stands for your database; all processes of the group see it.
#[derive(Clone)]
pub struct Store(PathBuf);

impl Store {
    /// The store in this file, which need not be there yet.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The local transaction: after it returns, the order stays paid whatever happens.
    fn pay(&self, order: &str) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).append(true).open(&self.0)?;
        writeln!(file, "{order}")?;
        file.sync_all()
    }

    fn is_paid(&self, order: &str) -> io::Result<bool> {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => Ok(text.lines().any(|line| line == order)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A producer that answers brokers which ask how a transaction ended. Every process of the group
/// needs this: the one that began a transaction may be gone.
pub fn producer(builder: Builder, store: Store) -> support::Result<Producer> {
    let checker = move |check: TransactionCheck| {
        let store = store.clone();
        async move {
            let order = check.property("KEYS").unwrap_or_default();
            println!("  a broker asks about {order}");
            // A store on the network is asked with `.await` here; this one is fast. An error leaves
            // the transaction as it is, and the broker asks again.
            store.is_paid(order).map(|paid| match paid {
                true => Decision::Commit,
                // It may be going on elsewhere: give it until the third question.
                false if check.times < 3 => Decision::Unknown,
                false => Decision::Rollback,
            })
        }
    };
    Ok(builder.transaction_checker(checker).build()?)
}

/// How far a process gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Dies {
    /// To the end.
    Never,
    /// Its message is hidden, and nothing is paid.
    BeforePaying,
    /// It is paid, and nobody told the broker.
    AfterPaying,
}

/// Pays an order and tells of it.
pub async fn pay(
    producer: &Producer,
    store: &Store,
    order: &str,
    dies: Dies,
) -> support::Result<()> {
    let message = Message::new("orders", format!("{order} is paid"))?.keys([order])?;
    // 1. The broker has it, and shows it to nobody. An error here ends the matter: nothing is paid.
    let half = producer.begin(message).await?;
    if dies == Dies::BeforePaying {
        half.unknown(); // as a process that dies: the broker is told nothing
        return Ok(());
    }
    // 2. The local transaction. If it fails, `?` drops the half message, which rolls it back.
    store.pay(order)?;
    if dies == Dies::AfterPaying {
        half.unknown();
        return Ok(());
    }
    // 3. Consumers may see it. If this gets lost, the broker asks, too: nothing is to be done.
    if let Err(not_told) = half.commit().await {
        eprintln!("{not_told}");
    }
    Ok(())
}

/// Two processes, one after the other.
pub async fn run(cluster: &support::Cluster, store: &Store) -> support::Result<()> {
    let first = producer(cluster.producer("shop"), store.clone())?;
    println!("order-1 is paid; then its process dies twice, before and after paying");
    pay(&first, store, "order-1", Dies::Never).await?;
    pay(&first, store, "order-2", Dies::BeforePaying).await?;
    pay(&first, store, "order-3", Dies::AfterPaying).await?;
    drop(first);

    println!("a new process; brokers ask it");
    let second = producer(cluster.producer("shop"), store.clone())?;
    // Brokers ask those who are connected to them: an idle process, too, has to be. Anything it
    // sends sees to that.
    pay(&second, store, "order-4", Dies::Never).await?;
    match &cluster.models {
        Some(_) => cluster.until_stored("orders", "order-3 is paid").await,
        // Only a consumer would see it.
        None => tokio::time::sleep(REAL_BROKERS_ASK).await,
    }
    second.close(Duration::from_secs(5)).await;
    Ok(())
}

#[tokio::main]
async fn main() -> support::Result<()> {
    let cluster = support::Cluster::from_arguments("orders").await?;
    let path = std::env::temp_dir().join(format!("outbox-{}.txt", std::process::id()));
    run(&cluster, &Store::at(&path)).await?;
    println!("consumers see: {:?}", cluster.stored("orders"));
    Ok(std::fs::remove_file(path)?)
}
