//! Do the models behave as a real cluster does? The same plans run on both; each class of outcome
//! that one has the other must have too, or the plan says why not.

mod classes;
mod plans;
mod proxy;
mod stage;

use classes::Classes;
use sim::pair::{self, Lines};
use stage::Stage;
use tests::cluster::{Cluster, Release, Result};
use tests::interop::runtime;

#[test]
fn interop_twin_5_4_0() -> Result<()> {
    let builder = Cluster::builder(Release::V5_4_0).name_servers(2);
    let cluster = builder.master("broker-0").master("broker-1").start()?;
    let stage = Stage::new(cluster, runtime())?;
    let mut differ = Vec::new();

    for (number, twin) in plans::all().iter().enumerate() {
        let run = pair::run(&twin.plan, Lines::Forget);
        assert_eq!(run.violations, [], "{}", twin.name);
        let model = Classes::of_model(&run.history);
        let real = stage.run(&twin.plan, &format!("twin-{number}"))?;
        eprintln!("{}\n  model {model}\n  real  {real}", twin.name);
        for kind in model.kinds().symmetric_difference(&real.kinds()) {
            match twin.may_differ.iter().find(|(class, _)| class == kind) {
                Some((_, why)) => eprintln!("  only one has \"{kind}\": {why}"),
                None => differ.push(format!("{}: only one has \"{kind}\"", twin.name)),
            }
        }
        for wrong in ["lost", "unannounced", "phantom"] {
            assert!(!real.kinds().contains(wrong), "{}: {wrong}: {real:?}", twin.name);
        }
    }

    assert!(differ.is_empty(), "the models are not like a cluster:\n{}", differ.join("\n"));
    Ok(())
}
