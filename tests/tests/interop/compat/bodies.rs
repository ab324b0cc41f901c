//! Messages that go out otherwise than they were given: in one request, or with shorter bodies.

use std::collections::BTreeMap;

use producer_native::{AutoBatch, Compress, Compression, Message};
use tests::cluster::{Result, Topic};
use tests::interop::stored;

use crate::compat::world::World;

/// Each has a place and an id of its own, though a hundred requests were enough for all.
pub(crate) fn shared(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("shared", 1))?;
    let producer = world.producer().auto_batch(AutoBatch::default());
    let producer = producer.build().expect("complete");
    let number = |n: usize| {
        let message = Message::new("shared", format!("body {n}")).expect("valid");
        let message = message.tag("tag").and_then(|m| m.with_property("n", &n.to_string()));
        message.expect("valid").flag(n as i32)
    };
    let sent = producer.send_all((0..MANY).map(number));
    let receipts: Vec<_> = world.runtime.block_on(sent).into_iter().map(stored).collect();

    let read = world.java.consume(&world.reach, "shared", MANY)?;

    let by_id: BTreeMap<_, _> = read.iter().map(|read| (&*read.message_id, read)).collect();
    assert_eq!(by_id.len(), MANY);
    for (n, receipt) in receipts.iter().enumerate() {
        let read = by_id[receipt.message_id.as_str()];
        assert_eq!(read.body(), format!("body {n}").into_bytes());
        assert_eq!((read.queue_id, read.queue_offset), (receipt.queue_id, receipt.queue_offset));
        assert_eq!((read.flag, read.tags.as_deref()), (n as i32, Some("tag")));
        assert_eq!(read.properties["n"], n.to_string());
    }
    let attempts = producer.stats().attempts;
    assert!(attempts < MANY as u64 / 10, "{attempts} requests for {MANY} messages");
    Ok(())
}

/// What is long enough is shorter in the log, and as it was when Java has read it.
pub(crate) fn compressed(world: &World) -> Result<()> {
    for kind in [Compression::Zlib, Compression::Lz4, Compression::Zstd] {
        let topic = format!("compressed-{}", kind.name().to_lowercase());
        world.create_topic(&Topic::new(&topic, 1))?;
        let compress = Compress { kind, ..Compress::default() };
        let producer = world.producer().compression(compress).build().expect("complete");
        let bodies: Vec<Vec<u8>> = [100, 4_096, 70_000, 1 << 20]
            .map(|bytes| b"paid in full, ".iter().copied().cycle().take(bytes).collect())
            .into();
        for body in &bodies {
            let message = Message::new(topic.as_str(), body.clone()).expect("valid");
            stored(world.runtime.block_on(producer.send(message)));
        }

        let read = world.java.consume(&world.reach, &topic, bodies.len())?;

        assert_eq!(read.len(), bodies.len(), "{kind:?}");
        assert!(read.iter().zip(&bodies).all(|(read, body)| read.body() == *body), "{kind:?}");
        let stored = world.stored(&topic, bodies.len())?;
        let packed = 1 | kind.flag();
        let flags: Vec<_> = stored.iter().map(|stored| stored.sys_flag & 0x701).collect();
        assert_eq!(flags, [0, packed, packed, packed], "{kind:?}");
        assert!(stored[3].body.len() < 100_000, "{kind:?}");
    }
    Ok(())
}

const MANY: usize = 1_000;
