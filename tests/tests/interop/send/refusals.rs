//! What is said of messages that brokers refuse, or keep less well than they should?

use producer_core::wire::code::response::MESSAGE_ILLEGAL;
use producer_native::{ErrorKind, Message, Outcome, Require, SendOptions, SendStatus};
use tests::cluster::{Release, Result, Topic};
use tests::interop::{failed, message, stored};

use crate::send::World;

/// How often a send is repeated for a status that the broker gives only to most.
const TRIES: usize = 50;

pub(crate) fn too_long_for_us(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("long", 1).on(&["a"]))?;
    let bytes_max = 4 << 20;

    let long = Message::new("long", vec![b'x'; bytes_max + 1]).expect("topic and body are valid");
    let error = failed(world.send(long));

    let kind = ErrorKind::MessageTooLarge { bytes: bytes_max + 1, bytes_max };
    assert_eq!(*error.kind(), kind, "{error}");
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    Ok(())
}

pub(crate) fn too_long_for_the_broker(world: &World) -> Result<()> {
    let broker = world.cluster.master("a")?;
    broker.update_config("maxMessageSize", "1024")?;

    let error = failed(world.send(message("long", &"x".repeat(1_025))));
    broker.update_config("maxMessageSize", "4194304")?;

    assert!(matches!(error.kind(), ErrorKind::Broker { code: MESSAGE_ILLEGAL, .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::Rejected, "{error}");
    assert_eq!(error.attempts().len(), 1, "no other broker would take it: {error}");
    assert!(world.cluster.read_back("long")?.is_empty());
    Ok(())
}

/// A message with a lower status is stored: visible in the receipt, or an unknown outcome to those
/// who require more.
pub(crate) fn statuses(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("status", 2).on(&["b"]))?;
    let broker = world.cluster.master("b")?;
    match world.cluster.release() {
        Release::V5_4_0 => {
            broker.update_config("syncFlushTimeout", "0")?;
            below(world, SendStatus::FlushDiskTimeout, Require::Flushed, Require::Replicated)?;
            broker.update_config("syncFlushTimeout", "5000")?;
            broker.update_config("slaveTimeout", "100")?;
            broker.update_config("inSyncReplicas", "2")?;
            below(world, SendStatus::FlushSlaveTimeout, Require::Replicated, Require::Flushed)?;
            broker.update_config("inSyncReplicas", "1")?;
            let receipt = stored(world.send(message("status", "well")));
            assert_eq!(receipt.status, SendStatus::SendOk);
            Ok(())
        }
        // It has no slave.
        Release::V4_9_7 => {
            below(world, SendStatus::SlaveNotAvailable, Require::Replicated, Require::Flushed)
        }
    }
}

/// The broker's clock races with its disk for these statuses, so each send is repeated until the
/// clock has won.
fn below(world: &World, status: SendStatus, more: Require, less: Require) -> Result<()> {
    let before = world.cluster.read_back("status")?.len();
    let mut sent = 0;
    let mut send = |options: &SendOptions| {
        sent += 1;
        world.send_with(message("status", "any"), options.clone())
    };

    for options in [SendOptions::default(), SendOptions::default().require(less)] {
        let seen = (0..TRIES).any(|_| stored(send(&options)).status == status);
        assert!(seen, "no {status:?} in {TRIES} sends with {options:?}");
    }
    let options = SendOptions::default().require(more);
    let error = (0..TRIES).find_map(|_| send(&options).err());
    let error = error.unwrap_or_else(|| panic!("all of {TRIES} sends were {more:?}"));

    assert_eq!(*error.kind(), ErrorKind::BelowRequired { status }, "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    let messages = world.cluster.read_back_when("status", before + sent)?;
    assert_eq!(messages.len(), before + sent, "none is sent again");
    Ok(())
}

pub(crate) fn busy_alone(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("busy-alone", 1).on(&["busy"]))?;
    // The broker takes one message before it is busy for ever; another step may have used it up.
    let first = world.send(message("busy-alone", "first"));
    let count = usize::from(first.is_ok());

    let error = failed(world.send(message("busy-alone", "second")));

    assert!(matches!(error.kind(), ErrorKind::Busy { .. }), "{error}");
    assert_eq!(error.outcome(), Outcome::Rejected, "{error}");
    assert_eq!(error.attempts().len(), 3, "{error}");
    assert_eq!(world.cluster.read_back_when("busy-alone", count)?.len(), count);
    Ok(())
}

pub(crate) fn busy_beside_another(world: &World) -> Result<()> {
    world.cluster.create_topic(&Topic::new("half-busy", 2).on(&["a", "busy"]))?;

    let receipts: Vec<_> = (0..50).map(|_| stored(world.send(message("half-busy", "x")))).collect();

    let other = |receipt: &producer_native::Receipt| {
        &*receipt.broker == "a" && !receipt.maybe_duplicate && receipt.attempts <= 2
    };
    assert!(receipts.iter().all(other), "{receipts:?}");
    let twice = receipts.iter().filter(|receipt| receipt.attempts == 2).count();
    assert!(twice <= 10, "a busy broker is avoided, but {twice} of 50 sends tried it");
    assert_eq!(world.cluster.read_back_when("half-busy", 50)?.len(), 50);
    Ok(())
}
