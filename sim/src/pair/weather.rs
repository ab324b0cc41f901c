//! What is wrong with the ways to a node?

use std::collections::VecDeque;
use std::time::Duration;

use crate::dice::Dice;
use crate::plan::{Direction, FaultKind, Loss, Scope};

/// What becomes of something that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Passage {
    Open,
    Held,
    Dropped,
}

/// The ways between a node and one sort of peer, towards it and back.
#[derive(Debug, Clone, Copy, Default)]
struct Ways {
    held: [u16; 2],
    dropped: [u16; 2],
}

/// What is wrong around one node. Faults that overlap are counted.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    producers: Ways,
    nodes: Ways,
    black_hole: u16,
    refuse: u16,
    slow: Vec<(u32, u32)>,
    dribble: Vec<u32>,
    windows: Vec<u32>,
    /// Armed, by [`FaultKind::HalfRequest`]: whether the connection is reset.
    pub(crate) half_requests: VecDeque<bool>,
    /// Armed, by [`FaultKind::ResetInAnswer`]: bytes that still arrive.
    pub(crate) resets_in_answer: VecDeque<u32>,
}

impl Weather {
    /// Begins or ends a fault; false if it is not one of the ways.
    pub(crate) fn change(&mut self, kind: FaultKind, begins: bool) -> bool {
        let count = |counter: &mut u16| match begins {
            true => *counter += 1,
            false => *counter = counter.saturating_sub(1),
        };
        match kind {
            FaultKind::Partition { scope, direction, loss } => {
                for ways in self.ways(scope) {
                    let lanes = match loss {
                        Loss::Held => &mut ways.held,
                        Loss::Dropped => &mut ways.dropped,
                    };
                    if direction != Direction::Answers {
                        count(&mut lanes[0]);
                    }
                    if direction != Direction::Requests {
                        count(&mut lanes[1]);
                    }
                }
            }
            FaultKind::SynBlackHole => count(&mut self.black_hole),
            FaultKind::RefuseDials => count(&mut self.refuse),
            FaultKind::Slow { extra_ms, jitter_ms } => {
                toggle(&mut self.slow, (extra_ms, jitter_ms), begins);
            }
            FaultKind::SlowReader { window_bytes } => {
                toggle(&mut self.windows, window_bytes, begins);
            }
            FaultKind::Dribble { bytes } => toggle(&mut self.dribble, bytes.max(1), begins),
            FaultKind::HalfRequest { reset } if begins => self.half_requests.push_back(reset),
            FaultKind::ResetInAnswer { after_bytes } if begins => {
                self.resets_in_answer.push_back(after_bytes);
            }
            FaultKind::HalfRequest { .. } => self.half_requests.clear(),
            FaultKind::ResetInAnswer { .. } => self.resets_in_answer.clear(),
            _ => return false,
        }
        true
    }

    /// What becomes of bytes towards (0) or from (1) the node.
    pub(crate) fn passage(&self, with_producer: bool, way: usize) -> Passage {
        let ways = if with_producer { &self.producers } else { &self.nodes };
        if ways.dropped[way] > 0 {
            Passage::Dropped
        } else if ways.held[way] > 0 {
            Passage::Held
        } else {
            Passage::Open
        }
    }

    pub(crate) const fn swallows_dials(&self) -> bool {
        self.black_hole > 0
    }

    pub(crate) const fn refuses_dials(&self) -> bool {
        self.refuse > 0
    }

    /// How much longer the way is now.
    pub(crate) fn delay(&self, dice: &mut Dice) -> Duration {
        let micros = self.slow.iter().map(|&(extra, jitter)| {
            u64::from(extra) * 1_000 + dice.below(u64::from(jitter) * 1_000 + 1)
        });
        Duration::from_micros(micros.sum())
    }

    /// How much longer the way is at least, and up to how much more, in ms.
    #[cfg(feature = "world")]
    pub(crate) fn slowness(&self) -> (u32, u32) {
        self.slow.iter().fold((0, 0), |(extra, jitter), slow| (extra + slow.0, jitter + slow.1))
    }

    /// How many bytes of producers a connection takes that are not read, while none are.
    pub(crate) fn window(&self) -> Option<usize> {
        self.windows.iter().min().map(|&bytes| bytes as usize)
    }

    /// Bytes in one piece.
    pub(crate) fn piece(&self) -> Option<usize> {
        self.dribble.iter().min().map(|&bytes| bytes as usize)
    }

    fn ways(&mut self, scope: Scope) -> Vec<&mut Ways> {
        match scope {
            Scope::Producers => vec![&mut self.producers],
            Scope::Nodes => vec![&mut self.nodes],
            Scope::All => vec![&mut self.producers, &mut self.nodes],
        }
    }
}

fn toggle<T: PartialEq>(list: &mut Vec<T>, value: T, begins: bool) {
    if begins {
        list.push(value);
    } else if let Some(at) = list.iter().position(|item| *item == value) {
        list.remove(at);
    }
}
