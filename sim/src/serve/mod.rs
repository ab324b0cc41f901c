//! The models on real TCP: an embedded cluster for tests, benches and first steps.
//!
//! No Java and no process is started; a cluster of three brokers is up in milliseconds. Brokers
//! register with the name servers over the network, as real ones do, so the two can be mixed.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use sim::serve::EmbeddedCluster;
//!
//! let cluster = EmbeddedCluster::builder()
//!     .name_servers(2)
//!     .broker("broker-a", |broker| broker.queues(8))
//!     .broker("broker-b", |broker| broker)
//!     .slave_of("broker-a")
//!     .topic("orders", 4)
//!     .start()
//!     .await?;
//!
//! // A producer gets this; it is two addresses with a semicolon between them.
//! println!("{}", cluster.name_servers());
//!
//! let broker = cluster.broker("broker-a");
//! broker.pause();
//! broker.resume();
//! broker.kill().await;
//! broker.restart().await?;
//! assert!(broker.messages("orders").is_empty());
//! # std::io::Result::Ok(()) })?;
//! # std::io::Result::Ok(())
//! ```

mod builder;
mod cluster;
pub(crate) mod driver;
mod handles;
mod server;

pub use builder::{BrokerBuilder, ClusterBuilder};
pub use cluster::EmbeddedCluster;
pub use handles::{BrokerHandle, NameServerHandle};
