//! `inspect-id`: what does a message id say?

use std::io::{self, Write};

use clap::Args;
use producer_core::wire::message_id::{OffsetMessageId, UniqKey};
use serde_json::{Value, json};

use crate::date::{self, DAY_MS};
use crate::exit::{Exit, Failure, complain};

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// Ids of 32 or 56 hex digits: a client's unique id (UNIQ_KEY) or a broker's offset id
    #[arg(required = true, value_delimiter = ',')]
    ids: Vec<String>,
}

/// The parts of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    /// Made by the client.
    Unique(UniqKey),
    /// Given by the broker.
    Offset(OffsetMessageId),
}

pub(crate) fn run(arguments: &InspectArguments, json: bool) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    let mut exit = Exit::Done;
    for text in &arguments.ids {
        match inspect(text) {
            Ok(id) if json => writeln!(out, "{}", describe(text, &id, date::now_ms()))?,
            Ok(id) => write_parts(&mut out, &describe(text, &id, date::now_ms()))?,
            Err(problem) => {
                out.flush()?;
                complain(&format!("{text:?} is no message id: {problem}"), Some(WANTED));
                exit = Exit::NotDone;
            }
        }
    }
    out.flush()?;
    Ok(exit)
}

/// Tells the two kinds apart as Java does: read as an offset id, a unique id has an impossible
/// port, for the process id stands in its upper half.
pub(crate) fn inspect(text: &str) -> Result<Id, String> {
    if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_hexdigit()) {
        return Err(format!("no hex digit at position {at}"));
    }
    if text.len() != 32 && text.len() != 56 {
        return Err(format!("it has {} hex digits", text.len()));
    }
    match OffsetMessageId::decode(text) {
        Ok(id) if id.host.port() != 0 && id.offset >= 0 => Ok(Id::Offset(id)),
        _ => UniqKey::decode(text).map(Id::Unique).map_err(|error| error.to_string()),
    }
}

/// The parts by name.
pub(crate) fn describe(text: &str, id: &Id, now_ms: i64) -> Value {
    match id {
        Id::Offset(id) => json!({
            "id": text,
            "kind": "offset",
            "address": id.host.to_string(),
            "offset": id.offset,
        }),
        Id::Unique(id) => {
            let in_month = i64::from(id.month_ms);
            let day = in_month / DAY_MS + 1;
            // The client counts in its own zone, which may be ahead of ours by so much.
            let made_ms = id.made_at_ms(now_ms.saturating_add(ZONE_AHEAD_MS));
            json!({
                "id": text,
                "kind": "unique",
                "ip": id.ip.to_string(),
                "pid": id.pid,
                "random": format!("{:08X}", id.hash),
                "month_ms": id.month_ms,
                "in_month": format!("day {day}, {}", date::clock(in_month % DAY_MS)),
                "made": date::utc(made_ms).trim_end_matches('Z'),
                "counter": id.counter,
            })
        }
    }
}

fn write_parts(out: &mut impl Write, parts: &Value) -> io::Result<()> {
    let text = |name: &str| match &parts[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if parts["kind"] == "offset" {
        writeln!(out, "{}: offset id, given by the broker", text("id"))?;
        writeln!(out, "  broker           {}", text("address"))?;
        return writeln!(out, "  physical offset  {}", text("offset"));
    }
    writeln!(out, "{}: unique id, made by the client", text("id"))?;
    writeln!(out, "  client address   {}", text("ip"))?;
    writeln!(out, "  process          {} (low 16 bits)", text("pid"))?;
    writeln!(out, "  random identity  {}", text("random"))?;
    writeln!(out, "  within month     {}", text("in_month"))?;
    writeln!(out, "  nearest date     {} in the client's time zone", text("made"))?;
    writeln!(out, "  counter          {} (low 16 bits)", text("counter"))
}

const WANTED: &str = "an id has 32 hex digits, or 56 where an address is IPv6";

/// UTC+14, the easternmost zone.
const ZONE_AHEAD_MS: i64 = 14 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_tells_the_kinds_apart() {
        let offset = inspect("7F00000200007 8BF000000000000053C".replace(' ', "").as_str());
        let unique = inspect("0A141E283C1B5FFD2B27687B297E000B").expect("an id");

        let Ok(Id::Offset(offset)) = offset else { panic!("{offset:?}") };
        assert_eq!((offset.host.to_string().as_str(), offset.offset), ("127.0.0.2:30911", 1_340));
        let parts = describe("x", &unique, 1_795_244_102_014);
        assert_eq!(parts["kind"], "unique");
        assert_eq!((&parts["ip"], &parts["pid"]), (&json!("10.20.30.40"), &json!(15_387)));
        assert_eq!((&parts["random"], &parts["counter"]), (&json!("5FFD2B27"), &json!(11)));
        assert_eq!(parts["in_month"], "day 21, 06:55:02.014");
        assert_eq!(parts["made"], "2026-11-21T06:55:02.014");
    }

    #[test]
    fn long_ids_hold_an_ipv6_address() {
        let ip = "20010DB8000000000000000000000001";

        let offset = inspect(&format!("{ip}00002A9F0000000000000010")).expect("an id");
        let unique = inspect(&format!("{ip}3C1B5FFD2B27687B297E000B")).expect("an id");

        assert_eq!(describe("", &offset, 0)["address"], "[2001:db8::1]:10911");
        assert_eq!(describe("", &unique, 0)["ip"], "2001:db8::1");
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for bad in ["", "0A", "0A141E283C1B5FFD2B27687B297E000", "0A141E283C1B5FFD2B27687B297E000é"]
        {
            assert!(inspect(bad).is_err(), "{bad}");
        }
    }
}
