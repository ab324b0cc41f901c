//! A bare WebSocket that sends back what it gets: what a bridge and its brokers are compared with.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;

/// Serves it for as long as the future lives, at the address of a listener.
pub(super) async fn serve(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(echo(stream));
    }
}

/// Where nobody listens yet.
pub(super) const ANYWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn echo(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut to, mut from) = accept_async(stream).await.ok()?.split();
    while let Some(Ok(message)) = from.next().await {
        to.feed(message).await.ok()?;
        // What came together goes back together, as a bridge does it.
        while let Some(ready) = futures_util::FutureExt::now_or_never(from.next()) {
            to.feed(ready?.ok()?).await.ok()?;
        }
        to.flush().await.ok()?;
    }
    Some(())
}
