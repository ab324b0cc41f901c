//! Callbacks that panic, and callbacks that send again, while a broker dies (scenario 42).

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use producer_native::{Producer, SendEnd, SendHook, SendReport};

use super::{cluster, message, ms, stored, text};

const SENDS: u64 = 600;

/// After each send it sends a note of its own, and after every third it panics.
#[derive(Default)]
struct Unruly {
    producer: OnceLock<Producer>,
    told: AtomicU64,
    notes: AtomicU64,
}

struct Handle(Arc<Unruly>);

impl SendHook for Handle {
    fn after(&self, send: &SendReport<'_>) {
        if send.body_bytes() > 100 {
            return; // Its own.
        }
        assert!(matches!(send.end(), SendEnd::Stored(_)), "{:?}", send.end());
        let told = self.0.told.fetch_add(1, Relaxed);
        let producer = self.0.producer.get().expect("set before the first send");
        let note = format!("{:0>200}", told);
        if let Ok(ticket) = producer.try_send(message(note)) {
            self.0.notes.fetch_add(1, Relaxed);
            ticket.detach();
        }
        assert!(!told.is_multiple_of(3), "a callback that panics");
    }
}

#[test]
fn callbacks_that_panic_and_send_again_cost_no_send() {
    for seed in [300, 301, 302] {
        cluster(seed).run(|world| async move {
            let unruly = Arc::new(Unruly::default());
            let builder = world.producer("shop").hook(Handle(unruly.clone()));
            let producer = builder.build().expect("a valid configuration");
            assert!(unruly.producer.set(producer.clone()).is_ok());

            for tens in 0..SENDS / 10 {
                if tens == 20 {
                    world.broker("broker-a").kill().await;
                } else if tens == 40 {
                    world.broker("broker-a").start().await;
                }
                let messages = (0..10).map(|one| message(format!("{tens} {one}")));
                for sent in producer.send_all(messages).await {
                    sent.expect("one broker is well");
                }
            }
            producer.flush().await;
            world.pass(ms(100)).await;

            let (told, notes) = (unruly.told.load(Relaxed), unruly.notes.load(Relaxed));
            let stats = producer.stats();
            let found = format!("{told} told, {notes} notes, {stats:?}");
            assert_eq!((told, notes), (SENDS, SENDS), "each ends once: {found}");
            assert_eq!(producer.hook_panics(), SENDS.div_ceil(3), "{found}");
            assert_eq!((stats.accepted, stats.stored), (2 * SENDS, 2 * SENDS), "{found}");
            let bodies: HashSet<_> = stored(&world).iter().map(text).collect();
            assert_eq!(bodies.len() as u64, 2 * SENDS, "{found}");
        });
    }
}
