//! Message ids: the broker's offset message id and the client's UNIQ_KEY.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{WireError, hex};

/// Where a broker stored a message: address and physical offset (spec §3.4,
/// `MessageDecoder.createMessageId`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OffsetMessageId {
    /// The broker's own idea of its address.
    pub host: SocketAddr,
    /// Physical offset in the commit log, in bytes.
    pub offset: i64,
}

impl OffsetMessageId {
    /// Reads 32 (IPv4) or 56 (IPv6) hexadecimal characters.
    ///
    /// A UNIQ_KEY has the same lengths but reads as a port above 65 535, which is refused: Java
    /// relies on that to tell the two apart.
    pub fn decode(text: &str) -> Result<Self, WireError> {
        let bytes = hex::decode(text);
        let ip_len = if text.len() == 32 { 4 } else { 16 };
        let (ip, rest) = bytes.split_at_checked(ip_len).ok_or(WireError::Truncated)?;
        let (port, rest) = rest.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
        let (offset, _) = rest.split_first_chunk::<8>().ok_or(WireError::Truncated)?;
        let port = u16::try_from(u32::from_be_bytes(*port));
        let port = port.map_err(|_| WireError::BadField { name: "msgId" })?;
        let ip = ip_from_bytes(ip).ok_or(WireError::Truncated)?;
        Ok(Self { host: SocketAddr::new(ip, port), offset: i64::from_be_bytes(*offset) })
    }

    /// Writes 32 (IPv4) or 56 (IPv6) upper-case hexadecimal characters.
    pub fn encode(&self) -> String {
        let mut digits = Vec::with_capacity(56);
        self.push(&mut digits);
        // They are digits.
        String::from_utf8(digits).unwrap_or_default()
    }

    /// Appends the same characters, each of which is one byte.
    pub fn push(&self, out: &mut Vec<u8>) {
        match self.host.ip() {
            IpAddr::V4(ip) => hex::push_upper(out, &ip.octets()),
            IpAddr::V6(ip) => hex::push_upper(out, &ip.octets()),
        }
        hex::push_upper(out, &u32::from(self.host.port()).to_be_bytes());
        hex::push_upper(out, &self.offset.to_be_bytes());
    }
}

/// The parts of a client message id, property `UNIQ_KEY` (spec §7.5,
/// `MessageClientIDSetter.java`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UniqKey {
    /// Address of the client.
    pub ip: IpAddr,
    /// Low 16 bits of the process id.
    pub pid: u16,
    /// A random number per process.
    pub hash: u32,
    /// Milliseconds since the start of the month, local time of the client.
    pub month_ms: u32,
    /// Low 16 bits of a counter.
    pub counter: u16,
}

impl UniqKey {
    /// Reads 32 (IPv4) or 56 (IPv6) hexadecimal characters.
    pub fn decode(text: &str) -> Result<Self, WireError> {
        let bytes = hex::decode(text);
        let ip_len = if bytes.len() == 28 { 16 } else { 4 };
        let (ip, rest) = bytes.split_at_checked(ip_len).ok_or(WireError::Truncated)?;
        let &[p0, p1, h0, h1, h2, h3, t0, t1, t2, t3, c0, c1] = rest else {
            return Err(WireError::Truncated);
        };
        Ok(Self {
            ip: ip_from_bytes(ip).ok_or(WireError::Truncated)?,
            pid: u16::from_be_bytes([p0, p1]),
            hash: u32::from_be_bytes([h0, h1, h2, h3]),
            month_ms: u32::from_be_bytes([t0, t1, t2, t3]),
            counter: u16::from_be_bytes([c0, c1]),
        })
    }

    /// Writes 32 (IPv4) or 56 (IPv6) upper-case hexadecimal characters.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(28);
        push_ip(&mut bytes, self.ip);
        bytes.extend_from_slice(&self.pid.to_be_bytes());
        bytes.extend_from_slice(&self.hash.to_be_bytes());
        bytes.extend_from_slice(&self.month_ms.to_be_bytes());
        bytes.extend_from_slice(&self.counter.to_be_bytes());
        hex::encode_upper(&bytes)
    }

    /// When the id was made, in ms since 1970: in the month of `now_ms`, or the one before if that
    /// were in the future. Both times are those of the client's zone.
    pub fn made_at_ms(&self, now_ms: i64) -> i64 {
        let start = month_start_ms(now_ms);
        let made = start.saturating_add(i64::from(self.month_ms));
        if made <= now_ms {
            return made;
        }
        month_start_ms(start.saturating_sub(1)).saturating_add(i64::from(self.month_ms))
    }
}

/// Start of the month that holds `ms`, both in ms since 1970 of the same zone.
pub const fn month_start_ms(ms: i64) -> i64 {
    let (year, month) = month_of(ms.div_euclid(DAY_MS));
    days_to_month(year, month).saturating_mul(DAY_MS)
}

/// Start of the month after the one that holds `ms`.
pub const fn next_month_start_ms(ms: i64) -> i64 {
    let (year, month) = month_of(ms.div_euclid(DAY_MS));
    let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_to_month(year, month).saturating_mul(DAY_MS)
}

/// Year and month (1 to 12) of a day counted from 1970. Years start in March here, so that the
/// leap day comes last and months follow a fixed pattern of 153 days in five.
const fn month_of(day: i64) -> (i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let day_of_era = day.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let year = year_of_era + era * 400;
    if month < 10 { (year, month + 3) } else { (year + 1, month - 9) }
}

/// Days from 1970 to the first of a month.
const fn days_to_month(year: i64, month: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub(super) fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
}

/// The address of four or sixteen bytes.
pub(super) fn ip_from_bytes(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::V4(Ipv4Addr::from(octets)));
    }
    let octets = <[u8; 16]>::try_from(bytes).ok()?;
    Some(IpAddr::V6(Ipv6Addr::from(octets)))
}

const DAY_MS: i64 = 86_400_000;
