//! Do brokers with access control believe our signatures, and do we understand their refusals?

use std::time::Duration;

use producer_core::wire::Fields;
use producer_native::{
    Address, AskTarget, Builder, Credentials, NewTopic, Outcome, Producer, Request, SerializeType,
    Window,
};
use sim::model;
use sim::model::broker::Account;
use sim::serve::EmbeddedCluster;
use tests::cluster::{self, BrokerSpec, Release, Result};
use tests::compat::{Column, Feature, record};
use tests::interop::client::{Java, Reach};
use tests::interop::{Steps, direct, failed, message, patient, producer, runtime, stored, until};
use tokio::runtime::Runtime;

use crate::features::topic;

const LIMIT: Duration = Duration::from_secs(20);

const PLAIN_ACL: &str = "\
globalWhiteRemoteAddresses: []
accounts:
- {accessKey: rootadmin, secretKey: rootpw12, admin: true}
- {accessKey: aliceuser, secretKey: alicepw1, admin: false, defaultTopicPerm: DENY, \
defaultGroupPerm: SUB, topicPerms: [open=PUB]}
";

fn spec(release: Release) -> BrokerSpec {
    let broker = BrokerSpec::master("a");
    if release == Release::V4_9_7 {
        return broker.config("aclEnable", "true");
    }
    let auth = "org.apache.rocketmq.auth";
    let user = r#"{"username":"rootadmin","password":"rootpw12"}"#;
    let inner = r#"{"accessKey":"rootadmin","secretKey":"rootpw12"}"#;
    let provider = |of: &str, class: &str| format!("{auth}.{of}.provider.{class}");
    broker
        .config("authenticationEnabled", "true")
        .config("authorizationEnabled", "true")
        .config(
            "authenticationMetadataProvider",
            &provider("authentication", "LocalAuthenticationMetadataProvider"),
        )
        .config(
            "authorizationMetadataProvider",
            &provider("authorization", "LocalAuthorizationMetadataProvider"),
        )
        .config("initAuthenticationUser", user)
        .config("innerClientAuthenticationCredentials", inner)
}

fn account(name: &str, secret: &str) -> Credentials {
    Credentials::new(name, secret).expect("not blank")
}

/// Makes alice, who may publish to `open`.
fn make_alice(runtime: &Runtime, root: &Producer, at: &Address) {
    let user = r#"{"username":"aliceuser","password":"alicepw1","userType":"Normal"}"#;
    let policy = r#"{"subject":"User:aliceuser","policies":[{"policyType":"CUSTOM","entries":
        [{"resource":"Topic:open","actions":["PUB"],"sourceIps":[],"decision":"ALLOW"}]}]}"#;
    let asked = [
        (3001, Fields::new().text("username", "aliceuser"), user),
        (3006, Fields::new().text("subject", "User:aliceuser"), policy),
    ];
    for (code, fields, body) in asked {
        let mut request = Request::new(AskTarget::Address(at.clone()), code, &fields);
        request.body = body.as_bytes().to_vec();
        let answer = runtime.block_on(root.ask(request, LIMIT)).expect("an answer");
        answer.success().unwrap_or_else(|error| panic!("{code}: {error}"));
    }
}

pub(crate) fn control(servers: cluster::Builder) -> Result<()> {
    let release = servers.release();
    let cluster = servers.file("conf/plain_acl.yml", PLAIN_ACL).broker(spec(release)).start()?;
    let steps = Steps::begin(release);
    let runtime = runtime();
    let root = patient(direct(&runtime, &cluster)).credentials(account("rootadmin", "rootpw12"));
    let root = root.build().expect("it has what it needs");
    if release == Release::V5_4_0 {
        let at = cluster.master("a")?.address().to_string();
        make_alice(&runtime, &root, &Address::new(&at).expect("an address"));
    }
    for name in ["open", "closed"] {
        let new = NewTopic::new(topic(name), 2);
        runtime.block_on(root.admin().create_topic(&new)).expect("root may");
        until(LIMIT, "the route", || {
            runtime.block_on(root.admin().publish_queues(&topic(name))).ok()
        });
    }
    steps.done("root is believed, and creates topics");

    alices_rights(&runtime, &|| patient(producer(&runtime, &cluster)));
    if cluster.bridge().is_none() {
        alice_creates_nothing(&runtime, patient(producer(&runtime, &cluster)));
    }
    steps.done("alice is believed in either encoding, and refusals are told apart");

    let keyed = message("open", "keyed").keys(["k"]).expect("valid");
    let receipt = stored(runtime.block_on(root.send(keyed)));
    let window = Window { max: 8, from_ms: 0, to_ms: i64::MAX as u64 };
    until(LIMIT, "the keyed message", || {
        let found = runtime.block_on(root.admin().find_by_key(&topic("open"), "k", window));
        let found = found.unwrap_or_else(|error| panic!("the query is believed: {error}"));
        (found.len() == 1).then_some(())
    });
    let id = receipt.message_id;
    let seen = runtime.block_on(root.admin().view_message(&topic("open"), id.as_str()));
    assert_eq!(seen.expect("it is indexed").body, b"keyed");
    steps.done("signed queries are believed");
    java_reads(&cluster.name_server_list(), 3)?;
    record(Feature::Access, Column::Broker(release))?;
    record(Feature::Access, Column::JavaReads)
}

/// She may send to `open` and nothing else; nobody else may do anything. Stores two messages.
fn alices_rights(runtime: &Runtime, builder: &dyn Fn() -> Builder) {
    let with = |name, secret| {
        let signed = builder().credentials(account(name, secret));
        signed.build().expect("it has what it needs")
    };
    let alice = with("aliceuser", "alicepw1");
    let send = |who: &Producer, to, body| runtime.block_on(who.send(message(to, body)));
    stored(send(&alice, "open", "signed é 签名"));
    let binary = builder().credentials(account("aliceuser", "alicepw1"));
    let binary = binary.header(SerializeType::RocketMq).build().expect("it has what it needs");
    stored(send(&binary, "open", "signed in binary"));

    let refused = |who: &Producer, to| {
        let error = failed(send(who, to, "x"));
        assert_eq!((error.attempts().len(), error.outcome()), (1, Outcome::Rejected), "{error}");
        error.kind().code()
    };
    assert_eq!(refused(&alice, "closed"), "not_permitted");
    assert_eq!(refused(&with("aliceuser", "not-the-secret"), "open"), "bad_credentials");
    assert_eq!(refused(&with("bob-user", "whatever1"), "open"), "bad_credentials");
    let unsigned = builder().build().expect("it has what it needs");
    assert_eq!(refused(&unsigned, "open"), "bad_credentials");
}

/// Behind a bridge nobody could: it knows no such request.
fn alice_creates_nothing(runtime: &Runtime, builder: Builder) {
    let alice = builder.credentials(account("aliceuser", "alicepw1"));
    let alice = alice.build().expect("it has what it needs");
    let creating = runtime.block_on(alice.admin().create_topic(&NewTopic::new(topic("new"), 1)));
    assert_eq!(creating.expect_err("she may not").code(), "not_permitted");
}

/// A Java consumer with root's key finds so many messages in `open`.
fn java_reads(name_servers: &str, count: usize) -> Result<()> {
    let root = Reach::new(name_servers, "java-signed").credentials("rootadmin", "rootpw12");
    let read = Java::start()?.consume(&root, "open", count)?;
    assert_eq!(read.len(), count, "{read:?}");
    assert!(read.iter().any(|read| read.body() == "signed é 签名".as_bytes()), "{read:?}");
    Ok(())
}

/// The same rights at our models, and the same refusals.
pub(crate) fn control_at_models(release: Release) -> Result<()> {
    let runtime = runtime();
    let modelled = match release {
        Release::V5_4_0 => model::Release::V5_4_0,
        Release::V4_9_7 => model::Release::V4_9_7,
    };
    let guarded = EmbeddedCluster::builder().release(modelled).topic("open", 2).topic("closed", 2);
    let guarded = guarded.broker("a", |broker| {
        broker.tune(|config| {
            let of = |name: &str, secret: &str| Account {
                access_key: name.to_owned(),
                secret_key: secret.to_owned(),
                ..Account::default()
            };
            let root = Account { admin: true, ..of("rootadmin", "rootpw12") };
            let alice = of("aliceuser", "alicepw1");
            let alice = Account { publish: vec!["open".to_owned()], ..alice };
            config.accounts = Some(vec![root, alice]);
        })
    });
    let cluster = runtime.block_on(guarded.start()).expect("ports of this process are free");
    let name_servers = cluster.name_servers();
    let builder = || {
        let builder = Producer::builder("interop").name_servers(&name_servers);
        patient(builder).runtime(runtime.handle().clone())
    };
    alices_rights(&runtime, &builder);
    alice_creates_nothing(&runtime, builder());
    let broker = cluster.broker("a");
    assert_eq!((broker.messages("open").len(), broker.messages("closed").len()), (2, 0));
    java_reads(&name_servers, 2)?;
    record(Feature::Access, Column::Model(release))
}
