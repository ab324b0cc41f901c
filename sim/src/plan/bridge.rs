//! Which bridge stands between producers and servers, and which plan with one does a seed make?

use serde::{Deserialize, Serialize};

use super::{Direction, FaultKind, FaultPlan, Loss, Plan, Scope, Side};
use crate::dice::{Concern, Dice};

/// The name of the bridge, for faults.
pub const BRIDGE: &str = "bridge";

/// A WebSocket bridge, through which all producers reach all servers. What is not said is as the
/// bridge has it by default; those times are longer than most plans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BridgePlan {
    /// How long a token is good, in seconds; without it nobody needs one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_secs: Option<u64>,
    /// How long a connection outlives its token, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_grace_secs: Option<u64>,
    /// Within which time a bridge that stops ends its connections, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_ms: Option<u64>,
    /// A producer that is silent for so long is pinged, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_ms: Option<u64>,
    /// A producer that is silent for so long is gone, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
    /// A producer that takes nothing for so long is left, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall_ms: Option<u64>,
}

impl BridgePlan {
    /// One that notices within a second or two what it notices within a minute by default.
    pub fn brisk() -> Self {
        Self {
            token_secs: None,
            token_grace_secs: Some(1),
            drain_ms: Some(800),
            ping_ms: Some(400),
            silence_ms: Some(1_200),
            stall_ms: Some(1_000),
        }
    }
}

impl Plan {
    /// The small plan of a seed, with a bridge in between, and faults of that as well.
    pub fn bridged_from_seed(seed: u64) -> Self {
        let mut plan = Self::small_from_seed(seed);
        let mut dice = Dice::new(seed, Concern::Bridge);
        let brisk = dice.one_in(4);
        let token_secs = dice.one_in(2).then(|| *dice.pick(&[2, 4, 60]));
        let bridge = if brisk { BridgePlan::default() } else { BridgePlan::brisk() };
        plan.bridge = Some(BridgePlan { token_secs, token_grace_secs: Some(1), ..bridge });
        let count = dice.between(1, 3);
        for _ in 0..count {
            let at_ms = dice.below(plan.run_ms);
            let for_ms = *dice.pick(&[50, 300, 1_000, 2_000]);
            let kind = kind(&mut dice);
            let target = match kind {
                FaultKind::NoTokens => "producer-0".to_owned(),
                _ => BRIDGE.to_owned(),
            };
            plan.faults.push(FaultPlan { at_ms, for_ms, target, kind });
        }
        plan
    }
}

fn kind(dice: &mut Dice) -> FaultKind {
    match dice.below(16) {
        0 | 1 => FaultKind::Crash,
        2 => FaultKind::PowerLoss,
        3 | 4 => FaultKind::Drain,
        5 | 6 => FaultKind::HalfOpen { side: *dice.pick(&[Side::Page, Side::Broker]) },
        7 | 8 => FaultKind::SlowPage { bytes_per_second: *dice.pick(&[0, 100, 5_000]) },
        9 | 10 => FaultKind::NoTokens,
        11 => FaultKind::Reset,
        12 => FaultKind::Dribble { bytes: *dice.pick(&[1, 7, 100]) },
        13 => FaultKind::Slow {
            extra_ms: *dice.pick(&[5, 100, 700]),
            jitter_ms: *dice.pick(&[0, 50]),
        },
        14 => FaultKind::Partition {
            scope: *dice.pick(&[Scope::Producers, Scope::Nodes, Scope::All]),
            direction: *dice.pick(&[Direction::Requests, Direction::Answers, Direction::Both]),
            loss: *dice.pick(&[Loss::Held, Loss::Dropped]),
        },
        _ => match dice.below(4) {
            0 => FaultKind::SynBlackHole,
            1 => FaultKind::RefuseDials,
            2 => FaultKind::HalfRequest { reset: dice.one_in(2) },
            _ => FaultKind::ResetInAnswer { after_bytes: dice.between(1, 40) as u32 },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridged_plan_can_be_read_again_and_a_plan_without_a_bridge_says_nothing_of_it() {
        for seed in 0..200 {
            let plan = Plan::bridged_from_seed(seed);

            assert_eq!(Plan::from_json(&plan.to_json()).expect("a plan of our own"), plan);
        }
        assert!(!Plan::from_seed(1).to_json().contains(BRIDGE));
    }

    #[test]
    fn what_breaks_a_bridge_needs_one() {
        let mut plan = Plan::bridged_from_seed(1);
        let fault = |kind| FaultPlan { at_ms: 1, for_ms: 1, target: BRIDGE.to_owned(), kind };
        plan.faults = vec![fault(FaultKind::Drain), fault(FaultKind::Crash)];
        assert_eq!(plan.check(), Ok(()));

        plan.bridge = None;
        assert!(plan.check().is_err());
        plan.bridge = Some(BridgePlan::default());
        plan.faults = vec![fault(FaultKind::Freeze)];
        assert!(plan.check().is_err(), "a bridge cannot be frozen here");
    }
}
