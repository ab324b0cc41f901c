//! Sends one message through a bridge: `ws://127.0.0.1:7070/`, or the URL that is given. A token, if
//! the bridge wants one, is in `BRIDGE_TOKEN`.

use std::time::Duration;

use producer_native::{Message, Producer, WebSocket};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:7070/".to_owned());
    let mut bridge = WebSocket::new(&url)?;
    if let Ok(token) = std::env::var("BRIDGE_TOKEN") {
        bridge = bridge.token(token);
    }
    let producer = Producer::builder("example").bridge(bridge).build()?;

    let receipt = producer.send(Message::new("orders", "paid")?).await?;
    println!(
        "stored by {}, offset {}, as {}",
        receipt.broker, receipt.queue_offset, receipt.message_id
    );
    producer.close(Duration::from_secs(5)).await;
    Ok(())
}
