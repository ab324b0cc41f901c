//! How does a message get an id that Java can read and that never repeats?

use core::fmt;
use core::net::IpAddr;

use crate::random::Random;
use crate::wire::message_id::{month_start_ms, next_month_start_ms};

const HEX: &[u8; 16] = b"0123456789ABCDEF";
/// Characters of address, process and random identity, which stay the same for a month.
const PREFIX_CHARS: usize = 20;

/// The client's id of a message, stored as its property `UNIQ_KEY`: 32 upper-case hex digits in
/// the layout of `MessageClientIDSetter.java` (address, process id, random identity, milliseconds
/// since the start of the month, counter).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId([u8; 32]);

impl MessageId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Reads an id back from its 32 hex digits; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = <[u8; 32]>::try_from(text.as_bytes()).ok()?;
        digits.make_ascii_uppercase();
        digits.iter().all(u8::is_ascii_hexdigit).then_some(Self(digits))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes ids. No two of one generator are equal: when 65,536 ids fall into one millisecond the
/// next ones take the milliseconds after it, a clock that goes back is not followed, and a new
/// month begins with a new random identity.
#[derive(Debug)]
pub(crate) struct IdGenerator {
    /// Prefix digits, then the digits of the last millisecond, then four for the counter.
    template: [u8; 32],
    address: [u8; 4],
    process: u16,
    utc_offset_ms: i64,
    /// Wall clock at which this month began and the next one begins, as the local calendar has it.
    month_starts_ms: i64,
    month_ends_ms: i64,
    last_ms: i64,
    counter: u16,
    /// Ids left before the counter comes round within `last_ms`.
    left: u32,
    random: Random,
}

impl IdGenerator {
    pub(crate) fn new(ip: IpAddr, process: u32, utc_offset_ms: i64, mut random: Random) -> Self {
        let address = match ip {
            IpAddr::V4(v4) => v4.octets(),
            // Java writes 16 bytes here, which makes a longer id; four random ones keep the layout.
            IpAddr::V6(_) => random.next_u32().to_be_bytes(),
        };
        Self {
            template: [b'0'; 32],
            address,
            process: process as u16,
            utc_offset_ms,
            month_starts_ms: i64::MAX,
            month_ends_ms: i64::MIN,
            last_ms: i64::MIN,
            counter: 0,
            left: 0,
            random,
        }
    }

    /// The next id at wall clock `unix_ms`.
    #[inline(always)] // Hot.
    pub(crate) fn next_id(&mut self, unix_ms: u64) -> MessageId {
        let now_ms = i64::try_from(unix_ms).unwrap_or(i64::MAX).max(self.last_ms);
        reached!(if now_ms > unix_ms as i64 => IdClockBack);
        if now_ms != self.last_ms {
            self.enter(now_ms);
        } else if self.left == 0 {
            self.enter(self.last_ms + 1);
        }
        self.left -= 1;
        self.template[28..].copy_from_slice(&hex_digits(self.counter));
        self.counter = self.counter.wrapping_add(u16::from(!planted!(IdRepeats)));
        MessageId(self.template)
    }

    #[cold]
    fn enter(&mut self, ms: i64) {
        self.last_ms = ms;
        self.left = 65_536;
        if ms >= self.month_ends_ms {
            self.enter_month(ms);
        }
        let since_start = (ms - self.month_starts_ms) as i32;
        write_hex(&mut self.template[PREFIX_CHARS..28], &since_start.to_be_bytes());
    }

    fn enter_month(&mut self, ms: i64) {
        let local_ms = ms + self.utc_offset_ms;
        self.month_starts_ms = month_start_ms(local_ms) - self.utc_offset_ms;
        self.month_ends_ms = next_month_start_ms(local_ms) - self.utc_offset_ms;
        write_hex(&mut self.template[..8], &self.address);
        write_hex(&mut self.template[8..12], &self.process.to_be_bytes());
        let identity = self.random.next_u32();
        write_hex(&mut self.template[12..PREFIX_CHARS], &identity.to_be_bytes());
    }
}

/// Four hex digits without a table: each nibble in a byte of its own, and all four at once become
/// digits or, above nine, letters.
#[inline]
fn hex_digits(number: u16) -> [u8; 4] {
    let number = u32::from(number);
    let bytes = (number | number << 8) & 0x00FF_00FF;
    let nibbles = (bytes | bytes << 4) & 0x0F0F_0F0F;
    let above_nine = (nibbles + 0x0606_0606) >> 4 & 0x0101_0101;
    (nibbles + 0x3030_3030 + above_nine * u32::from(b'A' - b'0' - 10)).to_be_bytes()
}

fn write_hex(out: &mut [u8], bytes: &[u8]) {
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use core::net::Ipv4Addr;

    const NOV_2026: u64 = 1_793_491_200_000; // 2026-11-01 00:00 UTC

    fn generator() -> IdGenerator {
        IdGenerator::new(Ipv4Addr::new(10, 20, 30, 40).into(), 0x1_2345, 0, Random::new(1))
    }

    #[test]
    fn the_layout_is_javas() {
        let mut ids = generator();
        let first = ids.next_id(NOV_2026 + 5);
        let second = ids.next_id(NOV_2026 + 5);

        assert!(first.as_str().starts_with("0A141E282345"));
        assert_eq!(&first.as_str()[20..], "000000050000");
        assert_eq!(&second.as_str()[20..], "000000050001");
        assert_eq!(MessageId::parse(&first.as_str().to_lowercase()), Some(first));
    }

    #[test]
    fn digits_are_those_of_the_standard_library() {
        for number in 0..=u16::MAX {
            assert_eq!(hex_digits(number), *alloc::format!("{number:04X}").as_bytes(), "{number}");
        }
    }

    #[test]
    fn ids_do_not_repeat_within_a_millisecond_or_when_the_clock_goes_back() {
        let mut ids = generator();
        let mut seen = BTreeSet::new();

        for n in 0..200_000_u64 {
            let clock = if n % 3 == 0 { NOV_2026 } else { NOV_2026 + 1 };
            assert!(seen.insert(ids.next_id(clock)), "id {n} repeats");
        }
    }

    #[test]
    fn a_new_month_has_a_new_identity() {
        let mut ids = generator();
        let november = ids.next_id(NOV_2026 + 77);
        let december = ids.next_id(NOV_2026 + 30 * 86_400_000 + 77);

        assert_eq!(&november.as_str()[20..28], &december.as_str()[20..28]);
        assert_ne!(&november.as_str()[12..20], &december.as_str()[12..20]);
    }

    #[test]
    fn months_are_those_of_the_local_calendar() {
        let east = 8 * 3_600_000;
        let november = NOV_2026 - east;
        let address = Ipv4Addr::new(10, 20, 30, 40).into();
        let mut ids = IdGenerator::new(address, 1, east as i64, Random::new(1));

        let last = ids.next_id(november - 1);
        let first = ids.next_id(november);

        let longest = 31 * 86_400_000_u32 - 1;
        assert_eq!(last.as_str()[20..], alloc::format!("{longest:08X}0000"));
        assert_eq!(&first.as_str()[20..], "000000000001");
        assert_ne!(&last.as_str()[12..20], &first.as_str()[12..20]);
    }

    #[test]
    fn an_id_is_shown_as_its_digits_and_read_from_nothing_else() {
        let id = generator().next_id(NOV_2026);

        assert_eq!(alloc::format!("{id} {id:?}"), alloc::format!("{0} {0}", id.as_str()));
        assert_eq!(MessageId::parse(&id.as_str()[1..]), None);
        assert_eq!(MessageId::parse(&id.as_str().replace('A', "G")), None);
    }
}
