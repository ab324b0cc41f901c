//! Batches: what a broker makes of one, and how a test sends one.

use producer_core::wire::batch;
use producer_core::wire::send::SendRequest;
use producer_core::{Batch, Message, Receipt, SendError, SendId, SendOptions};

use super::{Peer, Stored, World, ms};

/// A broker's id of a message.
pub(crate) const ONE_ID: &str = "7F00000100002A9F0000000000000001";

impl Peer {
    /// Stores what a send brings; returns the ids of it, as the answer lists them.
    pub(super) fn store(
        &mut self,
        log: &mut Vec<String>,
        request: &SendRequest<'_>,
        body: &[u8],
    ) -> String {
        let mut keep = |body: &[u8], properties: String| {
            log.push(String::from_utf8_lossy(body).into_owned());
            let queue_id = request.queue_id;
            self.stored.push(Stored { queue_id, body: body.to_vec(), properties });
        };
        if request.batch != Some(true) {
            keep(body, request.properties.as_deref().unwrap_or_default().to_owned());
            return ONE_ID.to_owned();
        }
        let members: Vec<_> =
            batch::members(body).collect::<Result<_, _>>().expect("our batches are batches");
        for member in &members {
            keep(member.body, member.properties.clone().into_owned());
        }
        let count = if self.inner_batches { 1 } else { members.len() };
        let id = |at: usize| format!("7F00000100002A9F{:016X}", self.stored.len() - count + at);
        (0..count).map(id).collect::<Vec<_>>().join(",")
    }
}

/// Messages with these bodies to topic `t`.
pub(crate) fn messages<B: AsRef<str>>(bodies: impl IntoIterator<Item = B>) -> Vec<Message> {
    let message = |body: B| Message::new("t", body.as_ref().as_bytes().to_vec()).expect("valid");
    bodies.into_iter().map(message).collect()
}

impl World {
    pub(crate) fn send_batch(&mut self, batch: Batch, options: SendOptions) -> (u64, SendId) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let id = self.producer.send_batch(self.now, ticket, batch, options);
        self.drain();
        (ticket, id)
    }

    /// Sends a batch and waits for the end.
    pub(crate) fn batch_sent(
        &mut self,
        batch: Batch,
        options: SendOptions,
    ) -> Result<Vec<Receipt>, SendError> {
        let (ticket, _) = self.send_batch(batch, options);
        let limit = self.now + ms(120_000);
        while !self.batches_done.contains_key(&ticket) {
            assert!(self.step(limit), "batch {ticket} never ended");
        }
        self.batches_done.remove(&ticket).expect("just seen")
    }

    /// Bodies stored at all brokers.
    pub(crate) fn stored(&self) -> Vec<String> {
        let all = self.peers.values().flat_map(|peer| peer.stored.iter());
        all.map(|stored| String::from_utf8_lossy(&stored.body).into_owned()).collect()
    }
}
