//! A web service that publishes what is posted to it.
//!
//!     cargo run -p producer-native --example service       # [-- --name-server 10.0.0.1:9876]
//!     curl -i -d 'two books' http://127.0.0.1:8080/orders
//!
//! | answer | the order is |
//! |---|---|
//! | 201 | stored |
//! | 503 with `Retry-After` | surely not stored: we or the brokers have too much to do |
//! | 504 with `Message-Id` | perhaps stored. Post it again with that header: it keeps its id, by which consumers know the second copy |

use std::future::Future;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use producer_native::{
    CloseReport, ErrorKind, Message, MessageId, Outcome, Producer, SendError, SendOptions,
};
use tokio::net::TcpListener;

pub mod support;

const MESSAGE_ID: &str = "message-id";

/// One order. If the client hangs up, this future is dropped where it waits, and its send is
/// cancelled: not sent if no byte of it has left.
async fn order(State(producer): State<Producer>, headers: HeaderMap, body: Bytes) -> Response {
    let Ok(message) = Message::new("orders", body) else {
        return (StatusCode::BAD_REQUEST, "an order has a body\n").into_response();
    };
    let mut options = SendOptions::default();
    if let Some(id) = headers.get(MESSAGE_ID) {
        let Some(id) = id.to_str().ok().and_then(MessageId::parse) else {
            return (StatusCode::BAD_REQUEST, "this is no message id\n").into_response();
        };
        options.message_id = Some(id);
    }
    // `send_with` would wait for room. Who answers requests does better to say at once that there
    // is none: the client may go elsewhere, and we do not pile up what nobody waits for any more.
    let Ok(ticket) = producer.try_send_with(message, options) else {
        return later("too many orders at once\n".to_owned());
    };
    match ticket.await {
        Ok(receipt) => {
            let id = [(MESSAGE_ID, receipt.message_id.to_string())];
            (StatusCode::CREATED, id, format!("stored by {}\n", receipt.broker)).into_response()
        }
        Err(error) => refusal(&error),
    }
}

/// What a failed send means to whoever asked for it. Its text, which names brokers and addresses,
/// is for our log and not for clients.
fn refusal(error: &SendError) -> Response {
    eprintln!("an order: {error}");
    match (error.outcome(), error.kind(), error.message_id()) {
        (Outcome::Unknown, _, Some(id)) => {
            let id = [(MESSAGE_ID, id.to_string())];
            let text = "perhaps stored; repeat it with this Message-Id\n";
            (StatusCode::GATEWAY_TIMEOUT, id, text).into_response()
        }
        (_, ErrorKind::MessageTooLarge { bytes_max, .. }, _) => {
            let text = format!("an order has {bytes_max} bytes at most\n");
            (StatusCode::PAYLOAD_TOO_LARGE, text).into_response()
        }
        _ => later("not stored\n".to_owned()),
    }
}

fn later(text: String) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], text).into_response()
}

/// Serves until `stop`, then ends without losing anything: requests under way are answered, sends
/// in hand get 5 s to end.
pub async fn serve(
    listener: TcpListener,
    producer: Producer,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<CloseReport> {
    let app = Router::new().route("/orders", post(order)).with_state(producer.clone());
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    let report = producer.close(Duration::from_secs(5)).await;
    for id in &report.unknown_ids {
        eprintln!("nobody knows whether {id} is stored");
    }
    Ok(report)
}

#[tokio::main]
async fn main() -> support::Result<()> {
    let cluster = support::Cluster::from_arguments("orders").await?;
    // One producer for the whole service; a clone is another handle of it. A caller waits 2 s at
    // most, and 1,000 orders may wait with it.
    let producer = cluster
        .producer("orders-service")
        .send_timeout(Duration::from_secs(2))
        .configure(|config| config.sends_max = 1_000)
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}/orders; Ctrl-C ends it", listener.local_addr()?);

    // A container is stopped by SIGTERM: wait for that, too, where you run in one.
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    let report = serve(listener, producer, stop).await?;

    println!("{} orders stored and {} unknown while closing", report.stored, report.unknown);
    Ok(())
}
