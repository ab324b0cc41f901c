//! Which decisions has a run taken? (feature `marks`)
//!
//! Every decision of the core says `reached!(Name)` where it is taken. What was reached on this
//! thread is noted until [`take`] asks for it. A simulator that lists what no run has reached shows
//! what its plans do not test.

/// Declares the marks of a crate: the enum `Mark`, the set `Marks`, `reach` and `take`. The core and
/// the simulator's models have one each.
#[macro_export]
macro_rules! declare_marks {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A decision.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mark { $($(#[$doc])* $name,)* }

        impl Mark {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }

        /// Decisions that were reached.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Marks([u64; 3]);

        impl Marks {
            /// Adds those of another run.
            pub fn add(&mut self, other: Self) {
                for (word, more) in self.0.iter_mut().zip(other.0) {
                    *word |= more;
                }
            }

            /// Whether a decision is among them.
            pub const fn has(self, mark: Mark) -> bool {
                self.0[mark as usize / 64] & (1 << (mark as usize % 64)) != 0
            }

            /// Those that are among them, in the order of [`Mark::ALL`].
            pub fn reached(self) -> impl Iterator<Item = Mark> {
                Mark::ALL.iter().copied().filter(move |&mark| self.has(mark))
            }

            /// Those that are not.
            pub fn missing(self) -> impl Iterator<Item = Mark> {
                Mark::ALL.iter().copied().filter(move |&mark| !self.has(mark))
            }
        }

        const _: () = assert!(Mark::ALL.len() <= 192, "more marks than bits");

        std::thread_local! {
            static REACHED: core::cell::Cell<Marks> = const { core::cell::Cell::new(Marks([0; 3])) };
        }

        /// Notes that a decision was taken on this thread.
        #[inline]
        pub fn reach(mark: Mark) {
            REACHED.with(|reached| {
                let mut marks = reached.get();
                marks.0[mark as usize / 64] |= 1 << (mark as usize % 64);
                reached.set(marks);
            });
        }

        /// What this thread has reached since it was last asked.
        pub fn take() -> Marks {
            REACHED.take()
        }
    };
}

declare_marks! {
    /// A send is refused: the producer is closed.
    SendClosed,
    /// A send is refused: its body is too large.
    SendTooLarge,
    /// A send is refused: it may not even wait for room.
    SendFull,
    /// A send waits for room.
    SendWaits,
    /// A cancelled send has left and keeps its place in the lane.
    CancelInLane,
    /// A cancelled send was on a connection.
    CancelUnderWay,
    /// A closed producer is closed once more.
    CloseAfterEnd,
    /// A close under way is asked for again.
    CloseSooner,
    /// A send fails at once: the topic was found to be absent a moment ago.
    TopicAbsent,
    /// A send waits for a route.
    WaitForRoute,
    /// A one-way send goes onto a connection.
    OneWay,
    /// A broker has no master, another one may have one.
    MasterElsewhere,
    /// No broker that a send may go to has a master.
    NoMaster,
    /// A broker may not be dialled yet: the send goes to another one.
    DialElsewhere,
    /// A send waits until its broker may be dialled.
    WaitForDial,
    /// A send fails: there is no queue for it.
    NoQueueFails,
    /// A send waits for a queue.
    NoQueueWaits,
    /// An attempt failed at a connection that is no longer that of its broker.
    BrokerHasMoved,
    /// A broker lacks a queue that the route names: it is not used until the next route.
    QueueWithdrawn,
    /// A one-way send was taken by the driver.
    OneWayWritten,
    /// A send fails, not sent.
    FailNotSent,
    /// A send fails, rejected.
    FailRejected,
    /// A send fails, and nobody knows.
    FailUnknown,
    /// An attempt is over, but its message may not be sent again: its answer is waited for.
    TimeoutWaits,
    /// An attempt is over before its connection was made.
    TimeoutDialling,
    /// An attempt is over before a byte of it left.
    TimeoutWithdrawn,
    /// An attempt is over without an answer.
    TimeoutUnanswered,
    /// The broker of an attempt that is over answers others.
    TimeoutSlow,
    /// The broker of an attempt that is over is silent.
    TimeoutGone,
    /// Time is up while a send waits for room.
    ExpiredInRoom,
    /// Time is up while a send waits for its turn.
    ExpiredInLane,
    /// Time is up while a send waits for a route.
    ExpiredInRoute,
    /// Time is up while a send waits to try again.
    ExpiredInBackoff,
    /// A send has waited long enough to try again.
    BackoffOver,
    /// A queue by hash.
    PickHash,
    /// The home queue of a strict lane.
    PickStrictHome,
    /// The home queue of a strict lane is in no route.
    PickStrictGone,
    /// No queue of the topic may be written.
    PickNotWritable,
    /// No broker of the topic has a master.
    PickNoMaster,
    /// A queue as Java chooses without fault tolerance.
    PickJava,
    /// A queue as Java chooses with fault tolerance.
    PickJavaFaults,
    /// The broker whose turn it is was tried or is not well.
    PickAnother,
    /// No broker is untried and well.
    PickUntried,
    /// Every broker was tried.
    PickTriedAndWell,
    /// No broker is well, and all were tried.
    PickIll,
    /// No other broker is available to Java, but one may be reachable.
    PickJavaReachable,
    /// Java takes the next queue whatever it is.
    PickJavaAny,
    /// A lane that may move is at home.
    PickHome,
    /// A lane that may move cannot be at home.
    PickAway,
    /// A lane that may move has nowhere good to go.
    PickNoneGood,
    /// Bytes end within a frame.
    FrameUnfinished,
    /// Bytes are no frame.
    FrameMalformed,
    /// An answer came to a request that was given up, or that nobody made.
    AnswerLate,
    /// A message is stored less well than was asked for.
    StatusBelow,
    /// A message is stored less well than it might be, and is sent again.
    StatusNotOk,
    /// A message is stored less well than it might be, and that is that.
    StatusNotOkLast,
    /// A broker asks to be left.
    GoAway,
    /// A broker does not know the topic.
    RefusedAsAbsent,
    /// A message is stored after an attempt of which nobody knows.
    MaybeDuplicate,
    /// A broker is busy.
    RefusedBusy,
    /// A broker has an error of its own.
    RefusedError,
    /// A broker cannot serve.
    RefusedGone,
    /// A broker finds fault with the request, maybe for want of a newer route.
    RefusedRequest,
    /// A broker refuses for another reason.
    RefusedOther,
    /// A broker that was avoided has served again.
    HealthForgiven,
    /// A broker is avoided: it is gone.
    HealthEjectedGone,
    /// A broker is avoided: it fails again and again.
    HealthEjectedUnwell,
    /// A broker has failed, and is not avoided for that.
    HealthUnwell,
    /// A broker on trial has failed it.
    HealthTrialFailed,
    /// A broker that is avoided has failed once more.
    HealthStillEjected,
    /// A send tries a broker that answered its probe.
    HealthTrial,
    /// Java avoids a broker for a while.
    HealthJavaAvoids,
    /// A broker that was avoided is alive.
    HealthAlive,
    /// A broker that was thought gone says something.
    HealthHeard,
    /// A probe has failed.
    HealthProbeFailed,
    /// No retry: the caller allows one attempt.
    RetryForbidden,
    /// No retry: all attempts are used up.
    RetryExhausted,
    /// No retry: time is up.
    RetryLate,
    /// No retry: the next answer would be the same.
    RetryUseless,
    /// No retry: the message may be stored, and the caller wants no duplicate.
    RetryStopped,
    /// No retry: the budget is spent.
    RetryTooDear,
    /// A retry at once.
    RetryElsewhere,
    /// A retry after a pause.
    RetryAfterPause,
    /// No retry: time would be up before its pause is over.
    RetryNoTime,
    /// A send waits for a lookup that is under way or due soon.
    LookupShared,
    /// A lookup begins.
    LookupBegins,
    /// A route that may be out of date is asked for at once.
    SuspectNow,
    /// A route that may be out of date is asked for as soon as the rate allows.
    SuspectLater,
    /// Every name server was asked and has answered.
    LookupNobodyLeft,
    /// Every name server was asked, and some have not answered yet.
    LookupOthersOpen,
    /// A name server may not be dialled yet.
    ServerRests,
    /// An answer belongs to a lookup that is over.
    LookupStale,
    /// A name server has the route.
    LookupFound,
    /// A name server does not know the topic.
    LookupAbsent,
    /// A name server could not be asked.
    ServerFailed,
    /// Another name server is asked first from now on.
    ServerChanged,
    /// A route has other queues than before.
    RouteChanged,
    /// A route has lost brokers.
    RouteLostBrokers,
    /// The default topic stands in for one that does not exist.
    RouteProvisional,
    /// A lookup has failed, but the route that is known works.
    RouteKept,
    /// No name server that answers knows the topic.
    TopicGone,
    /// A lookup has failed for now.
    LookupLater,
    /// A lookup has failed, and with it those who waited.
    LookupFailed,
    /// A name server takes long: another one is asked as well.
    LookupHedged,
    /// A broker has another address than before.
    BrokerMoved,
    /// A lane is free.
    LaneFree,
    /// A send waits for its turn in the lane.
    LaneWaits,
    /// A send may not overtake the broken one that it was behind.
    LaneOvertakes,
    /// The order of a lane is broken.
    LaneBroken,
    /// The next of a lane goes on.
    LaneNext,
    /// Nobody is left in a lane.
    LaneOver,
    /// A lane that may move has another choice than before.
    EpochRenewed,
    /// A lane that may move avoids what its send has tried.
    EpochAlone,
    /// One that waits gets its room.
    RoomGiven,
    /// One that waits still does not fit.
    RoomTooSmall,
    /// One that waited for room is no more.
    RoomForgone,
    /// A broker has no address to dial.
    DialNoMaster,
    /// A broker may not be dialled yet.
    DialRests,
    /// A connection serves another one as well.
    DialShared,
    /// A dial begins.
    DialBegins,
    /// A dial has failed.
    DialFailed,
    /// A dial has succeeded.
    Connected,
    /// A connection takes no new requests.
    Retired,
    /// A connection is given up before it was made.
    RetiredDialling,
    /// A connection that takes no new requests owes nothing more.
    RetiredDone,
    /// An attempt fails with its dial.
    CutDialling,
    /// An attempt fails with its connection before a byte of it left.
    CutHeld,
    /// An attempt fails with its connection, and nobody knows.
    CutLeft,
    /// A frame has left and cannot be withdrawn.
    WithdrawLate,
    /// A frame is withdrawn.
    Withdrawn,
    /// Withdrawn frames are cut out of what is taken.
    WithdrawnCut,
    /// Withdrawn frames are cut out of a buffer that nobody takes.
    Compacted,
    /// A name server did not answer in time.
    ChoreRoute,
    /// A probe was not answered in time.
    ChoreProbe,
    /// A heartbeat was not answered in time.
    ChoreHeartbeat,
    /// A connection that has said nothing for long is given up.
    SilentClosed,
    /// A connection that has said nothing for a while gets no more requests.
    SilentRetired,
    /// A route is polled.
    Polled,
    /// A route is too fresh to be polled.
    PollPassed,
    /// A broker that is in no route is not probed.
    ProbeUnwanted,
    /// A broker may not be dialled for a probe yet.
    ProbeNotYet,
    /// A broker is probed.
    Probe,
    /// A connection that carries nothing is closed.
    IdleClosed,
    /// A peer needs no heartbeat.
    HeartbeatUnwanted,
    /// A heartbeat is sent.
    Heartbeat,
    /// A close cannot wait any longer for its sends.
    CloseDeadline,
    /// A close waits for its sends.
    CloseDrains,
    /// All good-byes were answered.
    GoodByeAnswered,
    /// A close waits for answers to its good-byes.
    GoodByeWaits,
    /// A close ends without all answers to its good-byes.
    GoodByeMissed,
    /// The wall clock went back, which ids do not follow.
    IdClockBack,
    /// More requests are in flight than ever before.
    RingGrows,
}
