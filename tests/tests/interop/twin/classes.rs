//! Which classes of outcomes does a run have?

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use producer_native::{Outcome, Receipt, SendError};
use sim::history::{End, History};
use tests::cluster::Stored;

/// How many sends ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Classes {
    pub(crate) acknowledged: usize,
    pub(crate) not_sent: usize,
    pub(crate) rejected: usize,
    pub(crate) unknown: usize,
    /// Messages with more than one copy.
    pub(crate) twice: usize,
    /// Acknowledged, and not there.
    pub(crate) lost: usize,
    /// More than one copy, acknowledged, and the receipt gave no warning.
    pub(crate) unannounced: usize,
    /// Surely not stored, it was said, and there it is.
    pub(crate) phantom: usize,
}

impl Classes {
    pub(crate) fn of_real(ends: &[Result<Receipt, SendError>], stored: &[Stored]) -> Self {
        let ids = stored.iter().filter_map(Stored::uniq_key);
        Self::of(ends.iter().map(|end| end.as_ref()), ids)
    }

    pub(crate) fn of_model(history: &History) -> Self {
        let sends = history.sends.iter().filter(|send| !send.probe);
        let ends = sends.flat_map(|send| &send.ends).filter_map(|(_, end)| match end {
            End::Stored(receipt) => Some(Ok(receipt)),
            End::Failed(error) => Some(Err(error)),
            End::Written | End::Cancelled => None,
        });
        let probes: BTreeSet<&str> = history
            .sends
            .iter()
            .filter(|send| send.probe)
            .filter_map(|send| send.message_id.as_deref())
            .collect();
        let ids = history.stored.iter().filter_map(|stored| stored.message.uniq_key());
        Self::of(ends, ids.filter(|id| !probes.contains(id)))
    }

    fn of<'e>(
        ends: impl Iterator<Item = Result<&'e Receipt, &'e SendError>>,
        ids: impl Iterator<Item = &'e str>,
    ) -> Self {
        let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
        for id in ids {
            *copies.entry(id).or_default() += 1;
        }
        let twice = copies.values().filter(|count| **count > 1).count();
        let mut classes = Self { twice, ..Self::default() };
        for end in ends {
            match end {
                Ok(receipt) => {
                    let count = copies.get(receipt.message_id.as_str()).copied().unwrap_or(0);
                    classes.acknowledged += 1;
                    classes.lost += usize::from(count == 0);
                    classes.unannounced += usize::from(count > 1 && !receipt.maybe_duplicate);
                }
                Err(error) => {
                    let id = error.message_id().map(|id| id.as_str().to_owned());
                    let there = id.is_some_and(|id| copies.contains_key(&*id));
                    match error.outcome() {
                        Outcome::NotSent => classes.not_sent += 1,
                        Outcome::Rejected => classes.rejected += 1,
                        _ => classes.unknown += 1,
                    }
                    classes.phantom += usize::from(there && error.outcome() != Outcome::Unknown);
                }
            }
        }
        classes
    }

    /// The classes that it has.
    pub(crate) fn kinds(&self) -> BTreeSet<&'static str> {
        let counts = [
            ("acknowledged", self.acknowledged),
            ("not sent", self.not_sent),
            ("rejected", self.rejected),
            ("unknown", self.unknown),
            ("twice", self.twice),
            ("lost", self.lost),
            ("unannounced", self.unannounced),
            ("phantom", self.phantom),
        ];
        counts.iter().filter(|(_, count)| *count > 0).map(|(kind, _)| *kind).collect()
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, not_sent, rejected, unknown, twice, lost, .. } = self;
        write!(
            f,
            "{acknowledged:>4} acknowledged {not_sent:>3} not sent {rejected:>3} rejected \
             {unknown:>3} unknown {twice:>3} twice {lost} lost"
        )
    }
}
