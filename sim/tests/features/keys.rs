//! Keys that change while a service runs: who brings them is asked again, but not all the time.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use producer_native::{Credentials, ErrorKind, Outcome, Producer};
use sim::model::broker::Account;
use sim::world::World;

use super::{TOPIC, cluster, message, ms};

fn set_key(world: &World, secret: &str) {
    let account = Account {
        access_key: "shop".into(),
        secret_key: secret.into(),
        publish: vec![TOPIC.into()],
        ..Account::default()
    };
    for broker in world.brokers() {
        broker.with(|broker, _| broker.set_accounts(Some(vec![account.clone()])));
    }
}

/// Whether a send is stored; if not, it was refused for its key, and is surely not stored.
async fn is_stored(producer: &Producer) -> bool {
    match producer.send(message("x")).await {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::BadCredentials { .. }), "{error}");
            assert_eq!(error.outcome(), Outcome::Rejected);
            false
        }
    }
}

#[test]
fn a_key_that_is_refused_is_asked_for_again_once_in_five_seconds() {
    cluster(310).run(|world| async move {
        let vault = Arc::new(Mutex::new("one"));
        let asked = Arc::new(AtomicUsize::new(0));
        let provide = {
            let (vault, asked) = (vault.clone(), asked.clone());
            move || {
                asked.fetch_add(1, SeqCst);
                let secret = *vault.lock().expect("no panic while it is held");
                async move { Credentials::new("shop", secret) }
            }
        };
        set_key(&world, "one");
        let builder = world.producer("shop").credentials_provider(provide);
        let producer = builder.build().expect("a valid configuration");
        assert!(is_stored(&producer).await);
        world.pass(ms(60_000)).await;
        assert_eq!(asked.load(SeqCst), 1, "these stay good, as far as anybody knows");

        // The vault knows before the brokers do: one send is refused, and the next is not.
        *vault.lock().expect("no panic while it is held") = "two";
        set_key(&world, "two");
        assert!(!is_stored(&producer).await);
        world.pass(ms(10)).await;
        assert!(is_stored(&producer).await);
        assert_eq!(asked.load(SeqCst), 2);

        // The vault lags by 12 s: it is asked now and then, and sends are refused until it knows.
        set_key(&world, "three");
        let mut refused = 0;
        for tenth in 0..300 {
            if tenth == 120 {
                *vault.lock().expect("no panic while it is held") = "three";
            }
            refused += usize::from(!is_stored(&producer).await);
            world.pass(ms(100)).await;
        }
        let asked = asked.load(SeqCst);
        let found = format!("{asked} times asked, {refused} of 300 refused");
        assert!((120..=180).contains(&refused), "{found}");
        assert!((5..=7).contains(&asked), "{found}");
    });
}
