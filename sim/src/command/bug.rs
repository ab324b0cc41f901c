//! Which mistake is the producer to make, to see that it is noticed? (feature `planted-bugs`)

use clap::Args;

/// A mistake to make on purpose. There is none to choose without the feature.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct BugArguments {
    /// Make this mistake on purpose, to see that it is noticed.
    #[cfg(feature = "planted-bugs")]
    #[arg(long, value_parser = named)]
    bug: Option<producer_core::planted::Bug>,
}

impl BugArguments {
    /// Makes it on this thread from now on.
    pub(super) fn plant(self) {
        #[cfg(feature = "planted-bugs")]
        producer_core::planted::plant(self.bug);
    }
}

#[cfg(feature = "planted-bugs")]
fn named(name: &str) -> Result<producer_core::planted::Bug, String> {
    let all = producer_core::planted::Bug::ALL;
    let found = all.iter().copied().find(|bug| bug.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|bug| bug.name()).collect();
        format!("one of {}", names.join(", "))
    })
}
