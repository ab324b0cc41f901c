//! What befalls connections.

use producer_core::{ConnId, ConnectionEnd};

use super::{Dial, World};

impl World {
    /// Ends every connection to `address`, as a killed process does.
    pub(crate) fn cut(&mut self, address: &str, end: &ConnectionEnd) {
        let conns: Vec<ConnId> =
            self.conns.iter().filter(|(_, (to, _))| to == address).map(|(c, _)| *c).collect();
        for conn in conns {
            self.conns.remove(&conn);
            self.producer.handle_closed(self.now, conn, end.clone());
            self.drain();
        }
    }

    /// Whoever is at `address` announces that it closes all connections soon.
    pub(crate) fn announce(&mut self, address: &str) {
        let conns = self.conns.iter().filter(|(_, (to, _))| to == address);
        for conn in conns.map(|(conn, _)| *conn).collect::<Vec<ConnId>>() {
            self.producer.handle_leaving(self.now, conn);
            self.drain();
        }
    }

    /// Every connection to `address` swallows what is written to it from now on, as one does whose
    /// state a firewall has forgotten.
    pub(crate) fn vanish(&mut self, address: &str) {
        self.conns.retain(|_, (to, _)| to != address);
    }

    pub(crate) fn kill(&mut self, address: &str) {
        self.broker(address).dial = Dial::Refuse;
        self.cut(address, &ConnectionEnd::Reset);
    }
}
