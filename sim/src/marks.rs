//! Which decisions have runs taken, of the core and of the models? (feature `marks`)
//!
//! [`take`] after each run, [`Marks::add`] them up, and [`Marks::missing`] says what no plan has
//! tested.

use producer_core::marks as core_marks;

/// Decisions of the models.
pub mod model {
    producer_core::declare_marks! {
        /// A message is stored.
        Stored,
        /// A one-way message is stored.
        StoredOneWay,
        /// A send is refused by a fault.
        FaultRefuses,
        /// A send is not stored, and its connection ends.
        FaultCloses,
        /// An answer is changed, late or lost by a fault.
        FaultAnswers,
        /// A broker pretends that a message is stored less well than it is.
        FaultStatus,
        /// A slave refuses a send.
        SlaveRefuses,
        /// A full disk refuses a send.
        DiskRefuses,
        /// A queue is asked for that is not there.
        QueueMissing,
        /// A topic is asked for that is not there.
        TopicMissing,
        /// A slow disk holds a send.
        DiskHolds,
        /// A send would wait for the disk for too long.
        DiskGivesUp,
        /// A frozen broker keeps what arrives.
        BrokerFrozen,
        /// A client says that it is there.
        Heartbeat,
        /// A client says good-bye.
        Unregister,
        /// A client asks whether the broker is alive.
        Probe,
        /// A broker registers at a name server.
        Registered,
        /// A registration finds the name server's routes frozen.
        RegisteredStale,
        /// A broker is forgotten with its connection.
        BrokerLost,
        /// A name server gives a route.
        Route,
        /// A name server knows no route.
        RouteMissing,
        /// A name server answers late.
        ServerSlow,
        /// A name server does not answer.
        ServerSilent,
        /// A frozen name server keeps what arrives.
        ServerFrozen,
    }
}

/// Decisions that were reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Of the core.
    pub core: core_marks::Marks,
    /// Of the models.
    pub model: model::Marks,
}

/// What this thread has reached since it was last asked.
pub fn take() -> Marks {
    Marks { core: core_marks::take(), model: model::take() }
}

impl Marks {
    /// How many decisions there are.
    pub const ALL: usize = core_marks::Mark::ALL.len() + model::Mark::ALL.len();

    /// Adds those of another run.
    pub fn add(&mut self, other: Self) {
        self.core.add(other.core);
        self.model.add(other.model);
    }

    /// The names of those that were reached, those of the models as `model::Name`.
    pub fn reached(self) -> Vec<String> {
        let core = self.core.reached().map(|mark| mark.name().to_owned());
        core.chain(self.model.reached().map(|mark| format!("model::{}", mark.name()))).collect()
    }

    /// The names of those that were not.
    pub fn missing(self) -> Vec<String> {
        let core = self.core.missing().map(|mark| mark.name().to_owned());
        core.chain(self.model.missing().map(|mark| format!("model::{}", mark.name()))).collect()
    }
}
