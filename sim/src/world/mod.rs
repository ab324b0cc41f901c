//! A whole cluster and its producers in virtual time, on a simulated network (turmoil).
//!
//! Name servers and brokers are the models of [`crate::model`], one host each; what runs beside
//! them is the real `producer-native`, unchanged but for its transport, clock and seed. An hour
//! passes in seconds, and one seed always gives the same run: in another process, on another
//! thread.
//!
//! # Testing a service of your own
//!
//! Give the service its producer, and break things while it works. These ten lines prove that it
//! loses no order when the machine of a broker dies without a word, and that no order waits longer
//! than the producer takes to find out, which is a second:
//!
//! ```
//! # use std::time::Duration;
//! # use producer_native::{Message, Producer, SendError};
//! # use sim::world::World;
//! # // The service.
//! # async fn place_order(producer: &Producer, id: u32) -> Result<(), SendError> {
//! #     let order = Message::new("orders", format!("order {id}")).expect("a valid message");
//! #     producer.send(order).await.map(drop)
//! # }
//! let world = World::builder(7).broker("a", |_| {}).broker("b", |_| {}).topic("orders", 4);
//! world.run(|world| async move {
//!     let producer = world.producer("shop").build().expect("a valid configuration");
//!     place_order(&producer, 1).await.expect("all is well");
//!     world.broker("a").lose_power().await;
//!     for id in 2..=20 {
//!         place_order(&producer, id).await.expect("there is another broker");
//!     }
//!     assert!(world.elapsed() < Duration::from_millis(1_500));
//! });
//! ```
//!
//! # Running plans
//!
//! [`run`](fn@run) executes a [`Plan`](crate::plan::Plan), of a seed or of your own, and judges it:
//! see [`pair`](crate::pair), which executes the same without a network, and faster.
//!
//! # What to break
//!
//! | what fails | how |
//! |---|---|
//! | a process dies, its host lives | [`BrokerHost::kill`], [`BrokerHost::start`] |
//! | a machine dies without a word | [`BrokerHost::lose_power`], [`BrokerHost::start`] |
//! | a process stops (GC, `SIGSTOP`) and goes on | [`BrokerHost::freeze`], [`BrokerHost::thaw`] |
//! | a broker comes back elsewhere | [`BrokerHost::restart_elsewhere`] |
//! | a broker is busy, full, slow, read-only | [`BrokerHost::with`] and the model |
//! | the network is away for a while | [`Link::hold`], [`Link::release`] |
//! | connections die silently | [`Link::cut`], [`Link::heal`] |
//! | one direction is lost | [`Link::cut_forth`], [`Link::cut_back`] |
//! | a slow link | [`Link::latency`] |
//! | resets, half frames, single bytes, stalls, low bandwidth | [`World::wire`] |
//! | the wall clock is set | [`World::set_clock`] |

mod account;
mod builder;
mod chaos;
mod handles;
mod host;
mod load;
mod run;
mod trace;
mod transport;
mod wire;

pub use account::Account;
pub use builder::WorldBuilder;
pub use chaos::ChaosStream;
pub use handles::{BrokerHost, Link, NameServerHost, World};
pub use load::{Load, Sent};
pub use run::run;
pub use wire::{Cut, Way, Wire};
