//! How many simulated seconds does a second of work give?

use sim::world::{Load, World};

use super::{THREE, TOPIC, account, ms, producer, secs};

/// Three brokers, two name servers, 1,000 messages a second, a tick of 1 ms. The goal is 25 in a
/// second of CPU time in a release build; it is printed, where the system tells (Linux), and not
/// asserted, for the build and the machine decide it too.
#[test]
fn a_thousand_messages_a_second() {
    const SECONDS: u32 = 10;
    let builder = World::builder(200).name_servers(2).topic(TOPIC, 4);
    let builder = THREE.iter().fold(builder, |builder, name| builder.broker(*name, |_| {}));

    let begin = cpu_seconds();
    builder.run(|world| async move {
        let producer = producer(&world);
        let sent = Load::new(TOPIC, SECONDS * 1000, ms(1)).run(&producer).await;
        let account = account(&world, &sent);
        assert_eq!((account.ok, account.retries), (10_000, 0), "{account}");
        assert!(world.elapsed() <= secs(11), "{:?}", world.elapsed());
    });

    if let (Some(begin), Some(end)) = (begin, cpu_seconds()) {
        let speed = f64::from(SECONDS) / (end - begin);
        println!("{speed:.1} simulated seconds in a second of CPU time");
    }
}

/// CPU time of this thread, on which all hosts run.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos: f64 = text.split(' ').next()?.parse().ok()?;
    Some(nanos / 1e9)
}
