//! What can be wrong about a producer is said when it is made.

use std::time::Duration;

use producer_native::{Address, BuildError, Builder, Config, InvalidName, OnUnknown, Producer};

fn builder() -> Builder {
    Producer::builder("test").name_servers("a:9876; b:9876")
}

#[test]
fn outside_a_runtime_there_is_no_producer() {
    let error = builder().build().unwrap_err();

    assert_eq!(error, BuildError::NoRuntime);
    assert!(error.to_string().contains("build_blocking"));
}

#[tokio::test]
async fn name_servers_are_needed_and_said_where_to_set() {
    let error = Producer::builder("test").build().unwrap_err();

    assert_eq!(error, BuildError::NoNameServers);
    assert!(error.to_string().contains("NAMESRV_ADDR"));
}

#[tokio::test]
async fn the_first_bad_value_is_named() {
    let error = Producer::builder("a b").name_servers("nonsense").build().unwrap_err();
    assert!(matches!(error, BuildError::Group { given, .. } if given == "a b"));

    let error = Producer::builder("test").name_servers("a").build().unwrap_err();
    let problem = InvalidName::Address { given: String::from("a") };
    assert_eq!(error, BuildError::NameServers { given: String::from("a"), problem });

    let error = builder().address_map([("a:1", "b:2"), ("c:3", "d")]).build().unwrap_err();
    assert!(matches!(error, BuildError::AddressMap { given, .. } if given == "d"));

    let error = builder().configure(|config| config.sends_max = 0).build().unwrap_err();
    assert_eq!(error, BuildError::ZeroLimit { field: "sends_max" });
}

#[tokio::test]
async fn a_configuration_that_is_taken_over_keeps_group_and_name_servers() {
    let mut seen = None;
    let producer = builder()
        .java()
        .send_timeout(Duration::from_secs(7))
        .configure(|config| seen = Some(config.clone()))
        .instance_name("one")
        .build()
        .unwrap();

    let seen = seen.unwrap();
    assert_eq!(seen.group.as_str(), "test");
    assert_eq!(seen.name_servers.len(), 2);
    assert_eq!((seen.attempts_all_max, seen.on_unknown), (3, OnUnknown::Retry));
    assert_eq!(seen.send_timeout, Duration::from_secs(7));
    assert!(producer.client_id().ends_with("@one"));

    let mut config = Config::java();
    config.name_servers = vec![Address::new("c:1").unwrap()];
    let mut servers = 0;
    let _builder = builder().config(config).configure(|c| servers = c.name_servers.len());
    assert_eq!(servers, 1);
}

#[tokio::test]
async fn two_producers_of_one_process_have_different_ids() {
    let (one, other) = (builder().build().unwrap(), builder().build().unwrap());

    assert_ne!(one.client_id(), other.client_id());
}
