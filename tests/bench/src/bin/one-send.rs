//! The smallest program that sends: `./bench --build` says how large it is.
#![expect(clippy::unwrap_used, reason = "a bench: what fails ends it")]

use producer_native::{Message, Producer};

fn main() {
    let name_servers = std::env::args().nth(1).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let producer = Producer::builder("bench").name_servers(&name_servers).build().unwrap();
        let receipt = producer.send(Message::new("bench-0", "body").unwrap()).await.unwrap();
        println!("{receipt:?}");
    });
}
