//! `JAVA_PARITY.md` has every public member of the real jar, and no other.

use std::collections::{BTreeMap, BTreeSet};

use tests::cluster::{Release, Result, public_members};
use tests::parity::rows;

#[test]
fn interop_parity_table_has_the_members_of_the_jar() -> Result<()> {
    let names: Vec<_> = CLASSES
        .iter()
        .chain(&INTERFACES)
        .map(|name| format!("org.apache.rocketmq.{name}"))
        .collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let jar = public_members(Release::V5_4_0, &names)?;
    let mut table: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for row in rows() {
        table.entry(row.class).or_default().extend(row.members);
    }

    let simple = |name: &'static str| name.rsplit('.').next().unwrap_or_default();
    let members = |class: &str| jar[class].iter().map(String::as_str).collect::<BTreeSet<_>>();
    assert_eq!(table.len(), CLASSES.len(), "sections");
    for class in CLASSES.map(simple) {
        let (ours, theirs) = (&table[class], members(class));
        let missing: Vec<_> = theirs.difference(ours).collect();
        let gone: Vec<_> = ours.difference(&theirs).collect();
        assert!(missing.is_empty() && gone.is_empty(), "{class} lacks {missing:?}, has {gone:?}");
    }
    for interface in INTERFACES.map(simple) {
        let beyond = &members(interface) - &members("DefaultMQProducer");
        assert!(beyond.is_empty(), "{interface}: {beyond:?}");
    }
    Ok(())
}

const CLASSES: [&str; 5] = [
    "client.producer.DefaultMQProducer",
    "client.producer.TransactionMQProducer",
    "client.ClientConfig",
    "common.message.Message",
    "client.producer.SendResult",
];
const INTERFACES: [&str; 2] = ["client.producer.MQProducer", "client.MQAdmin"];
