//! Bytes arrived: which frames are in them, and what does each answer?

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::connection::ConnId;
use crate::connection_end::ConnectionEnd;
use crate::has;
use crate::in_flight::Purpose;
use crate::output::Output;
use crate::producer::Producer;
use crate::slab::Key;
use crate::wire::SerializeType;
use crate::wire::frame::{self, Frame};
use crate::wire::send::SendResponse;

/// Room kept for the head of the next unfinished frame.
const UNFINISHED_KEPT: usize = 64 << 10;

impl<T> Producer<T> {
    /// Splits what arrived into frames and handles each in place.
    pub(crate) fn received(&mut self, conn: Key, bytes: &[u8]) {
        let now = self.now;
        let Some(connection) = self.conns.get_mut(conn) else { return };
        connection.heard(now);
        self.heard_from(conn);
        let Some(connection) = self.conns.get_mut(conn) else { return };
        let mut unfinished = core::mem::take(&mut connection.unfinished);
        let result = self.finish_frame(conn, &mut unfinished, bytes).and_then(|rest| {
            let used = self.frames(conn, rest)?;
            let kept = if planted!(HalfFrameLost) { &[] } else { rest };
            unfinished.extend_from_slice(kept.get(used..).unwrap_or(&[]));
            Ok(())
        });
        match result {
            Ok(()) => {
                if let Some(connection) = self.conns.get_mut(conn) {
                    unfinished.shrink_to(UNFINISHED_KEPT);
                    connection.unfinished = unfinished;
                }
            }
            Err(problem) => {
                reached!(FrameMalformed);
                // The frames before may have ended it already.
                if self.conns.get(conn).is_some() {
                    self.outputs.push_back(Output::Close { conn: ConnId(conn) });
                }
                self.connection_ended(conn, &ConnectionEnd::Malformed(problem));
            }
        }
    }

    /// Brings the frame that was begun to its end, if `bytes` do, and handles it. Returns what
    /// follows it: only as much is copied as it lacks.
    fn finish_frame<'a>(
        &mut self,
        conn: Key,
        begun: &mut Vec<u8>,
        bytes: &'a [u8],
    ) -> Result<&'a [u8], String> {
        let mut rest = bytes;
        // Its length first, should that be what is missing, then what it counts.
        while !begun.is_empty() && !rest.is_empty() {
            reached!(FrameUnfinished);
            let (more, behind) = rest.split_at(frame::lacking(begun).clamp(1, rest.len()));
            begun.extend_from_slice(more);
            rest = behind;
            let used = self.frames(conn, begun)?;
            begun.drain(..used);
        }
        Ok(rest)
    }

    /// Handles every whole frame; returns how many bytes they take.
    fn frames(&mut self, conn: Key, bytes: &[u8]) -> Result<usize, String> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            let frame = match frame::split(rest, self.config.frame_bytes_max) {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(used),
                Err(_) if planted!(GarbageIgnored) => return Ok(bytes.len()),
                Err(error) => return Err(error.to_string()),
            };
            used += frame.len;
            self.frame(conn, &frame)?;
            if planted!(SecondFrameLost) {
                return Ok(bytes.len());
            }
        }
    }

    #[inline(always)] // Called for every answer, from one place.
    fn frame(&mut self, conn: Key, frame: &Frame<'_>) -> Result<(), String> {
        let mut answer = SendResponse::default();
        let json = has::QUICK_ANSWERS && frame.serialize == SerializeType::Json;
        let looked_up = self.conns.get(conn).filter(|_| json);
        if !looked_up.is_some_and(|it| it.looks.fill(&mut answer, frame.header)) {
            answer.fill(frame.serialize, frame.header).map_err(|error| error.to_string())?;
            if json {
                self.learn(conn, &answer, frame.header);
            }
        }
        if !answer.is_response() {
            return self.asked_by_peer(conn, &answer, *frame);
        }
        let Some(purpose) = self.in_flight.remove(answer.opaque, conn) else {
            reached!(AnswerLate);
            self.stats.late_responses += 1;
            return Ok(());
        };
        let retiring = self.conns.get_mut(conn).is_some_and(|connection| {
            connection.settled();
            connection.retiring
        });
        match purpose {
            Purpose::Send(key) => self.answered(key, &answer),
            purpose => self.chore_answered(purpose, &answer, *frame)?,
        }
        if retiring {
            self.released(conn);
        }
        Ok(())
    }

    #[cold]
    fn learn(&mut self, conn: Key, answer: &SendResponse<'_>, header: &[u8]) {
        if let Some(connection) = self.conns.get_mut(conn) {
            connection.looks.learn(answer, header);
        }
    }

    /// A request that is no send was answered.
    #[cold]
    fn chore_answered(
        &mut self,
        purpose: Purpose,
        answer: &SendResponse<'_>,
        frame: Frame<'_>,
    ) -> Result<(), String> {
        match purpose {
            Purpose::Send(_) => {}
            Purpose::Route { topic, lookup, server } => {
                let id = (topic, lookup, server);
                self.route_answered(id, answer.code, answer.remark, frame.body);
            }
            Purpose::Probe { broker } => self.probe_answered(broker),
            Purpose::Ask(key) => return self.ask_answered(key, frame),
            Purpose::Heartbeat | Purpose::Unregister => {}
        }
        Ok(())
    }
}
