//! Requests and replies.

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use producer_native::{Message, SendOptions};
use tests::cluster::{Result, Topic};
use tests::interop::client::Reach;
use tests::interop::{message, stored, until};

use crate::compat::world::World;

/// Java answers Java, Java answers us, we answer Java.
pub(crate) fn requests(world: &World) -> Result<()> {
    java_answers_java(world)?;
    java_answers_us(world)?;
    we_answer_java(world)
}

fn java_answers_us(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("our-questions", 2))?;
    let service = world.java.serve(&world.reach, "our-questions", &[])?;
    let options = SendOptions::default().timeout(Duration::from_secs(10));

    let ask = |n: usize| {
        let question = message("our-questions", &format!("question {n}"));
        let asked = world.plain.request(question, options.clone());
        world.runtime.block_on(asked).unwrap_or_else(|error| panic!("request {n}: {error}"))
    };
    let replies: Vec<_> = (0..COUNT).map(ask).collect();

    let served = service.stop()?;
    assert_eq!(served.len(), COUNT, "{served:?}");
    for (n, reply) in replies.iter().enumerate() {
        assert_eq!(reply.body, format!("re:question {n}").into_bytes(), "{reply:?}");
        let id = reply.property("CORRELATION_ID");
        let request = served.iter().find(|s| s["properties"]["CORRELATION_ID"].as_str() == id);
        let request = request.unwrap_or_else(|| panic!("nobody was asked for {reply:?}"));
        assert_eq!(request["message_id"], reply.request_id.as_str(), "{request}");
        assert_eq!(request["reply"]["status"], "SEND_OK", "{request}");
    }
    Ok(())
}

/// We have no consumer: the requests are read from the log.
fn we_answer_java(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("java-questions", 1))?;
    let asking = Reach::new(&world.name_servers(), "java-asks-us");
    let replies = thread::scope(|scope| {
        let asked = scope.spawn(|| world.java.request(&asking, "java-questions", COUNT, 10_000));
        let mut answered = HashSet::new();
        until(Duration::from_secs(30), "requests of Java", || {
            let requests = world.stored("java-questions", 0).expect("it is up");
            for request in requests.iter().filter(|r| answered.insert(r.physical_offset)) {
                let body = [b"ours:", &request.body[..]].concat();
                let reply = Message::reply_to(|name| request.property(name), body);
                stored(world.runtime.block_on(world.plain.reply(reply.expect("a request"))));
            }
            (answered.len() >= COUNT || asked.is_finished()).then_some(())
        });
        asked.join().expect("it does not panic")
    })?;

    let bodies: Vec<_> = replies.iter().filter_map(|reply| reply["body"].as_str()).collect();
    let wanted: Vec<_> = (0..COUNT).map(|n| format!("ours:request-{n}")).collect();
    assert_eq!(bodies, wanted, "{replies:?}");
    Ok(())
}

fn java_answers_java(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("questions", 2))?;
    let asking = Reach::new(&world.name_servers(), "java-requester");
    let service = world.java.serve(&world.reach, "questions", &[])?;

    let replies = world.java.request(&asking, "questions", 3, 10_000)?;

    let served = service.stop()?;
    assert_eq!((replies.len(), served.len()), (3, 3), "{replies:?} {served:?}");
    for (n, reply) in replies.iter().enumerate() {
        assert_eq!(reply["body"], format!("re:request-{n}"), "{reply}");
        let id = &reply["properties"]["CORRELATION_ID"];
        // The service prints what it did after the reply is on its way.
        let request = served.iter().find(|served| served["properties"]["CORRELATION_ID"] == *id);
        let request = request.unwrap_or_else(|| panic!("nobody was asked for {reply}"));
        assert_eq!(request["keys"], reply["keys"][0], "{request}");
        assert_eq!(request["reply"]["status"], "SEND_OK", "{request}");
    }
    Ok(())
}

const COUNT: usize = 3;
