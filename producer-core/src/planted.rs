//! Which mistakes can be made on purpose? (feature `planted-bugs`)
//!
//! Tests of the simulator switch one of them on and see whether it is noticed. Each is one word,
//! `planted!(Name)`, at the decision that it spoils; without the feature that is `false`. What has
//! an origin is a bug that another client has had.

#[cfg(not(debug_assertions))]
compile_error!("planted bugs are for tests: no release build may have them");

/// What a mistake is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// Topics, queues, brokers, name servers.
    Routing,
    /// Which queue.
    Choice,
    /// What follows a failure.
    Retry,
    /// Timeouts.
    Expiry,
    /// Bytes, numbers, codes, ids.
    Codec,
    /// Order within a key.
    Ordering,
    /// Room.
    Backpressure,
    /// The end of sends and producers.
    Close,
    /// Connections.
    Dial,
    /// Which brokers are avoided.
    Health,
    /// What plans of the swarm do not have: transactions, requests and replies, kinds of messages,
    /// questions, access, traces, groups. Tests of the core catch these.
    Special,
}

macro_rules! declare_bugs {
    ($($(#[$doc:meta])* $name:ident: $area:ident, $origin:literal;)*) => {
        /// A mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Bug { $($(#[$doc])* $name,)* }

        impl Bug {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What it is called.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it is about.
            pub const fn area(self) -> Area {
                match self { $(Self::$name => Area::$area,)* }
            }

            /// Where another client has had it: repository and issue or release. Empty if nowhere.
            pub const fn origin(self) -> &'static str {
                match self { $(Self::$name => $origin,)* }
            }
        }
    };
}

std::thread_local! {
    static PLANTED: core::cell::Cell<Option<Bug>> = const { core::cell::Cell::new(None) };
}

/// Makes this mistake on this thread from now on, or none.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

pub(crate) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

declare_bugs! {
    /// A lookup that fails takes away the route that works.
    RouteDropped: Routing, "apache/rocketmq-clients#710";
    /// The first name server that does not know a topic is believed.
    OneServerBelieved: Routing, "";
    /// Queues that may not be written are used.
    NotWritableUsed: Routing, "apache/rocketmq#7713";
    /// A slave is sent to where there is no master.
    SlaveUsed: Routing, "apache/rocketmq-clients#1345";
    /// A route whose queue counts alone have changed is not taken over.
    QueueCountKept: Routing, "";
    /// A broker that has moved is dialled where it was.
    OldAddressKept: Routing, "apache/rocketmq-client-go#657";
    /// No other name server is asked when the current one fails.
    OneServerAsked: Routing, "";
    /// The wait for a route does not count as time of the send.
    LookupOutsideBudget: Routing, "apache/rocketmq#2845";
    /// A retry goes to the broker that has just failed, if it can.
    FailedPreferred: Choice, "apache/rocketmq#1576";
    /// A retry avoids the broker tried last, not those tried before.
    OnlyLastRemembered: Choice, "apache/rocketmq#1136";
    /// The turn stays at the same broker.
    RotationStands: Choice, "apache/rocketmq-clients#1324";
    /// The last queue of a broker never has its turn.
    LastQueueLeftOut: Choice, "";
    /// A retry on another broker keeps the number of the queue.
    QueueIdKept: Choice, "apache/rocketmq#1497";
    /// A broker that owes answers and says nothing gets its share.
    SilentTrusted: Choice, "apache/rocketmq#8997";
    /// One attempt more is made than allowed.
    OneAttemptTooMany: Retry, "";
    /// A dial that fails is final.
    DialNotRetried: Retry, "apache/rocketmq#1588";
    /// A broker that is busy is final.
    BusyNotRetried: Retry, "apache/rocketmq#5838";
    /// An attempt after the first has no time at all.
    NoTimeForRetry: Retry, "apache/rocketmq#1781";
    /// The first attempt may use up all the time there is.
    FirstEatsAll: Retry, "apache/rocketmq#1921";
    /// Each retry has the whole timeout again.
    RetryRenewsTime: Retry, "";
    /// A message that may be stored is sent again, though the caller wants no duplicate.
    StopIgnored: Retry, "";
    /// The same broker is tried again without a pause.
    NoPause: Retry, "";
    /// A pause comes before another broker is tried too.
    SlowFailover: Retry, "";
    /// A message whose queue was selected is sent again.
    SelectorRetried: Retry, "";
    /// A receipt does not say that there may be a duplicate.
    DuplicateUnsaid: Retry, "";
    /// An error speaks of the last attempt, not of the worst.
    WorstForgotten: Retry, "";
    /// A retry of a send that chose its queue meets a null pointer.
    SelectedRetryPanics: Retry, "ROCKETMQ-101";
    /// The wait for room does not count as time of the send.
    RoomOutsideBudget: Expiry, "";
    /// The wait for a turn in the lane does not end.
    LaneWaitsForEver: Expiry, "";
    /// An attempt whose time is up is reported and leaves all the same (`invokeAsync`, 5.3.3).
    TimedOutStillSent: Expiry, "apache/rocketmq 5.3.3";
    /// A request that is given up stays in the table.
    ResponseTableLeaks: Expiry, "apache/rocketmq-client-go#646";
    /// Of all whose time is up only the first is seen.
    OneExpiresATime: Expiry, "";
    /// A wall clock that jumps moves the timers.
    ClockJumpExpires: Expiry, "";
    /// What was under way on a lost connection waits until its time is up.
    LostConnectionWaits: Expiry, "apache/rocketmq#3929";
    /// Of several frames that arrive at once only the first is read.
    SecondFrameLost: Codec, "";
    /// The head of a frame is forgotten when its rest has not arrived.
    HalfFrameLost: Codec, "";
    /// What is not a frame is passed over.
    GarbageIgnored: Codec, "";
    /// A one-way request does not say that it is one.
    OneWayAsksAnswer: Codec, "";
    /// The number of a request is used again at once.
    NumberReused: Codec, "";
    /// A broker that is busy is taken for one that has stored.
    BusyIsStored: Codec, "";
    /// A status that says "stored, but" is taken for "stored".
    FlushTimeoutIsOk: Codec, "";
    /// A message that is stored less well than asked for is taken for refused.
    BelowIsRejected: Codec, "";
    /// Messages of one millisecond have the same id.
    IdRepeats: Codec, "apache/rocketmq#6919";
    /// Messages of one key do not wait for each other.
    LaneInParallel: Ordering, "";
    /// A message goes on though the one before it may still arrive.
    LaneForgives: Ordering, "";
    /// One that waited for room goes on though the one before it may still arrive.
    RoomOvertakes: Ordering, "";
    /// A key changes its queue with the number of queues.
    KeyRehashed: Ordering, "apache/rocketmq-client-go#795";
    /// A strict lane goes elsewhere when its queue is gone.
    StrictMoves: Ordering, "";
    /// A lane that moves does not say so.
    EpochKept: Ordering, "";
    /// A cancelled message that has left lets the next one pass.
    CancelFreesLane: Ordering, "";
    /// Any number of sends is let in.
    NoBound: Backpressure, "";
    /// A send that fails does not give its room back.
    RoomLeaks: Backpressure, "apache/rocketmq#604";
    /// One that waited for room and is no more keeps the others waiting.
    DeadWaiterBlocks: Backpressure, "";
    /// A send is refused although it might wait.
    RefusedTooEarly: Backpressure, "";
    /// A close drops what is in hand and tells nobody.
    PendingDropped: Close, "";
    /// A close says of what has left that it was not sent.
    CloseSaysNotSent: Close, "";
    /// A closed producer takes messages.
    ClosedAccepts: Close, "apache/rocketmq-clients#1264";
    /// What was under way on a lost connection is taken for stored.
    AckOnClose: Close, "";
    /// A send that was answered stays, and ends once more when its time is up.
    EndsTwice: Close, "apache/rocketmq-client-go#1022";
    /// An address is dialled by each who wants it.
    DialStorm: Dial, "";
    /// A dead address is dialled again at once.
    NoRest: Dial, "";
    /// An address that was dead once is dead for ever.
    NeverDialledAgain: Dial, "apache/rocketmq-client-cpp#204";
    /// A connection that was cut without a word is kept.
    SilentKept: Dial, "apache/rocketmq-clients#872";
    /// A connection that is no more is used.
    ClosedConnectionUsed: Dial, "";
    /// A connection that is lost while requests are under way meets a null pointer.
    NilOnLostConnection: Dial, "apache/rocketmq-client-go#1102";
    /// A connection that was told to go away keeps its requests.
    GoneStaysOpen: Dial, "";
    /// A broker that is avoided is never asked again.
    AvoidedForEver: Health, "apache/rocketmq#7812";
    /// A broker that did not answer its probe is not asked again.
    ProbedOnce: Health, "";
    /// A half message that is stored less well than it should be goes on.
    HalfStatusIgnored: Special, "";
    /// A half message with a delay is sent.
    DelayedHalfSent: Special, "";
    /// The answer to a check is dropped when the connection that asked is gone.
    CheckAnswerLost: Special, "";
    /// The answer to a check does not say that it is one.
    CheckUnsaid: Special, "";
    /// A transaction of which nothing is known is committed.
    UnknownCommits: Special, "";
    /// The answer to a check names where the half message was before.
    CheckPlaceFromBody: Special, "";
    /// A request that is replied to before it is acknowledged is sent again.
    RepliedSentAgain: Special, "";
    /// A broker that brings a reply is not answered.
    PushUnanswered: Special, "";
    /// A reply is taken for that to the oldest request.
    AnyReplyTaken: Special, "";
    /// A broker that cannot hand on a reply is taken for unwell.
    NotConnectedIsUnwell: Special, "";
    /// Only brokers that were sent to are connected.
    NotStayingConnected: Special, "";
    /// Traces are sends, and are traced. `traces_are_not_traced`.
    TracesTraced: Special, "";
    /// Any number of records waits. `records_that_nobody_takes_are_bounded_and_counted`.
    TracesUnbounded: Special, "";
    /// Traces are counted as the application's sends. `traces_are_nobodys_sends`.
    TracesCounted: Special, "";
    /// A broker that wants no traces gets them. `a_broker_that_wants_no_traces_gets_none`.
    TraceSwitchIgnored: Special, "";
    /// A name that is inside the namespace gets into it once more, and so do the system's.
    WrappedTwice: Special, "";
    /// A message is delayed in two ways. `a_message_is_delayed_in_one_way_only`.
    DelayedTwice: Special, "";
    /// What access control says is taken for a broker that is unwell.
    /// `both_generations_of_access_control_are_understood`.
    DenialUnread: Special, "";
    /// A recall that the broker refuses is taken for done.
    /// `a_recall_that_comes_too_late_says_so`.
    RecallAlwaysDone: Special, "";
    /// A client creates a topic of the brokers. `system_topics_are_not_created`.
    SystemTopicCreated: Special, "";
    /// What an index gives is believed to be what was asked for.
    /// `only_what_was_wanted_is_found`.
    IndexBelieved: Special, "";
    /// A signed query carries the flag that old brokers leave out of the signature.
    /// `a_signed_query_suits_both_generations`.
    FlagSigned: Special, "apache/rocketmq 4.9.4";
    /// A message that was cancelled before it left goes out with those that share its request.
    CarriedSentAnyway: Special, "";
    /// Messages that wait for others to share a request wait until it is full.
    LingersForEver: Special, "";
    /// Receipts of messages that share a request all name its first place.
    MembersShareOffset: Special, "";
    /// Messages of one key that share a request stand in it in another order.
    LaneBatchTurned: Special, "";
    /// The deadline of a message that shares a request is that of the request.
    MemberWaitsForCarrier: Special, "";
    /// A request is longer than it may be.
    BatchUnbounded: Special, "";
    /// A close does not hurry messages that wait for others.
    CloseKeepsBatches: Special, "";
    /// A retry carries messages whose callers were told that they failed.
    EndedSentAgain: Special, "";
    /// A batch that its caller sends again has other ids.
    /// `a_batch_of_unknown_end_sent_again_keeps_its_ids`.
    BatchIdsRenewed: Special, "";
    /// An attempt after the first does not say that its body is compressed.
    /// `a_compressed_send_is_the_same_bytes_at_every_broker`.
    RetrySaysPlain: Special, "";
    /// Everything goes to the second port. `heartbeats_and_ends_go_to_the_advertised_port`.
    VipForAll: Special, "";
    /// A group that has left is still announced. `a_group_that_leaves_is_not_announced_any_more`.
    GroupStays: Special, "";
    /// Only the first group is announced. `heartbeats_name_all_groups`.
    FirstGroupOnly: Special, "";
}
