//! What a page believes of its messages, against what brokers have stored.

use std::collections::{BTreeMap, HashMap};

/// A message in a broker's log. Its name is the first word of its body, and no other's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The broker it was read from.
    pub broker: String,
    /// The queue of that broker.
    pub queue_id: i32,
    /// Its place in the queue.
    pub queue_offset: i64,
    /// Its name.
    pub name: String,
}

impl Stored {
    /// The name in a body.
    pub fn name_in(body: &[u8]) -> String {
        let word = body.split(|byte| *byte == b' ').next().unwrap_or_default();
        String::from_utf8_lossy(word).into_owned()
    }
}

/// How a send ended, as the page was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// There is a receipt.
    Acked,
    /// It failed, and is not stored.
    NotStored,
    /// It failed, and may be stored; or nothing was told at all.
    Unknown,
}

/// What a page believes of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Believed {
    /// Its name.
    pub name: String,
    /// How its send ended.
    pub state: State,
    /// Of a receipt: broker, queue, offset.
    pub at: Option<(String, i32, i64)>,
    /// Of a receipt: an earlier attempt may have stored it too.
    pub maybe_duplicate: bool,
}

/// A ledger that is balanced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Receipts, all of them true.
    pub acked: usize,
    /// Failed and stored nowhere, as was said.
    pub not_stored: usize,
    /// Nobody could say.
    pub unknown: usize,
    /// Of those, stored.
    pub unknown_stored: usize,
    /// Copies beyond the first, all of them announced as possible.
    pub duplicates: usize,
}

/// Compares. The error names the first lies, at most ten.
pub fn balance(believed: &[Believed], stored: &[Stored]) -> Result<Balance, String> {
    let mut copies: HashMap<&str, Vec<&Stored>> = HashMap::new();
    for message in stored {
        copies.entry(&message.name).or_default().push(message);
    }
    let mut lies = Vec::new();
    let mut balance = Balance::default();
    for Believed { name, state, at, maybe_duplicate } in believed {
        let found = copies.remove(name.as_str()).unwrap_or_default();
        match state {
            State::Acked => balance.acked += 1,
            State::NotStored => balance.not_stored += 1,
            State::Unknown => balance.unknown += 1,
        }
        balance.duplicates += found.len().saturating_sub(1);
        let more_may_be = *maybe_duplicate || *state == State::Unknown;
        if found.len() > 1 && !more_may_be {
            lies.push(format!("{name} is stored {} times", found.len()));
        }
        let is_at = |(broker, queue_id, queue_offset): &(String, i32, i64)| {
            found.iter().any(|copy| {
                (&copy.broker, copy.queue_id, copy.queue_offset)
                    == (broker, *queue_id, *queue_offset)
            })
        };
        match (state, at) {
            (State::Acked, Some(at)) if !is_at(at) => {
                lies.push(format!("{name} is not at {at:?} but {found:?}"));
            }
            (State::Acked, None) if found.is_empty() => lies.push(format!("{name} is lost")),
            (State::NotStored, _) if !found.is_empty() => {
                lies.push(format!("{name} is stored: {found:?}"));
            }
            (State::Unknown, _) if !found.is_empty() => balance.unknown_stored += 1,
            _ => {}
        }
    }
    lies.extend(copies.keys().map(|name| format!("{name:?} is stored, and nobody sent it")));
    match lies.is_empty() {
        true => Ok(balance),
        false => {
            let count = lies.len();
            lies.truncate(10);
            Err(format!("{count} lies: {}", lies.join("; ")))
        }
    }
}

/// Whether the messages of each lane were stored in their order in one queue: names are
/// `prefix/lane/number`, and copies of one message count where the first is. Returns how many lanes.
pub fn in_order(stored: &[Stored]) -> Result<usize, String> {
    let mut lanes: BTreeMap<&str, Vec<(&Stored, u64)>> = BTreeMap::new();
    for message in stored {
        let parts = message.name.rsplit_once('/');
        let parts = parts.and_then(|(lane, number)| Some((lane, number.parse().ok()?)));
        let (lane, number) = parts.ok_or_else(|| format!("{} is in no lane", message.name))?;
        lanes.entry(lane).or_default().push((message, number));
    }
    for (lane, messages) in &mut lanes {
        messages.sort_by_key(|(message, _)| message.queue_offset);
        let place = |message: &Stored| (message.broker.clone(), message.queue_id);
        let first = place(messages[0].0);
        let mut highest = None;
        let mut seen = std::collections::HashSet::new();
        for (message, number) in messages.iter() {
            if place(message) != first {
                return Err(format!("lane {lane} is in {first:?} and {:?}", place(message)));
            }
            if seen.insert(*number) && highest.replace(*number).is_some_and(|last| last > *number) {
                return Err(format!("in lane {lane}, {number} comes late"));
            }
        }
    }
    Ok(lanes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(name: &str, queue_offset: i64) -> Stored {
        Stored { broker: "a".to_owned(), queue_id: 1, queue_offset, name: name.to_owned() }
    }

    fn believed(name: &str, state: State) -> Believed {
        Believed { name: name.to_owned(), state, at: None, maybe_duplicate: false }
    }

    fn lie(believed: &[Believed], stored: &[Stored]) -> String {
        balance(believed, stored).expect_err("it is a lie")
    }

    #[test]
    fn what_is_true_balances() {
        let acked = Believed {
            at: Some(("a".to_owned(), 1, 0)),
            maybe_duplicate: true,
            ..believed("x", State::Acked)
        };
        let all = [acked, believed("y", State::NotStored), believed("z", State::Unknown)];
        let found = balance(&all, &[stored("x", 0), stored("z", 1), stored("x", 2)]);
        let expected =
            Balance { acked: 1, not_stored: 1, unknown: 1, unknown_stored: 1, duplicates: 1 };
        assert_eq!(found, Ok(expected));
    }

    #[test]
    fn each_lie_is_found() {
        assert!(lie(&[believed("x", State::Acked)], &[]).contains("lost"));
        assert!(lie(&[believed("x", State::NotStored)], &[stored("x", 0)]).contains("is stored"));
        assert!(lie(&[], &[stored("x", 0)]).contains("nobody sent"));
        let twice = [stored("x", 0), stored("x", 1)];
        assert!(lie(&[believed("x", State::Acked)], &twice).contains("2 times"));
        let elsewhere =
            Believed { at: Some(("a".to_owned(), 1, 5)), ..believed("x", State::Acked) };
        assert!(lie(&[elsewhere], &[stored("x", 0)]).contains("not at"));
    }

    #[test]
    fn order_is_that_of_first_copies_in_one_queue() {
        let names = |names: &[&str]| -> Vec<_> {
            names.iter().zip(0..).map(|(name, offset)| stored(name, offset)).collect()
        };
        assert_eq!(in_order(&names(&["p/0/0", "p/1/0", "p/0/1", "p/0/0", "p/0/3"])), Ok(2));
        assert!(in_order(&names(&["p/0/1", "p/0/0"])).is_err());
        assert!(in_order(&names(&["p"])).is_err());
        let mut two = names(&["p/0/0", "p/0/1"]);
        two[1].queue_id = 2;
        assert!(in_order(&two).is_err());
    }
}
