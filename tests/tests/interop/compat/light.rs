//! What few use: light queues, and the brokers' second port.

use std::sync::{Arc, Mutex};

use producer_native::{FrameHook, SeenFrame};
use tests::cluster::{Result, Topic};
use tests::interop::{message, stored};

use crate::compat::world::{TRANSACTIONS, World};

/// A message is in its topic and in each light queue that it names, and Java reads it there.
pub(crate) fn queues(world: &World) -> Result<()> {
    world.create_topic_on(TRANSACTIONS, &Topic::new("many-queues", 2))?;
    let (both, one) = (["%LMQ%left", "%LMQ%right"], ["%LMQ%left"]);
    let to = |body, queues: &[&'static str]| {
        let light = message("many-queues", body).multi_dispatch(queues.iter().copied());
        world.send(light.expect("good names"));
    };
    to("to both", &both);
    to("to the left", &one);
    to("to both again", &both);
    world.send(message("many-queues", "to none"));

    for (queue, wanted) in [
        ("%LMQ%left", &["to both", "to the left", "to both again"][..]),
        ("%LMQ%right", &["to both", "to both again"][..]),
    ] {
        let light = world.reach.clone().with("light", queue);
        let read = world.java.consume(&light, "many-queues", wanted.len())?;
        let bodies: Vec<_> = read.iter().map(|read| read.body()).collect();
        assert_eq!(bodies, wanted.iter().map(|text| text.as_bytes()).collect::<Vec<_>>());
        assert!(read.iter().all(|read| read.topic == "many-queues"), "{read:?}");
    }
    assert_eq!(world.java.consume(&world.reach, "many-queues", 4)?.len(), 4);
    Ok(())
}

/// The ports that sends went to.
#[derive(Clone, Default)]
struct Ports(Arc<Mutex<Vec<u16>>>);

impl FrameHook for Ports {
    fn sent(&self, frame: &SeenFrame<'_>) {
        let is_send = frame.header().is_some_and(|header| SENDS.contains(&header.code));
        let port = frame.peer().as_str().rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        if let Some(port) = port.filter(|_| is_send) {
            self.0.lock().expect("nobody panics with it").push(port);
        }
    }
}

/// Sends go to the port two below the one that the route names, and are stored.
pub(crate) fn second_port(world: &World) -> Result<()> {
    world.create_topic(&Topic::new("second-port", 2))?;
    let ports = Ports::default();
    let producer = world.producer().frame_hook(ports.clone());
    let producer = producer.configure(|config| config.vip_channel = true);
    let producer = producer.build().expect("complete");
    let send = |n: usize| {
        stored(world.runtime.block_on(producer.send(message("second-port", &n.to_string()))))
    };
    let receipts: Vec<_> = (0..COUNT).map(send).collect();

    let read = world.java.consume(&world.reach.clone().vip(), "second-port", COUNT)?;

    assert_eq!(read.len(), COUNT);
    // Address and port of the broker stand in it, four bytes each.
    let id = receipts[0].offset_id.expect("brokers name it").to_string();
    let main = u16::from_str_radix(&id[12..16], 16).expect("hexadecimal");
    assert_eq!(*ports.0.lock().expect("nobody panics with it"), [main - 2; COUNT]);
    Ok(())
}

/// SEND_MESSAGE and SEND_MESSAGE_V2.
const SENDS: [i32; 2] = [10, 310];
const COUNT: usize = 4;
