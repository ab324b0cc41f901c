//! What becomes of sends that share a request: on its way, at its end, and when one of them goes?

use alloc::vec::Vec;

use crate::accumulator::Carried;
use crate::connection::State;
use crate::connection_end::ConnectionEnd;
use crate::error::{Attempt, ErrorKind, Outcome, Phase, SendError};
use crate::has;
use crate::output::Output;
use crate::producer::Producer;
use crate::receipt::Receipt;
use crate::send::{Send, Stage, Under, broker_bit};
use crate::slab::Key;
use crate::special::{Form, Special, Told};

impl<T> Send<T> {
    pub(crate) fn carried(&self) -> Option<&Carried> {
        match self.special.as_deref() {
            Some(Special { form: Form::Accumulated(carried), .. }) if has::AUTO_BATCH => {
                Some(carried)
            }
            _ => None,
        }
    }

    pub(crate) fn carried_mut(&mut self) -> Option<&mut Carried> {
        match self.special.as_deref_mut() {
            Some(Special { form: Form::Accumulated(carried), .. }) if has::AUTO_BATCH => {
                Some(carried)
            }
            _ => None,
        }
    }

    /// Whether somebody wants it enough for another attempt.
    pub(crate) fn is_wanted(&self) -> bool {
        let wanted = |carried: &Carried| carried.alive > 0 && !carried.broken;
        self.ticket.is_some() || self.carried().is_some_and(wanted)
    }
}

impl<T> Producer<T> {
    pub(crate) fn carried(&self, carrier: Key) -> Option<&Carried> {
        self.sends.get(carrier).and_then(Send::carried)
    }

    /// Makes the carrier's message of the members that are left. One alone goes as it is.
    pub(crate) fn pack(&mut self, carrier: Key) {
        let Some(carried) = self.carried(carrier) else { return };
        let is_packed = carried.packed.len() == carried.alive;
        if is_packed || !carried.packed.is_empty() && planted!(EndedSentAgain) {
            return;
        }
        let is_here = |&member: &Key| self.sends.get(member).is_some();
        let packed: Vec<Key> = carried.members.iter().copied().filter(is_here).collect();
        let members: Vec<&Send<T>> =
            packed.iter().filter_map(|&member| self.sends.get(member)).collect();
        let (message, id) = match members[..] {
            [] => return,
            [one] => (one.message.clone(), Some(one.id)),
            [first, ..] => {
                let mut body = Vec::with_capacity(
                    members.iter().map(|member| member.message.member_bytes()).sum(),
                );
                for member in &members {
                    member.message.push_member(&mut body, &member.id);
                }
                // Nothing of theirs: brokers hand on to all of them what the request says of itself.
                (first.message.envelope(body), None)
            }
        };
        let Some(send) = self.sends.get_mut(carrier) else { return };
        send.message = message;
        send.id = id.unwrap_or(send.id);
        if let Some(carried) = send.carried_mut() {
            carried.packed = packed;
        }
    }

    /// A broker has stored what a carrier brought: each member has its receipt.
    #[cold]
    pub(crate) fn carried_stored(
        &mut self,
        carrier: Key,
        carried: &Carried,
        receipt: Receipt,
        told: &Told,
    ) {
        self.carrier_gone(carrier, carried);
        let envelope_id = receipt.message_id;
        let mut next = receipt.of_members(told);
        for &member in &carried.packed {
            let ended = self.remove(member, Outcome::NotSent, |send| (send.ticket.take(), send.id));
            let receipt = next(ended.as_ref().map_or(envelope_id, |&(_, id)| id));
            let Some((ticket, _)) = ended else { continue };
            self.count_stored();
            if let Some(ticket) = ticket {
                self.outputs.push_back(Output::Completed { ticket, result: Ok(receipt) });
            }
        }
    }

    /// A carrier has failed, and each member with it.
    #[cold]
    pub(crate) fn carried_failed(
        &mut self,
        carrier: Key,
        carried: &Carried,
        kind: &ErrorKind,
        outcome: Outcome,
        trail: &[Attempt],
    ) {
        self.carrier_gone(carrier, carried);
        for &member in &carried.members {
            self.end_member(member, kind, outcome, trail);
        }
    }

    /// Ends a member with an error.
    fn end_member(&mut self, member: Key, kind: &ErrorKind, outcome: Outcome, trail: &[Attempt]) {
        let keep = |send: &mut Send<T>| (send.ticket.take(), send.id, send.accepted);
        let ended = self.remove(member, outcome, keep);
        let Some((ticket, id, accepted)) = ended else { return };
        self.count_failed(outcome, id);
        let elapsed = self.now.since(accepted);
        let error = SendError::new(kind.clone(), outcome, Some(id), elapsed, trail.to_vec());
        if let Some(ticket) = ticket {
            self.outputs.push_back(Output::Completed { ticket, result: Err(error) });
        }
    }

    /// A member is about to go: it leaves the carrier, whose frame is taken back if it has not
    /// left. Returns whether the member may be stored.
    pub(crate) fn leave_carrier(&mut self, member: Key, carrier: Key) -> Outcome {
        let Some(send) = self.sends.get(carrier) else { return Outcome::NotSent };
        let (strict, mut outcome) = (send.is_strict(), send.outcome);
        if let Stage::Under(under) = send.stage {
            let held = self.conns.get(under.conn).is_some_and(|conn| conn.holds(under.from));
            if held && !planted!(CarriedSentAnyway) {
                self.take_back(carrier, &under);
            } else {
                outcome = Outcome::Unknown;
            }
        }
        let Some(send) = self.sends.get_mut(carrier) else { return outcome };
        let under_way = matches!(send.stage, Stage::Under(_));
        let Some(carried) = send.carried_mut() else { return outcome };
        carried.alive -= 1;
        // Nobody may overtake it: those behind it in the same frame do not go out again.
        carried.broken |= strict && outcome == Outcome::Unknown;
        let (alive, broken) = (carried.alive, carried.broken);
        if !under_way && (alive == 0 || broken) {
            if let Some(send) = self.sends.get_mut(member) {
                // It ends by itself, not with its carrier.
                send.stage = Stage::Backoff;
            }
            self.end_carrier(carrier, member);
        }
        outcome
    }

    /// The frame of an attempt that has not left is taken back, and made anew at the end of the
    /// call.
    fn take_back(&mut self, carrier: Key, under: &Under) {
        if !self.abandon_attempt(carrier) {
            return;
        }
        let Some(send) = self.sends.get_mut(carrier) else { return };
        send.stage = Stage::Backoff;
        send.attempts_all -= 1;
        send.tried &= !broker_bit(under.queue.broker);
        let deadline = send.deadline;
        self.set_due(carrier, deadline);
        self.ready.push_back(carrier);
    }

    /// A carrier that is not under way ends, for nobody is left in it, or because those who are may
    /// not be sent again; `but` ends by itself.
    fn end_carrier(&mut self, carrier: Key, but: Key) {
        let Some(outcome) = self.sends.get(carrier).map(|send| send.outcome) else { return };
        let keep = |send: &mut Send<T>| (send.special.take(), core::mem::take(&mut send.trail));
        let Some((Some(mut special), trail)) = self.remove(carrier, outcome, keep) else { return };
        let Form::Accumulated(carried) = &mut special.form else { return };
        carried.members.retain(|&member| member != but);
        self.carried_failed(carrier, carried, &ErrorKind::OrderBroken, outcome, &trail);
    }

    /// A member's time is up, whatever becomes of the others.
    pub(crate) fn member_expired(&mut self, member: Key, carrier: Key) {
        let Some(send) = self.sends.get(carrier).filter(|_| has::AUTO_BATCH) else { return };
        if self.now >= send.deadline {
            // The others' too: they end together, and what that teaches is learned.
            self.expire(carrier);
        }
        if self.sends.get(member).is_none() || planted!(MemberWaitsForCarrier) {
            return;
        }
        let Some(send) = self.sends.get(carrier) else { return };
        let mut trail = send.trail.clone();
        let mut attempt = self.last_of(send);
        let outcome = self.leave_carrier(member, carrier);
        if outcome != Outcome::Unknown {
            attempt.outcome = Outcome::NotSent;
        }
        let kind = attempt.kind.clone();
        trail.push(attempt);
        self.end_member(member, &kind, outcome, &trail);
    }

    /// Where a carrier is when the time of one of its members is up.
    fn last_of(&self, carrier: &Send<T>) -> Attempt {
        let Stage::Under(under) = carrier.stage else {
            let phase = match carrier.stage {
                Stage::Route => Phase::Route,
                Stage::Lane => Phase::Lane,
                _ => Phase::Backoff,
            };
            let kind = match carrier.stage {
                Stage::Route => self.route_problem(carrier.topic),
                _ => ErrorKind::Deadline,
            };
            return Attempt::off_connection(phase, self.now.since(carrier.accepted), kind);
        };
        let broker = &self.routes.brokers[under.queue.broker as usize];
        let conn = self.conns.get(under.conn);
        let dialling = conn.is_some_and(|conn| conn.state == State::Dialling);
        let held = conn.is_some_and(|conn| conn.holds(under.from));
        let (phase, kind) = match (dialling, held) {
            (true, _) => (Phase::Dial, ErrorKind::Connect(ConnectionEnd::DialTimeout)),
            (_, true) => (Phase::Write, ErrorKind::AttemptTimeout),
            _ => (Phase::Answer, ErrorKind::AttemptTimeout),
        };
        Attempt {
            broker: Some(broker.name.clone()),
            advertised: broker.advertised.clone(),
            dialled: broker.dialled.clone(),
            queue_id: Some(under.queue.id),
            reason: Some(under.reason),
            phase,
            elapsed: self.now.since(under.started),
            outcome: Outcome::Unknown,
            kind,
        }
    }

    /// All carriers, for the end of a close.
    pub(crate) fn carriers(&self) -> Vec<Key> {
        if !has::AUTO_BATCH || self.accumulator.carriers == 0 {
            return Vec::new();
        }
        let carriers = self.sends.iter().filter(|(_, send)| send.carried().is_some());
        carriers.map(|(key, _)| key).collect()
    }
}
