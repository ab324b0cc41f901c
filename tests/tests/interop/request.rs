//! Requests and replies through real brokers of both releases: both sides are ours, the service
//! reads its requests from the log. With Java on either side: `interop_compat`.

use std::time::Duration;

use producer_native::{ErrorKind, Message, Outcome, Producer, SendOptions};
use tests::cluster::{Builder, Cluster, Release, Result, Stored, Topic};
use tests::interop::{Steps, message, producer, runtime, stored, until};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

#[test]
fn interop_request_5_4_0() -> Result<()> {
    requests(Cluster::builder(Release::V5_4_0))
}

#[test]
fn interop_request_4_9_7() -> Result<()> {
    requests(Cluster::builder(Release::V4_9_7))
}

#[test]
fn interop_bridge_5_4_0_request() -> Result<()> {
    requests(Cluster::builder(Release::V5_4_0).bridged())
}

#[test]
fn interop_bridge_4_9_7_request() -> Result<()> {
    requests(Cluster::builder(Release::V4_9_7).bridged())
}

const TOPIC: &str = "questions";
const PATIENCE: Duration = Duration::from_secs(30);

struct World {
    cluster: Cluster,
    runtime: Runtime,
    asks: Producer,
    service: Producer,
}

type Asked = JoinHandle<std::result::Result<Vec<u8>, producer_native::SendError>>;

fn requests(builder: Builder) -> Result<()> {
    let cluster = builder.master("a").start()?;
    cluster.create_topic(&Topic::new(TOPIC, 1))?;
    let runtime = runtime();
    let asks = producer(&runtime, &cluster).build().expect("it has what it needs");
    let service = producer(&runtime, &cluster).build().expect("it has what it needs");
    let world = World { cluster, runtime, asks, service };
    let steps = Steps::begin(world.cluster.release());
    world.answered();
    steps.done("a request is answered");
    world.late();
    steps.done("a late reply is counted");
    world.restarted_in_between()?;
    steps.done("a broker restarted between request and reply");
    world.gone();
    steps.done("a requester that is gone");
    Ok(())
}

impl World {
    fn ask(&self, body: &'static str, timeout: Duration) -> Asked {
        let asks = self.asks.clone();
        self.runtime.spawn(async move {
            let options = SendOptions::default().timeout(timeout);
            let reply = asks.request(message(TOPIC, body), options).await?;
            Ok(reply.body.to_vec())
        })
    }

    /// The request with this body, once it is stored.
    fn request(&self, body: &str) -> Stored {
        until(PATIENCE, body, || {
            let all = self.cluster.read_back(TOPIC).ok()?;
            all.into_iter().find(|stored| stored.body == body.as_bytes())
        })
    }

    fn reply(&self, request: &Stored) -> std::result::Result<(), producer_native::SendError> {
        let body = [b"re:", &request.body[..]].concat();
        let reply = Message::reply_to(|name| request.property(name), body).expect("a request");
        self.runtime.block_on(self.service.reply(reply)).map(drop)
    }

    fn end(&self, asked: Asked) -> std::result::Result<Vec<u8>, producer_native::SendError> {
        self.runtime.block_on(asked).expect("no panic")
    }

    fn answered(&self) {
        let asked = self.ask("one", PATIENCE);
        let request = self.request("one");
        assert_eq!(request.property("REPLY_TO_CLIENT"), Some(&*self.asks.client_id()));
        self.reply(&request).expect("the requester takes it");
        assert_eq!(self.end(asked).expect("it came"), b"re:one");
    }

    fn late(&self) {
        let error = self.end(self.ask("late", Duration::from_millis(300)));
        let error = error.expect_err("nobody replies in time");
        assert_eq!((error.kind(), error.outcome()), (&ErrorKind::NoReply, Outcome::Unknown));
        self.reply(&self.request("late")).expect("it is taken all the same");
        until(PATIENCE, "the late reply", || (self.asks.stats().late_replies == 1).then_some(()));
    }

    fn restarted_in_between(&self) -> Result<()> {
        let asked = self.ask("restart", PATIENCE);
        let request = self.request("restart");
        self.cluster.master("a")?.kill();
        self.cluster.master("a")?.restart()?;
        until(PATIENCE, "the requester is found", || self.reply(&request).ok());
        assert_eq!(self.end(asked).expect("on the new connection"), b"re:restart");
        Ok(())
    }

    fn gone(&self) {
        let asked = self.ask("gone", PATIENCE);
        let request = self.request("gone");
        self.runtime.block_on(self.asks.close(Duration::ZERO));
        let error = self.end(asked).expect_err("its producer is closed");
        assert_eq!(*error.kind(), ErrorKind::Closed);

        let error = self.reply(&request).expect_err("nobody is there");
        assert_eq!(error.outcome(), Outcome::Rejected, "{error}");
        assert!(matches!(error.kind(), ErrorKind::Broker { code: 1, .. }), "{error}");
        // That is no fault of the broker's.
        stored(self.runtime.block_on(self.service.send(message(TOPIC, "after"))));
        assert_eq!(self.service.stats().ejections, 0);
    }
}
