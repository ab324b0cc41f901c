//! Who wants to see a route for itself, and what are they told?

use alloc::vec::Vec;

use crate::error::{ErrorKind, Outcome, SendError};
use crate::output::Output;
use crate::producer::Producer;
use crate::route::{Route, RouteBroker, TopicId};
use crate::time::Instant;

/// A caller who wants to see a route.
pub(crate) struct Query<T> {
    pub(crate) ticket: T,
    pub(crate) topic: TopicId,
    pub(crate) begun: Instant,
    pub(crate) deadline: Instant,
    /// Connect to the brokers of the route as well.
    pub(crate) connect: bool,
}

impl<T> Producer<T> {
    /// The topic's route was wanted for itself.
    pub(crate) fn begin_query(&mut self, query: Query<T>) {
        let topic = query.topic;
        self.wake_by(query.deadline);
        if self.works(topic) {
            self.answer_query(query, None);
            return;
        }
        self.queries.push(query);
        self.look_up(topic);
    }

    pub(crate) fn answer_queries(&mut self, id: TopicId, kind: Option<&ErrorKind>) {
        while let Some(at) = self.queries.iter().position(|query| query.topic == id) {
            let query = self.queries.remove(at);
            self.answer_query(query, kind.cloned());
        }
    }

    fn answer_query(&mut self, query: Query<T>, kind: Option<ErrorKind>) {
        let elapsed = self.now.since(query.begun);
        let result = match (kind, self.route_view(query.topic)) {
            (None, Some(route)) => Ok(route),
            (kind, _) => {
                let kind = kind.unwrap_or(ErrorKind::TopicNotFound);
                let trail = Vec::new();
                Err(SendError::new(kind, Outcome::NotSent, None, elapsed, trail))
            }
        };
        if query.connect && result.is_ok() {
            self.connect_brokers(query.topic);
        }
        self.outputs.push_back(Output::Route { ticket: query.ticket, result });
    }

    fn connect_brokers(&mut self, id: TopicId) {
        let Some(known) = &self.routes.topic(id).route else { return };
        let brokers: Vec<_> = known.stretches.iter().map(|stretch| stretch.broker).collect();
        for broker in brokers {
            // Not reached now means not ready then, no more.
            let _unready = self.broker_connection(broker);
        }
    }

    fn route_view(&self, id: TopicId) -> Option<Route> {
        let topic = self.routes.topic(id);
        let known = topic.route.as_ref()?;
        let brokers = known.stretches.iter().map(|stretch| {
            let broker = self.routes.broker(stretch.broker);
            RouteBroker {
                name: broker.name.clone(),
                advertised: broker.advertised.clone(),
                dialled: broker.dialled.clone(),
            }
        });
        let mut brokers: Vec<_> = brokers.collect();
        brokers.dedup();
        Some(Route {
            topic: topic.name.clone(),
            queues: known.views.to_vec(),
            ordered: known.ordered,
            brokers,
        })
    }

    /// Queries whose time is up. Returns when the next one's is.
    pub(crate) fn expire_queries(&mut self) -> Instant {
        let now = self.now;
        while let Some(at) = self.queries.iter().position(|query| query.deadline <= now) {
            let query = self.queries.remove(at);
            let kind = self.route_problem(query.topic);
            self.answer_query(query, Some(kind));
        }
        self.queries.iter().map(|query| query.deadline).min().unwrap_or(Instant::FAR)
    }

    /// The producer is closed: nobody gets an answer any more.
    pub(crate) fn fail_queries(&mut self) {
        for query in core::mem::take(&mut self.queries) {
            self.answer_query(query, Some(ErrorKind::Closed));
        }
    }
}
