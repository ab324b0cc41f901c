//! Requests and replies.

use tests::cluster::{Result, Topic};
use tests::interop::client::Reach;

use crate::world::World;

/// The ground that tests of our own requests stand on.
pub(crate) fn java_answers_java(world: &World) -> Result<()> {
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
