//! What hooks see, what they may do, and what becomes of those that panic.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::common::{Cluster, Reaction, message, soon, until};
use producer_native::{
    Batch, Decision, ErrorKind, FrameHook, Message, Outcome, Outgoing, Producer, SeenFrame,
    SendEnd, SendHook, SendKind, SendReport, Transaction, TrySendError,
};

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().expect("no panic while it is held").push(line.into());
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("no panic while it is held").clone()
    }
}

/// One of several hooks, with a name.
struct Named(&'static str, Diary);

impl SendHook for Named {
    fn before(&self, send: &mut Outgoing<'_>) {
        self.1.note(format!("before {} {:?} {}", self.0, send.kind(), send.messages().len()));
        send.set_property(self.0, "was here").expect("a property");
        send.keep(format!("kept by {}", self.0));
    }

    fn after(&self, send: &SendReport<'_>) {
        let end = match send.end() {
            SendEnd::Stored(receipts) => format!("stored {}", receipts.len()),
            SendEnd::Written(_) => "written".to_owned(),
            SendEnd::Replied => "replied".to_owned(),
            SendEnd::Failed(error) => format!("failed {}", error.kind().code()),
            SendEnd::GivenUp => "given up".to_owned(),
            _ => "else".to_owned(),
        };
        assert_eq!(send.kept::<String>(), Some(&format!("kept by {}", self.0)));
        self.1.note(format!("after {} {end}", self.0));
    }
}

/// Sees the frames of sends.
struct Frames(Diary);

impl FrameHook for Frames {
    fn sent(&self, frame: &SeenFrame<'_>) {
        let header = frame.header().expect("our header");
        let properties = header.ext.get("i").map(|text| text.to_cow().into_owned());
        let properties = properties.unwrap_or_default().replace(['\u{1}', '\u{2}'], " ");
        self.0.note(format!("sent {} {properties}", header.code));
    }

    fn received(&self, frame: &SeenFrame<'_>) {
        let header = frame.header().expect("their header");
        self.0.note(format!("received {} from {}", header.code, frame.peer()));
    }
}

#[tokio::test]
async fn hooks_are_called_in_order_and_properties_are_sent() {
    let cluster = Cluster::tcp(1).await;
    let (diary, frames) = (Diary::default(), Diary::default());
    let builder = cluster.builder().hook(Named("one", diary.clone()));
    let builder = builder.hook(Named("two", diary.clone())).frame_hook(Frames(frames.clone()));
    let producer = builder.build().expect("a producer");

    soon(producer.send(message("x"))).await.expect("stored");

    let told = diary.lines();
    assert_eq!(
        told,
        [
            "before one Message 1",
            "before two Message 1",
            "after two stored 1",
            "after one stored 1"
        ]
    );
    let seen = frames.lines();
    let send = seen.iter().find(|line| line.starts_with("sent 310")).expect("a send");
    assert!(send.contains("one was here") && send.contains("two was here"), "{send}");
    assert!(seen.iter().any(|line| line.starts_with("sent 105")), "the question for the route");
    assert!(seen.iter().any(|line| line.starts_with("sent 34")), "the heartbeat");
    assert!(seen.iter().filter(|line| line.starts_with("received 0 from 127.0.0.1")).count() >= 3);
    assert_eq!(producer.hook_panics(), 0);
}

#[tokio::test]
async fn every_way_to_send_is_hooked() {
    let cluster = Cluster::tcp(1).await;
    let diary = Diary::default();
    let producer = cluster.builder().hook(Named("one", diary.clone())).build().expect("ok");

    soon(producer.enqueue(message("a"))).await.expect("stored");
    soon(producer.try_send(message("b")).expect("room")).await.expect("stored");
    soon(producer.send_oneway(message("c"))).await.expect("written");
    soon(producer.send_all([message("d"), message("e")])).await;
    let batch = Batch::new([message("f"), message("g")]).expect("valid");
    let _end = soon(producer.send_batch(batch)).await;
    producer.enqueue(message("h")).detach();
    soon(producer.flush()).await;

    let lines = diary.lines();
    let count = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!((count("before one Message 1"), count("before one OneWay 1")), (5, 1));
    assert_eq!(count("before one Batch 2"), 1);
    assert_eq!(count("after one"), 7, "{lines:?}");
    assert_eq!(count("after one written"), 1);
}

#[tokio::test]
async fn a_send_that_is_dropped_or_finds_no_room_is_told_as_given_up() {
    let cluster = Cluster::tcp(1).await;
    let diary = Diary::default();
    let builder = cluster.builder().hook(Named("one", diary.clone()));
    let producer = builder.configure(|config| config.sends_max = 1).build().expect("ok");
    cluster.brokers[0].react(|_| Reaction::Hold);

    let held = producer.enqueue(message("a"));
    let full = producer.try_send(message("b"));
    assert!(matches!(full, Err(TrySendError::Full(_))));
    drop(producer.enqueue(message("c")));
    until(|| diary.lines().iter().filter(|line| line.contains("given up")).count() == 2).await;

    until(|| cluster.brokers[0].sends.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    cluster.brokers[0].release();
    soon(held).await.expect("stored");
    assert_eq!(diary.lines().last().map(String::as_str), Some("after one stored 1"));
}

struct Only(&'static [u8]);

impl SendHook for Only {
    fn check(&self, message: &Message, kind: SendKind) -> Result<(), String> {
        assert!(message.body() != "panic", "a hook that panics");
        match &**message.body() == self.0 {
            true => Ok(()),
            false => Err(format!("this {kind:?} is not for us")),
        }
    }
}

#[tokio::test]
async fn a_check_that_refuses_or_panics_ends_the_send_unsent() {
    let cluster = Cluster::tcp(1).await;
    let producer = cluster.builder().hook(Only(b"good")).build().expect("ok");
    soon(producer.send(message("good"))).await.expect("stored");

    let batch = Batch::new([message("good"), message("bad")]).expect("valid");
    let refused = [
        soon(producer.send(message("bad"))).await.expect_err("refused"),
        soon(producer.send(message("panic"))).await.expect_err("refused"),
        soon(producer.enqueue(message("bad"))).await.expect_err("refused"),
        soon(producer.try_send(message("bad")).expect("a ticket")).await.expect_err("refused"),
        soon(producer.send_batch(batch)).await.expect_err("refused"),
        soon(producer.send_all([message("bad")])).await.remove(0).expect_err("refused"),
    ];

    for error in &refused {
        assert!(matches!(error.kind(), ErrorKind::Forbidden { .. }), "{error}");
        assert_eq!(error.outcome(), Outcome::NotSent);
    }
    assert!(refused[0].to_string().contains("this Message is not for us"), "{}", refused[0]);
    assert_eq!(producer.hook_panics(), 1);
    assert_eq!(*cluster.brokers[0].stored.lock().expect("sound"), [b"good"]);
}

struct Panics;

impl SendHook for Panics {
    fn before(&self, _: &mut Outgoing<'_>) {
        panic!("before");
    }

    fn after(&self, _: &SendReport<'_>) {
        panic!("after");
    }
}

impl FrameHook for Panics {
    fn sent(&self, _: &SeenFrame<'_>) {
        panic!("sent");
    }

    fn received(&self, _: &SeenFrame<'_>) {
        panic!("received");
    }
}

#[tokio::test]
async fn panics_of_hooks_are_contained_and_counted() {
    let cluster = Cluster::tcp(1).await;
    let diary = Diary::default();
    let builder = cluster.builder().hook(Panics).hook(Named("next", diary.clone()));
    let producer = builder.frame_hook(Panics).build().expect("ok");

    for n in 0..20 {
        soon(producer.send(message(n.to_string()))).await.expect("stored all the same");
    }

    assert!(producer.hook_panics() >= 40 + 6, "{}", producer.hook_panics());
    assert_eq!(diary.lines().len(), 40, "the others are called");
    soon(producer.close(Duration::from_secs(1))).await;
}

/// Is told how transactions end.
struct Ends(Diary);

impl SendHook for Ends {
    fn before(&self, send: &mut Outgoing<'_>) {
        self.0.note(format!("{:?}", send.kind()));
    }

    fn transaction_ended(&self, transaction: &Transaction, decision: Decision) {
        self.0.note(format!("{} {decision:?}", transaction.topic));
    }
}

#[tokio::test]
async fn ends_of_transactions_are_told() {
    let cluster = Cluster::tcp(1).await;
    let diary = Diary::default();
    let producer = cluster.builder().hook(Ends(diary.clone())).build().expect("ok");

    let open = soon(producer.begin(message("a"))).await.expect("stored");
    let topic = open.half().transaction.topic.clone();
    soon(open.commit()).await.expect("told");
    drop(soon(producer.begin(message("b"))).await.expect("stored"));

    let expected =
        ["Half".into(), format!("{topic} Commit"), "Half".into(), format!("{topic} Rollback")];
    assert_eq!(diary.lines(), expected);
}

/// Sends one more when one has ended.
struct Again(Arc<OnceLock<Producer>>, Mutex<u32>);

impl SendHook for Again {
    fn after(&self, _: &SendReport<'_>) {
        let mut left = self.1.lock().expect("sound");
        let Some(producer) = self.0.get().filter(|_| *left > 0) else { return };
        *left -= 1;
        drop(left);
        producer.enqueue(message("again")).detach();
    }
}

#[tokio::test]
async fn a_hook_may_send() {
    let cluster = Cluster::tcp(1).await;
    let itself = Arc::new(OnceLock::new());
    let hook = Again(itself.clone(), Mutex::new(5));
    let producer = cluster.builder().hook(hook).build().expect("ok");
    assert!(itself.set(producer.clone()).is_ok());

    soon(producer.send(message("first"))).await.expect("stored");

    until(|| cluster.brokers[0].stored.lock().expect("sound").len() == 6).await;
}
