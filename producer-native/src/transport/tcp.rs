//! How is a TCP connection made to a host that has several addresses?

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use producer_core::{Address, ConnectionEnd};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use super::{Connecting, Stream, Transport, end_of};

/// TCP with `TCP_NODELAY` and keep-alive. A host name is resolved at each dial, and its addresses
/// are tried one after the other, each with an equal share of the time that is left.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

/// A peer that vanished without a word is noticed after 15 s + 3 × 5 s even if we owe it nothing.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

impl Transport for Tcp {
    fn connect(&self, address: &Address, deadline: Instant) -> Connecting {
        let address = address.clone();
        Box::pin(async move {
            let stream = dial(&address, deadline).await?;
            prepare(&stream).map_err(|error| end_of(&error))?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

async fn dial(address: &Address, deadline: Instant) -> Result<TcpStream, ConnectionEnd> {
    let unreachable =
        |why: &dyn fmt::Display| ConnectionEnd::Unreachable(format!("{}: {why}", address.host()));
    let found = lookup_host((address.host(), address.port())).await;
    let addresses: Vec<SocketAddr> = found.map_err(|error| unreachable(&error))?.collect();
    let mut last = unreachable(&"the name has no address");
    let count = addresses.len();
    for (tried, address) in addresses.into_iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let share = Instant::now() + left / u32::try_from(count - tried).unwrap_or(u32::MAX);
        last = match timeout_at(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => end_of(&error),
            Err(_elapsed) => ConnectionEnd::DialTimeout,
        };
    }
    Err(last)
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
