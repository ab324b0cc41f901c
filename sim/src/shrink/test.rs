//! How does a plan become a test that stays?

use crate::check::Violation;
use crate::plan::Plan;

/// A whole file for `sim/tests`: the plan, and a test that fails as long as anything goes wrong in
/// it. It says what went wrong when it was written.
pub fn as_test(plan: &Plan, violation: &Violation) -> String {
    let invariant = violation.invariant;
    let what: String =
        violation.what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!(
        r##"//! Found by the simulator, then shrunk: what went wrong in this plan must not come back.
//!
//! {id} {invariant:?}: {what}

use sim::pair::{{self, Lines}};
use sim::plan::Plan;

#[test]
fn plan_of_seed_{seed}_keeps_{lower}() {{
    let plan = Plan::from_json(PLAN).expect("written by this program");

    let run = pair::run(&plan, Lines::Forget);

    let found: Vec<String> = run.violations.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{{}}", found.join("\n"));
}}

const PLAN: &str = r#"{json}"#;
"##,
        id = invariant.id(),
        lower = invariant.id().to_lowercase(),
        seed = plan.seed,
        json = plan.to_json(),
    )
}
