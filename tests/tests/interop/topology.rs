//! Masters, slaves and name servers come and go, and brokers move: what can go on goes on, what
//! cannot says so in time, and all of it recovers.

use std::time::{Duration, Instant};

use producer_native::{Outcome, Producer};
use tests::cluster::{Cluster, Release, Result, Topic};
use tests::interop::account::{Account, none_failed};
use tests::interop::load::Load;
use tests::interop::{Steps, failed, message, pass, producer, runtime, stored, until};
use tokio::runtime::Runtime;

#[test]
fn interop_topology_changes_5_4_0() -> Result<()> {
    changes(Release::V5_4_0)
}

#[test]
fn interop_topology_changes_4_9_7() -> Result<()> {
    changes(Release::V4_9_7)
}

struct World {
    cluster: Cluster,
    runtime: Runtime,
    /// With the default configuration.
    plain: Producer,
    steps: Steps,
}

fn changes(release: Release) -> Result<()> {
    let builder = Cluster::builder(release).name_servers(2).master("a").slave("a").master("b");
    let cluster = builder.start()?;
    cluster.create_topic(&Topic::new("lone", 4).on(&["a"]))?;
    let runtime = runtime();
    let plain = producer(&runtime, &cluster).build().expect("it has what it needs");
    let world = World { cluster, runtime, plain, steps: Steps::begin(release) };

    master_dies_and_its_slave_stays(&world)?;
    master_dies_beside_another(&world)?;
    name_servers_forget_and_go(&world)?;
    broker_moves_beside_another(&world)?;
    broker_moves_alone(&world)
}

/// A slave takes no messages: sends end in time, as what they are, until the master is back.
fn master_dies_and_its_slave_stays(world: &World) -> Result<()> {
    let broker = world.cluster.master("a")?;
    let load = Load { senders: 16, pause: Duration::from_millis(5), ..Load::to("lone") };
    let load = load.start(&world.runtime, &world.plain);
    load.wait_stored(500);
    broker.kill();
    // Each sender has to fail once at least, for the master is away for longer than a send may take.
    pass(Duration::from_millis(3_500));
    broker.restart()?;
    let (back, stored) = (load.elapsed(), load.stored());
    let found = load.wait_stored_by("a", back, Duration::from_secs(10));
    load.wait_stored(stored + 200);
    let ends = load.stop();

    let account = Account::check(&world.cluster, "lone", &ends);
    let errors: Vec<_> = ends.iter().filter_map(|end| end.result.as_ref().err()).collect();
    assert!(errors.len() >= 16, "{account}");
    for error in &errors {
        assert_ne!(error.outcome(), Outcome::Rejected, "{error}");
        assert!(error.elapsed() <= Duration::from_millis(3_500), "{error}");
    }
    world.steps.done(format_args!(
        "master killed, slave left: {account}; first {}; stored again {:?} after the restart",
        errors[0].kind().code(),
        found - back
    ));
    Ok(())
}

fn master_dies_beside_another(world: &World) -> Result<()> {
    let producer = producer(&world.runtime, &world.cluster).build().expect("complete");
    let broker = world.cluster.master("a")?;

    no_send_fails(world, &producer, "master killed beside another", || {
        broker.kill();
        broker.restart()
    })
}

/// Routes are asked for all the time, so that every state of the name servers is met.
fn name_servers_forget_and_go(world: &World) -> Result<()> {
    let builder = producer(&world.runtime, &world.cluster);
    let eager = builder.configure(|config| config.route_poll = Duration::from_millis(100));
    let eager = eager.build().expect("complete");
    let server = |nth| world.cluster.name_server(nth);
    let before = eager.stats().route_requests;

    no_send_fails(world, &eager, "one name server killed, the other comes back empty", || {
        server(0)?.kill();
        pass(Duration::from_millis(500));
        server(0)?.restart()?;
        let is_empty = server(0)?.client()?.route("lone")?.is_none();
        server(1)?.kill();
        pass(Duration::from_millis(500));
        world.steps.done(format_args!("the only name server is empty: {is_empty}"));
        server(1)?.restart()?;
        pass(Duration::from_millis(500));
        world.cluster.wait_registered()
    })?;
    no_send_fails(world, &eager, "both name servers down for three seconds", || {
        server(0)?.kill();
        server(1)?.kill();
        pass(Duration::from_secs(3));
        server(0)?.restart()?;
        server(1)?.restart()?;
        world.cluster.wait_registered()
    })?;

    assert!(eager.stats().route_requests - before > 30, "{:?}", eager.stats());
    Ok(())
}

fn broker_moves_beside_another(world: &World) -> Result<()> {
    let producer = producer(&world.runtime, &world.cluster).build().expect("complete");
    let broker = world.cluster.master("b")?;

    no_send_fails(world, &producer, "broker moved beside another", || {
        broker.kill();
        broker.restart_on_another_port()
    })
}

/// The only broker of a topic: sends fail meanwhile, but not for long after it has registered.
fn broker_moves_alone(world: &World) -> Result<()> {
    let send = || world.runtime.block_on(world.plain.send(message("moved", "x")));
    let broker = world.cluster.master("a")?;
    world.cluster.create_topic(&Topic::new("moved", 4).on(&["a"]))?;
    stored(send());

    broker.kill();
    let error = failed(send());
    broker.restart_on_another_port()?;
    let registered = Instant::now();
    until(Duration::from_secs(10), "a send to the new port", || send().ok());
    let found = registered.elapsed();

    assert_ne!(error.outcome(), Outcome::Rejected, "{error}");
    assert!(found <= Duration::from_secs(4), "found after {found:?}");
    world.steps.done(format_args!("the only broker moved: found after {found:?}"));
    Ok(())
}

/// Sends to both masters while `fault` happens, and one second longer.
fn no_send_fails(
    world: &World,
    producer: &Producer,
    what: &str,
    fault: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let topic = what.replace([' ', ','], "-");
    world.cluster.create_topic(&Topic::new(&topic, 4).on(&["a", "b"]))?;
    let load = Load { senders: 16, pause: Duration::from_millis(5), ..Load::to(&topic) };
    let load = load.start(&world.runtime, producer);
    load.wait_stored(500);
    fault()?;
    load.wait_stored(load.stored() + 500);
    let ends = load.stop();

    let account = Account::check(&world.cluster, &topic, &ends);
    world.steps.done(format_args!("{what}: {account}"));
    none_failed(&ends);
    Ok(())
}
