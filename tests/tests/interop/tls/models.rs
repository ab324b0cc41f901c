//! Our models behind an end of TLS, with our producer and Java's before it.

use std::time::Duration;

use producer_native::{Producer, Tls};
use sim::model;
use sim::serve::EmbeddedCluster;
use tests::cluster::{Release, Result, read_from};
use tests::compat::{Column, Feature, record};
use tests::interop::client::{Java, Reach};
use tests::interop::java::stored_is_what_java_sent;
use tests::interop::{Steps, message, patient, runtime, stored, until};

use crate::tls::front::{Authority, Front};

#[test]
fn interop_tls_at_models_of_5_4_0() -> Result<()> {
    through_tls(Release::V5_4_0, model::Release::V5_4_0)
}

#[test]
fn interop_tls_at_models_of_4_9_7() -> Result<()> {
    through_tls(Release::V4_9_7, model::Release::V4_9_7)
}

/// Nobody knows an address that speaks anything else.
fn through_tls(release: Release, modelled: model::Release) -> Result<()> {
    let (runtime, steps, authority) = (runtime(), Steps::begin(release), Authority::new());
    let server = authority.server(&["127.0.0.1"]);
    let cluster = EmbeddedCluster::builder().release(modelled).topic("orders", 2);
    let cluster = runtime.block_on(cluster.start()).expect("ports of this process are free");
    let broker = cluster.broker("broker-a");
    let listening = broker.address();
    let front = |address: &str| runtime.block_on(Front::before(address, &server));
    let (names, sends) = (front(&cluster.name_servers()), front(&listening.to_string()));
    broker.advertise(sends.address().parse().expect("an address"));
    until(Duration::from_secs(5), "the name server to know it", || {
        let known = cluster
            .name_server(0)
            .with(|model, _| model.broker_address("broker-a", 0).map(String::from));
        (known? == sends.address()).then_some(())
    });

    let ours = patient(Producer::builder("tls").name_servers(&names.address()));
    let ours = ours.tls(Tls::new().ca_pem(authority.pem())).runtime(runtime.handle().clone());
    let ours = ours.build().expect("complete");
    let receipts: Vec<_> = (0..COUNT)
        .map(|n| stored(runtime.block_on(ours.send(message("orders", &n.to_string())))))
        .collect();
    assert_eq!(sends.handshakes(), 1);
    steps.done("ours sends");

    let java = Java::start()?;
    let reach = Reach::new(&names.address(), "java-tls").tls();
    let results = java.produce(&reach, "orders", &["sync:3", "sync:1:2000000", "batch:3"])?;
    let read = java.consume(&reach, "orders", COUNT + 7)?;

    assert_eq!(read.len(), COUNT + 7);
    for receipt in &receipts {
        assert!(read.iter().any(|read| read.message_id == receipt.message_id.as_str()));
    }
    let (from_us, from_java): (Vec<_>, Vec<_>) =
        read_from(listening, "broker-a", "orders")?.into_iter().partition(|stored| {
            receipts.iter().any(|r| stored.uniq_key() == Some(r.message_id.as_str()))
        });
    assert_eq!(from_us.len(), COUNT);
    stored_is_what_java_sent(&results, &from_java);
    assert!(sends.handshakes() >= 3, "the consumer's and the producer's too");
    steps.done("Java sends and reads");
    record(Feature::Tls, Column::Model(release))
}

const COUNT: usize = 20;
