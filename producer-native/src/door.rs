//! The one door to the core: lock, read the clock, change, drain, unlock, and only then wake.

use std::sync::{Arc, LockResult, Mutex, MutexGuard, TryLockError};
use std::task::Waker;
use std::thread;
use std::time::Duration;

use producer_core::{
    Address, CloseReport, Compress, ConnId, Decision, GroupId, Instant, Message, Output, SendError,
    SendId, Transaction,
};
use tokio::runtime::Handle;

use crate::access::{self, Provider};
use crate::alarm::Alarm;
use crate::checks::{self, Checker, Checks, Limits};
use crate::compression::compressed;
use crate::connection::{self, Links};
use crate::discovery::{self, Discovery, Search};
use crate::eras::Eras;
use crate::hooks::{self, Call, Calls, Hooked, Hooks, Note, SendKind};
use crate::log::Log;
use crate::slots::{Ended, Leftover, Slot, Slots};
use crate::transaction::WhenDropped;
use crate::transport::Transport;
use crate::wait::UnderWay;
use crate::{Core, alarm};

/// What all handles, tickets and tasks of one producer share.
pub(crate) struct Shared {
    state: Mutex<State>,
    origin: tokio::time::Instant,
    pub(crate) runtime: Handle,
    pub(crate) transport: Arc<dyn Transport>,
    /// The same without TLS, for whoever searches name servers.
    pub(crate) without_tls: Arc<dyn Transport>,
    discovery: Option<Arc<dyn Discovery>>,
    provider: Option<Provider>,
    pub(crate) log: Log,
    wall_clock: Box<WallClock>,
    /// For route queries, which have no options of their own.
    pub(crate) query_timeout: Duration,
    pub(crate) when_dropped: WhenDropped,
    pub(crate) hooks: Arc<Hooks>,
    /// What the core has too, but behind the lock: how bodies are compressed, and how long they are
    /// at most.
    compression: (Option<Compress>, usize),
}

/// How a producer finds and reaches others.
pub(crate) struct Ways {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) without_tls: Arc<dyn Transport>,
    pub(crate) discovery: Option<Arc<dyn Discovery>>,
    pub(crate) provider: Option<Provider>,
}

/// Milliseconds since 1970.
pub(crate) type WallClock = dyn Fn() -> u64 + Send + Sync;

/// What the door guards.
pub(crate) struct State {
    pub(crate) core: Core,
    pub(crate) slots: Slots,
    pub(crate) eras: Eras,
    pub(crate) links: Links,
    pub(crate) alarm: Alarm,
    pub(crate) checks: Checks,
    pub(crate) search: Search,
    /// Who asks for credentials.
    pub(crate) renewal: Search,
    /// Whether a close was asked for.
    pub(crate) closing: bool,
    /// How the close went, once it is over. Nothing happens after it.
    pub(crate) closed: Option<CloseReport>,
    closers: Vec<Slot>,
    /// Groups of producers that share this client.
    pub(crate) groups: Vec<GroupId>,
    /// Whether there are hooks.
    hooked: bool,
    /// Sends that hooks know of.
    pub(crate) calls: Calls,
    /// What hooks are to be told after unlocking.
    pub(crate) notes: Vec<Note>,
    /// When the core was last told the wall clock.
    wall_read: Instant,
}

/// What is to be done after unlocking. A task that enters often keeps one, so that waking many
/// allocates nothing.
#[derive(Default)]
pub(crate) struct Effects {
    /// Most visits wake one or none.
    first: Option<Waker>,
    more: Option<Box<More>>,
}

/// What only some visits bring.
#[derive(Default)]
struct More {
    wakers: Vec<Waker>,
    dials: Vec<Dial>,
    checks: Vec<checks::Run>,
    start_alarm: bool,
    /// Other credentials are wanted.
    renew: bool,
}

/// A connection that the core wants.
pub(crate) struct Dial {
    pub(crate) conn: ConnId,
    pub(crate) address: Address,
    pub(crate) deadline: Instant,
}

/// How often the core is told the wall clock, which may have been set.
const WALL_CLOCK_EVERY: Duration = Duration::from_secs(1);
/// How often a thread lets others run before it sleeps until the lock is free.
const GIVES_WAY: u32 = 8;
const TORN: &str = "a panic inside the producer has left its state half changed; that is a bug";

impl Shared {
    pub(crate) fn new(
        core: Core,
        origin: tokio::time::Instant,
        runtime: Handle,
        ways: Ways,
        wall_clock: Box<WallClock>,
    ) -> Self {
        let query_timeout = core.config().send_timeout;
        let compression = (core.config().compression, core.config().message_bytes_max);
        let state = State {
            core,
            slots: Slots::default(),
            eras: Eras::new(),
            links: Links::default(),
            alarm: Alarm::default(),
            checks: Checks::default(),
            search: Search::default(),
            renewal: Search::default(),
            closing: false,
            closed: None,
            closers: Vec::new(),
            groups: Vec::new(),
            hooked: false,
            calls: Calls::default(),
            notes: Vec::new(),
            wall_read: Instant::ZERO,
        };
        Self {
            state: Mutex::new(state),
            origin,
            runtime,
            transport: ways.transport,
            without_tls: ways.without_tls,
            discovery: ways.discovery,
            provider: ways.provider,
            log: Log::default(),
            wall_clock,
            query_timeout,
            when_dropped: WhenDropped::default(),
            hooks: Arc::default(),
            compression,
        }
    }

    /// Before anything is done with it.
    pub(crate) fn set_checker(&mut self, checker: Option<Arc<Checker>>, limits: Limits) {
        let checks = &mut self.state.get_mut().expect(TORN).checks;
        (checks.checker, checks.limits) = (checker, limits);
    }

    /// Before anything is done with it.
    pub(crate) fn set_hooks(&mut self, hooks: Hooks) {
        self.state.get_mut().expect(TORN).hooked = !hooks.is_empty();
        self.hooks = Arc::new(hooks);
    }

    /// Runs `visit` with the core, then does what the core wants done.
    #[inline]
    pub(crate) fn enter<R>(self: &Arc<Self>, visit: impl FnOnce(&mut State, Instant) -> R) -> R {
        self.enter_with(&mut Effects::default(), visit)
    }

    /// [`enter`](Self::enter) with a list of the caller's own.
    #[inline]
    pub(crate) fn enter_with<R>(
        self: &Arc<Self>,
        effects: &mut Effects,
        visit: impl FnOnce(&mut State, Instant) -> R,
    ) -> R {
        self.enter_if_sound(effects, visit).expect(TORN)
    }

    /// [`enter_with`](Self::enter_with) for destructors, which must not panic: `None` if an earlier
    /// panic has left the state half changed.
    #[inline]
    pub(crate) fn enter_if_sound<R>(
        self: &Arc<Self>,
        effects: &mut Effects,
        visit: impl FnOnce(&mut State, Instant) -> R,
    ) -> Option<R> {
        let on_panic = WakeAll(self);
        let mut state = self.lock().ok()?;
        let now = self.now();
        if now.since(state.wall_read) >= WALL_CLOCK_EVERY {
            state.wall_read = now;
            state.core.set_wall_clock(now, (self.wall_clock)());
        }
        let result = visit(&mut state, now);
        state.drain(effects);
        let notes = std::mem::take(&mut state.notes);
        drop(state);
        std::mem::forget(on_panic);
        if !notes.is_empty() {
            self.hooks.tell(notes);
        }
        self.perform(effects);
        Some(result)
    }

    /// Whether [`hooked`](Self::hooked) does anything at all.
    #[inline]
    pub(crate) fn changes_messages(&self) -> bool {
        !self.hooks.is_empty() || self.compression.0.is_some()
    }

    /// Shows a message to the hooks, if there are any, before it is sent, and compresses its body,
    /// if that was asked for. Call it before the door is locked.
    #[inline]
    pub(crate) fn hooked(&self, kind: SendKind, group: GroupId, message: Message) -> Hooked {
        let (message, call) = match self.hooks.is_empty() {
            true => (message, None),
            false => self.hooks.begin_one(kind, &self.group_name(group), message)?,
        };
        let message = match self.compression {
            (Some(how), bytes_max) => compressed(how, bytes_max, message),
            (None, _) => message,
        };
        Ok((message, call))
    }

    /// The name of a group, for hooks.
    pub(crate) fn group_name(&self, group: GroupId) -> String {
        self.peek().core.group_name(group).as_str().to_owned()
    }

    /// Looks at what the core does not see, so that nothing needs draining.
    pub(crate) fn peek(&self) -> MutexGuard<'_, State> {
        self.lock().expect(TORN)
    }

    /// Whoever is inside is so for less than a microsecond, as a rule, which is less than it takes to
    /// fall asleep and be woken. And once one thread sleeps on it, std's lock sends every other that
    /// comes by to sleep as well. So a thread gives way a few times first.
    #[inline]
    fn lock(&self) -> LockResult<MutexGuard<'_, State>> {
        for _ in 0..GIVES_WAY {
            match self.state.try_lock() {
                Ok(state) => return Ok(state),
                Err(TryLockError::Poisoned(torn)) => return Err(torn),
                Err(TryLockError::WouldBlock) => thread::yield_now(),
            }
        }
        self.state.lock()
    }

    /// When `instant` is by the runtime's clock.
    pub(crate) fn at(&self, instant: Instant) -> tokio::time::Instant {
        self.origin + Duration::from_nanos(instant.as_nanos())
    }

    /// The runtime has dropped one of our tasks: nothing will be sent or received any more, so
    /// everything in hand ends, as what it is.
    pub(crate) fn runtime_gone(self: &Arc<Self>) {
        let long_after = |now: Instant| now + Duration::from_secs(3600);
        let _torn = self.enter_if_sound(&mut Effects::default(), |state, now| {
            state.closing = true;
            state.core.close(now, now);
            // Nobody is there to wait for the brokers' good-bye.
            state.core.handle_timeout(long_after(now));
        });
    }

    fn now(&self) -> Instant {
        let since = tokio::time::Instant::now().saturating_duration_since(self.origin);
        Instant::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX - 1))
    }

    #[inline]
    fn perform(self: &Arc<Self>, effects: &mut Effects) {
        if let Some(waker) = effects.first.take() {
            waker.wake();
        }
        if let Some(more) = &mut effects.more {
            self.perform_more(more);
        }
    }

    #[inline(never)]
    fn perform_more(self: &Arc<Self>, more: &mut More) {
        for waker in more.wakers.drain(..) {
            waker.wake();
        }
        if std::mem::take(&mut more.start_alarm) {
            self.runtime.spawn(alarm::run(self.clone()));
            if let Some(discovery) = self.discovery.clone() {
                self.runtime.spawn(discovery::run(self.clone(), discovery));
            }
            if let Some(provider) = self.provider.clone() {
                self.runtime.spawn(access::run(self.clone(), provider));
            }
        }
        if std::mem::take(&mut more.renew)
            && let Some(provider) = &self.provider
        {
            provider.renew();
        }
        for dial in more.dials.drain(..) {
            self.runtime.spawn(connection::run(self.clone(), dial));
        }
        for check in more.checks.drain(..) {
            self.runtime.spawn(checks::run(self.clone(), check));
        }
    }
}

impl State {
    /// A send begins: its slot, to be given to the core at once.
    pub(crate) fn begin_send(&mut self, waker: Option<Waker>) -> Slot {
        let era = self.eras.begin();
        self.slots.insert(era, waker)
    }

    /// A send begins that hooks know of.
    pub(crate) fn called(&mut self, slot: Slot, call: Option<Box<Call>>) {
        if let Some(call) = call {
            self.calls.insert(slot, call);
        }
    }

    /// A send ends before the core got it.
    pub(crate) fn refuse_send(&mut self, error: SendError) -> UnderWay {
        let slot = self.begin_send(None);
        self.end_send(slot, Ended::Sent(Err(error)), &mut Effects::default());
        UnderWay { slot, id: SendId::NONE }
    }

    /// Tells a broker how a transaction has ended; false if it cannot be reached now.
    pub(crate) fn end_transaction(
        &mut self,
        now: Instant,
        transaction: &Transaction,
        decision: Decision,
        remark: Option<&str>,
    ) -> bool {
        let told = self.core.end_transaction(now, transaction, decision, remark);
        if told && self.hooked {
            self.notes.push(Note::Transaction(Box::new(transaction.clone()), decision));
        }
        told
    }

    /// The core gave a send back before it ended.
    pub(crate) fn send_given_back(&mut self, slot: Slot) -> Leftover {
        if !self.calls.is_empty() {
            self.notes.extend(hooks::note(&mut self.calls, slot, None));
        }
        let (era, leftover) = self.slots.remove(slot);
        self.eras.end(era);
        leftover
    }

    /// Somebody waits for the end of the close.
    pub(crate) fn begin_close(&mut self, now: Instant, deadline: Instant) -> Slot {
        let slot = self.slots.insert(0, None);
        self.closing = true;
        self.closers.push(slot);
        if self.closed.is_none() {
            self.core.close(now, deadline);
        }
        slot
    }

    fn drain(&mut self, effects: &mut Effects) {
        let wake_at = loop {
            match self.core.poll_output() {
                Output::Connect { conn, address, deadline } => {
                    self.links.insert(conn);
                    effects.more().dials.push(Dial { conn, address, deadline });
                }
                Output::Transmit { conn } => effects.wake(self.links.transmit(conn)),
                Output::Close { conn } => effects.wake(self.links.remove(conn)),
                Output::Completed { ticket, result } => {
                    self.end_send(ticket, Ended::Sent(result), effects);
                }
                Output::Written { ticket, message_id } => {
                    self.end_send(ticket, Ended::Written(message_id), effects);
                }
                Output::BatchCompleted { ticket, result } => {
                    self.end_send(ticket, Ended::Batch(result), effects);
                }
                Output::Prepared { ticket, result } => {
                    self.end_send(ticket, Ended::Prepared(result), effects);
                }
                Output::Replied { ticket, result } => {
                    self.end_send(ticket, Ended::Replied(result), effects);
                }
                Output::Answered { ticket, result } => {
                    effects.wake(self.slots.end(ticket, Ended::Answered(result)).1);
                }
                Output::CheckTransaction(check) => {
                    effects.more().checks.extend(self.checks.admit(check));
                }
                Output::Route { ticket, result } => {
                    effects.wake(self.slots.end(ticket, Ended::Route(result)).1);
                }
                Output::CredentialsRefused => effects.more().renew = true,
                Output::Event(_) => {}
                Output::Closed(report) => self.closed = Some(report),
                Output::Idle { wake_at } => break wake_at,
            }
        };
        while let Some(slot) = self.eras.next_flushed() {
            effects.wake(self.slots.end(slot, Ended::Done).1);
        }
        if self.closed.is_some() {
            for slot in self.closers.drain(..) {
                effects.wake(self.slots.end(slot, Ended::Done).1);
            }
            effects.wake(self.alarm.end());
            effects.wake(self.search.end());
            effects.wake(self.renewal.end());
        } else if let Some(at) = wake_at {
            if self.alarm.wants_start() {
                effects.more().start_alarm = true;
            }
            effects.wake(self.alarm.advance(at));
        }
    }

    #[inline]
    fn end_send(&mut self, slot: Slot, ended: Ended, effects: &mut Effects) {
        if !self.calls.is_empty() {
            self.notes.extend(hooks::note(&mut self.calls, slot, Some(&ended)));
        }
        let (era, waker) = self.slots.end(slot, ended);
        self.eras.end(era);
        effects.wake(waker);
    }
}

impl Effects {
    #[inline]
    fn wake(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.more().wakers.push(waker);
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}

/// After a panic with the door held, those who wait must learn of it rather than wait for ever.
struct WakeAll<'a>(&'a Arc<Shared>);

impl Drop for WakeAll<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let wakers = match self.0.state.lock() {
            Ok(_) => return,
            Err(torn) => {
                let mut state = torn.into_inner();
                let mut wakers = state.slots.take_wakers();
                wakers.extend(state.links.take_wakers());
                wakers
            }
        };
        for waker in wakers {
            waker.wake();
        }
    }
}
