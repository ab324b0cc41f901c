//! Do brokers with access control believe our signatures, and do we understand their refusals?

use std::time::Duration;

use producer_core::wire::Fields;
use producer_native::{
    Address, AskTarget, Credentials, NewTopic, Outcome, Producer, Request, Window,
};
use tests::cluster::{BrokerSpec, Cluster, Release, Result};
use tests::interop::{Steps, failed, message, producer, runtime, stored, until};
use tokio::runtime::Runtime;

use crate::topic;

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

pub(crate) fn control(release: Release) -> Result<()> {
    let cluster = Cluster::builder(release)
        .file("conf/plain_acl.yml", PLAIN_ACL)
        .broker(spec(release))
        .start()?;
    let steps = Steps::begin(release);
    let runtime = runtime();
    let with = |name, secret| {
        let signed = producer(&runtime, &cluster).credentials(account(name, secret));
        signed.build().expect("it has what it needs")
    };
    let root = with("rootadmin", "rootpw12");
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

    let alice = with("aliceuser", "alicepw1");
    let send = |who: &Producer, to, body| runtime.block_on(who.send(message(to, body)));
    stored(send(&alice, "open", "signed é 签名"));
    let binary = producer(&runtime, &cluster)
        .credentials(account("aliceuser", "alicepw1"))
        .header(producer_native::SerializeType::RocketMq);
    stored(send(&binary.build().expect("complete"), "open", "signed in binary"));
    steps.done("a user is believed in either encoding");

    let refused = |who: &Producer, to| {
        let error = failed(send(who, to, "x"));
        assert_eq!((error.attempts().len(), error.outcome()), (1, Outcome::Rejected), "{error}");
        error.kind().code()
    };
    assert_eq!(refused(&alice, "closed"), "not_permitted");
    assert_eq!(refused(&with("aliceuser", "not-the-secret"), "open"), "bad_credentials");
    assert_eq!(refused(&with("bob-user", "whatever1"), "open"), "bad_credentials");
    let unsigned = producer(&runtime, &cluster).build().expect("it has what it needs");
    assert_eq!(refused(&unsigned, "open"), "bad_credentials");
    let creating = runtime.block_on(alice.admin().create_topic(&NewTopic::new(topic("new"), 1)));
    assert_eq!(creating.expect_err("she may not").code(), "not_permitted");
    steps.done("wrong keys and missing permissions are told apart, after one attempt");

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
    Ok(())
}
