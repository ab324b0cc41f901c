//! How each kind of value is read from a file, and printed as one.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use producer_core::Address;

use super::super::config::WithoutOrigin;
use super::super::policy::Network;
use crate::number;
use crate::secret::Secret;
use crate::settings::SettingsError;
use crate::settings::reader::{self, Table, Wanted};
use crate::settings::source::Node;

/// Whatever goes through all keys.
pub(super) trait Fields {
    /// A key, and what it sets.
    fn field(&mut self, key: &'static str, value: &mut dyn Field) -> Result<(), SettingsError>;
    /// Keys in a table.
    fn table(&mut self, key: &'static str, keys: &mut TableKeys<'_>) -> Result<(), SettingsError>;
}

type TableKeys<'k> = dyn FnMut(&mut dyn Fields) -> Result<(), SettingsError> + 'k;

/// A value that a key sets.
pub(super) trait Field {
    fn read(&mut self, node: &Node) -> Result<(), Wanted>;
    /// As TOML; `None` leaves the key out.
    fn print(&self) -> Option<String>;
}

impl Fields for Table {
    fn field(&mut self, key: &'static str, value: &mut dyn Field) -> Result<(), SettingsError> {
        self.get(key, |node| value.read(node)).map(|_was_there| ())
    }

    fn table(&mut self, key: &'static str, keys: &mut TableKeys<'_>) -> Result<(), SettingsError> {
        for mut table in self.tables(key)? {
            keys(&mut table)?;
            table.finish()?;
        }
        Ok(())
    }
}

/// Prints instead of reading.
#[derive(Default)]
pub(super) struct Printer {
    pub(super) text: String,
}

impl Fields for Printer {
    fn field(&mut self, key: &'static str, value: &mut dyn Field) -> Result<(), SettingsError> {
        if let Some(value) = value.print() {
            let _written = writeln!(self.text, "{key} = {value}");
        }
        Ok(())
    }

    fn table(&mut self, key: &'static str, keys: &mut TableKeys<'_>) -> Result<(), SettingsError> {
        let _written = writeln!(self.text, "\n[{key}]");
        keys(self)
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _written = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn all<T>(values: &[T], print: impl Fn(&T) -> String) -> String {
    format!("[{}]", values.iter().map(print).collect::<Vec<_>>().join(", "))
}

/// Implements [`Field`] by a way to read and a way to print.
macro_rules! field {
    ($type:ty, $read:expr, $print:expr) => {
        impl Field for $type {
            fn read(&mut self, node: &Node) -> Result<(), Wanted> {
                let read: fn(&Node) -> Result<$type, Wanted> = $read;
                *self = read(node)?;
                Ok(())
            }
            fn print(&self) -> Option<String> {
                let print: fn(&$type) -> Option<String> = $print;
                print(self)
            }
        }
    };
}

field!(bool, reader::flag, |flag| Some(flag.to_string()));
field!(u32, reader::number, |number| Some(number.to_string()));
// Sizes and plain counts: a unit may stand behind either.
field!(usize, reader::bytes, |number| Some(number.to_string()));
field!(u64, |node| reader::bytes(node).map(|number| number as u64), |number| Some(
    number.to_string()
));
field!(Duration, reader::time, |time| Some(quoted(&format!("{}ms", time.as_millis()))));
field!(Option<String>, reader::optional_text, |text| text.as_deref().map(quoted));
field!(Option<PathBuf>, file, |path| path.as_deref().map(print_file));
// It is not shown, so what is printed lacks it.
field!(Option<Secret>, |node| Ok(reader::optional_text(node)?.map(Secret::from)), |_| None);
field!(Vec<String>, reader::texts, |texts| Some(all(texts, |text| quoted(text))));
field!(
    Vec<Address>,
    |node| each(node, "addresses: \"10.0.0.1:9876;10.0.0.2:9876\"", |text| Address::new(text).ok()),
    |addresses| Some(all(addresses, |address| quoted(address.as_str())))
);
field!(
    Vec<Network>,
    |node| each(node, "networks: [\"10.0.0.0/8\"]", |text| text.parse().ok()),
    |networks| Some(all(networks, |network| quoted(&network.to_string())))
);
field!(Vec<SocketAddr>, |node| each(node, SOCKETS, |text| text.parse().ok()), |addresses| Some(
    all(addresses, |address| quoted(&address.to_string()))
));
field!(Vec<u16>, |node| reader::list(node, reader::number, "ports: [10911, 10909]"), |ports| Some(
    all(ports, u16::to_string)
));
field!(
    Vec<(String, u16)>,
    |node| each(node, "names and ports: [\"broker-a:10911\"]", |text| {
        let (name, port) = text.rsplit_once(':')?;
        Some((name.to_owned(), number::of_digits(port).filter(|&port| port > 0)?))
    }),
    |names| Some(all(names, |(name, port)| quoted(&format!("{name}:{port}"))))
);
field!(
    Vec<(SocketAddr, SocketAddr)>,
    |node| each(node, "pairs: [\"10.0.0.5:10911=192.0.2.5:30911\"]", |text| {
        let (advertised, dialled) = text.split_once('=')?;
        Some((advertised.trim().parse().ok()?, dialled.trim().parse().ok()?))
    }),
    |pairs| Some(all(pairs, |(advertised, dialled)| quoted(&format!("{advertised}={dialled}"))))
);
field!(SocketAddr, |node| reader::text(node)?.parse().map_err(|_| SOCKET), |address| Some(quoted(
    &address.to_string()
)));
field!(
    Option<SocketAddr>,
    |node| match reader::text(node)?.as_str() {
        "none" => Ok(None),
        text => text.parse().map(Some).map_err(|_| "an address and a port, or \"none\""),
    },
    |address| Some(quoted(&address.map_or("none".to_owned(), |address| address.to_string())))
);
field!(
    WithoutOrigin,
    |node| match reader::text(node)?.as_str() {
        "refused" => Ok(WithoutOrigin::Refused),
        "with_token" => Ok(WithoutOrigin::WithToken),
        "allowed" => Ok(WithoutOrigin::Allowed),
        _ => Err("\"refused\", \"with_token\" or \"allowed\""),
    },
    |who| Some(quoted(match who {
        WithoutOrigin::Refused => "refused",
        WithoutOrigin::WithToken => "with_token",
        WithoutOrigin::Allowed => "allowed",
    }))
);

pub(super) fn file(node: &Node) -> Result<Option<PathBuf>, Wanted> {
    Ok(reader::optional_text(node)?.map(PathBuf::from))
}

pub(super) fn print_file(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

const SOCKET: Wanted = "an address and a port: \"127.0.0.1:7070\"";
const SOCKETS: Wanted = "addresses and ports: [\"10.0.0.5:10911\"]";

fn each<T>(
    node: &Node,
    wanted: Wanted,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, Wanted> {
    let texts = reader::texts(node).map_err(|_| wanted)?;
    texts.iter().map(|text| read(text).ok_or(wanted)).collect()
}
