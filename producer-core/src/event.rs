//! What happens besides the ends of sends, for those who look on.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use crate::error::Attempt;
use crate::output::Output;
use crate::producer::Producer;
use crate::route::TopicId;
use crate::slab::Key;
use crate::unique_id::MessageId;

/// Given out as [`Output::Event`](crate::Output::Event) if
/// [`Config::events`](crate::Config::events) asks for it. Nothing of it needs to be heeded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// An attempt failed, and another one follows.
    Retried {
        /// The id of its message.
        message_id: MessageId,
        /// How it failed.
        attempt: Attempt,
    },
    /// A broker is avoided from now on, or is not any more.
    Broker {
        /// Its name.
        name: Arc<str>,
        /// Whether sends go there.
        usable: bool,
    },
    /// The queues of a topic are other ones than before.
    Route {
        /// The topic, without namespace.
        topic: String,
        /// Names of the brokers that have its queues.
        brokers: Box<[Arc<str>]>,
    },
}

impl<T> Producer<T> {
    /// Tells those who look on, if anybody does.
    #[inline]
    pub(crate) fn tell(&mut self, event: impl FnOnce(&Self) -> Option<Event>) {
        if self.config.events
            && let Some(event) = event(self)
        {
            self.outputs.push_back(Output::Event(Box::new(event)));
        }
    }

    /// Tells which brokers have a topic's queues now.
    #[cold]
    pub(crate) fn tell_of_route(&mut self, id: TopicId) {
        self.tell(|this| {
            let topic = this.routes.topic(id);
            let stretches = topic.route.iter().flat_map(|known| &known.stretches);
            let name = |broker: u32| this.routes.broker(broker).name.clone();
            let brokers = stretches.map(|stretch| name(stretch.broker)).collect();
            Some(Event::Route { topic: topic.name.as_str().into(), brokers })
        });
    }

    /// Tells that an attempt of a send failed and another one follows.
    pub(crate) fn tell_of_retry(&mut self, key: Key) {
        self.tell(|this| {
            let send = this.sends.get(key)?;
            Some(Event::Retried { message_id: send.id, attempt: send.trail.last()?.clone() })
        });
    }

    /// Tells whether a broker is avoided now.
    #[cold]
    pub(crate) fn tell_of_broker(&mut self, id: u32) {
        self.tell(|this| {
            let broker = this.routes.broker(id);
            let usable = broker.health.usable(&this.config.health, this.now);
            Some(Event::Broker { name: broker.name.clone(), usable })
        });
    }
}
