//! What is committed is seen, whoever says so and when; nothing else is.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use producer_native::{Decision, GroupName, TransactionCheck};
use tests::cluster::{Result, Topic};
use tests::interop::{message, until};

use crate::compat::world::{TRANSACTIONS, World};

pub(crate) fn seen_once_committed(world: &World) -> Result<()> {
    world.create_topic_on(TRANSACTIONS, &Topic::new("orders", 2))?;
    let checked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&checked);
    let producer = world.producer().transaction_checker(move |check: TransactionCheck| {
        let body = String::from_utf8_lossy(&check.body).into_owned();
        seen.lock().expect("nobody panics with it").push(body.clone());
        async move {
            match body.contains("commit") {
                true => Decision::Commit,
                false => Decision::Rollback,
            }
        }
    });
    let group = GroupName::new("compat-transactions").expect("valid");
    let producer = producer.configure(|config| config.group = group).build().expect("complete");
    let begin = |body: &str| {
        let open = world.runtime.block_on(producer.begin(message("orders", body)));
        open.unwrap_or_else(|error| panic!("{body}: {error}"))
    };

    let committed = begin("commit at once");
    let id = committed.half().transaction.id.clone();
    world.runtime.block_on(committed.commit()).expect("the broker is told");
    world.runtime.block_on(begin("roll back at once").rollback()).expect("the broker is told");
    begin("commit when asked").unknown();
    begin("roll back when asked").unknown();
    until(LIMIT, "checks", || {
        let bodies = checked.lock().expect("nobody panics with it").clone();
        let both = ["commit when asked", "roll back when asked"];
        both.iter().all(|body| bodies.iter().any(|seen| seen == body)).then_some(())
    });

    let read = world.java.consume(&world.reach, "orders", 2)?;

    let mut bodies: Vec<_> = read.iter().map(|read| (read.body(), &*read.message_id)).collect();
    bodies.sort();
    assert_eq!(bodies.len(), 2, "{bodies:?}");
    assert_eq!(bodies[0], (b"commit at once".to_vec(), &*id));
    assert_eq!(bodies[1].0, b"commit when asked");
    assert_eq!(world.stored("orders", 2)?.len(), 2, "what was rolled back is not there");
    Ok(())
}

const LIMIT: Duration = Duration::from_secs(20);
