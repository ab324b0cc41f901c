//! How and when does an answer leave, and what has to wait?

use std::net::SocketAddr;

use producer_core::wire::{Fields, Frame, Head, Language, SerializeType, encode_frame};

use super::super::answer::{Answer, AnswerForm, Request, Ticket};
use super::super::{ConnId, Instant};
use super::Broker;
use super::fault::{Delivery, Refusal};

/// What happens when its time has come.
#[derive(Debug)]
pub(super) enum Later {
    /// An answer whose time has come.
    Answer(Ticket, Answer, Delivery),
    /// A send that the disk has time for.
    Send(Held),
    /// A send that waited too long.
    GiveUp(Ticket),
}

/// A request that waits, by its own bytes.
#[derive(Debug)]
pub(super) struct Held {
    conn: ConnId,
    peer: Option<SocketAddr>,
    serialize: SerializeType,
    header: Vec<u8>,
    body: Vec<u8>,
}

impl Broker {
    /// Keeps a send until the disk has time for it.
    pub(super) fn hold(&mut self, now: Instant, request: &Request<'_>, frame: &Frame<'_>) {
        let starts_at = self.disk.free_at.max(now);
        if starts_at.since(now) > self.config.send_wait_max {
            reached!(DiskGivesUp);
            let give_up = Later::GiveUp(request.ticket());
            return self.later.put(now + self.config.send_wait_max, give_up);
        }
        reached!(DiskHolds);
        self.disk.free_at = starts_at + self.disk.time;
        let held = Held {
            conn: request.conn,
            peer: request.peer,
            serialize: frame.serialize,
            header: frame.header.to_vec(),
            body: frame.body.to_vec(),
        };
        self.later.put(self.disk.free_at, Later::Send(held));
    }

    pub(super) fn run_later(&mut self, now: Instant, later: Later) {
        match later {
            Later::Answer(ticket, answer, delivery) => {
                self.deliver(now, ticket, &answer, delivery);
            }
            Later::GiveUp(ticket) => {
                let answer = self.refuse(Refusal::WaitedTooLong, "");
                self.reply(now, ticket, &answer);
            }
            Later::Send(held) => {
                let Held { conn, peer, serialize, ref header, ref body } = held;
                let frame = Frame { serialize, header, body, len: 0 };
                if let Ok(request) = Request::decode(conn, peer, &frame) {
                    self.execute(now, &request);
                }
            }
        }
    }

    /// Asks a client something, and says under which number.
    pub(super) fn ask_client(
        &mut self,
        conn: ConnId,
        code: i32,
        flag: i32,
        fields: &Fields<'_>,
        body: &[u8],
    ) -> i32 {
        let opaque = self.opaque;
        self.opaque = opaque.wrapping_add(1);
        let version = self.config.release.version();
        let head = Head { code, language: Language::JAVA, version, opaque, flag, remark: None };
        let serialize = self.config.serialize;
        self.links.send(conn, |out| {
            let lost = encode_frame(out, serialize, &head, fields.iter(), body);
            debug_assert!(lost.is_ok(), "a question fits a frame: {lost:?}");
        });
        opaque
    }

    /// Answers in the usual way.
    pub(super) fn reply(&mut self, now: Instant, ticket: Ticket, answer: &Answer) {
        self.deliver(now, ticket, answer, Delivery::Once);
    }

    pub(super) fn deliver(
        &mut self,
        now: Instant,
        ticket: Ticket,
        answer: &Answer,
        delivery: Delivery,
    ) {
        let form = AnswerForm { release: self.config.release, own: self.config.serialize };
        let wrong = delivery == Delivery::WrongOpaque;
        let opaque = if wrong { !ticket.opaque } else { ticket.opaque };
        let ticket_as = Ticket { opaque, ..ticket };
        let copies = match delivery {
            Delivery::Late(by) => {
                let later = Later::Answer(ticket, answer.clone(), Delivery::Once);
                return self.later.put(now + by, later);
            }
            Delivery::Close => return self.links.close(ticket.conn),
            Delivery::Garbage => {
                return self.links.send(ticket.conn, |out| out.extend_from_slice(&[0xff; 64]));
            }
            Delivery::Malformed(how) => {
                return self.links.send(ticket.conn, |out| out.extend_from_slice(&how.bytes()));
            }
            Delivery::Never => 0,
            Delivery::Once | Delivery::WrongOpaque | Delivery::Half => 1,
            Delivery::Twice => 2,
        };
        if ticket.one_way {
            reached!(StoredOneWay);
            return;
        }
        self.links.send(ticket.conn, |out| {
            let start = out.len();
            for _ in 0..copies {
                form.write(out, &ticket_as, answer);
            }
            if delivery == Delivery::Half {
                out.truncate(start + (out.len() - start) / 2);
            }
        });
        if delivery == Delivery::Half {
            self.links.close(ticket.conn);
        }
    }
}
