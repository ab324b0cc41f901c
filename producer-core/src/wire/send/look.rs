//! The shortest way through an answer: does it look as an earlier one did, but for its numbers and
//! ids?
//!
//! A broker answers one send as it answered the last: the same fields in the same order, the same
//! region and version. So what was read once is compared, all bytes at once, and only what differs
//! from answer to answer is read: the request's number, queue, offset and the two ids.
//!
//! For JSON headers. A binary one is read as fast as it is compared (measured).

use alloc::vec::Vec;
use core::ops::Range;

use super::SendResponse;
use crate::wire::header::{self, leading_digits, specials};
use crate::wire::{SerializeType, Text};

/// Looks of answers, of one connection.
#[derive(Debug, Default)]
pub struct Looks {
    known: Vec<Look>,
    /// Answers that looked like none of them, since the last one that was learned.
    strangers: u32,
    next: usize,
}

/// The lengths of numbers make looks: a few are in use at a time.
const LOOKS_MAX: usize = 4;
/// Once there are so many, one of so many strangers takes the place of another, so that answers
/// that never look alike cost little more than without.
const LEARN_EVERY: u32 = 16;
/// Longest header that is learned, in bytes. An answer of a 5.4.0 broker has about 240.
const BYTES_MAX: usize = 384;

impl Looks {
    /// What [`SendResponse::fill`] does, if the header looks like one that was learned. `into` is a
    /// default one, and stays so if not.
    #[inline]
    pub fn fill<'a>(&self, into: &mut SendResponse<'a>, header: &'a [u8]) -> bool {
        self.known
            .iter()
            .any(|look| look.len == header.len() && look.matches(header) && look.fill(into, header))
    }

    /// Takes notice of an answer that looked like none that is known.
    pub fn learn(&mut self, answer: &SendResponse<'_>, header: &[u8]) {
        self.strangers += 1;
        let full = self.known.len() == LOOKS_MAX;
        if full && self.strangers < LEARN_EVERY || !is_usual(answer, header) {
            return;
        }
        let Some(look) = Look::of(answer, header) else { return };
        self.strangers = 0;
        if full {
            self.next = (self.next + 1) % LOOKS_MAX;
            self.known[self.next] = look;
        } else {
            self.known.reserve_exact(LOOKS_MAX - self.known.len());
            self.known.push(look);
        }
    }
}

/// Whether it is worth to be learned: most answers are like this.
fn is_usual(answer: &SendResponse<'_>, header: &[u8]) -> bool {
    answer.code == 0
        && answer.is_response()
        && answer.remark.is_none()
        && answer.recall_handle.is_none()
        && answer.batch_uniq_id.is_none()
        && answer.bad_field.is_none()
        && (BLOCK..=BYTES_MAX).contains(&header.len())
        // An escape could hide a quote.
        && !header.contains(&b'\\')
}

/// How an answer looked.
#[derive(Debug)]
struct Look {
    len: usize,
    /// The header; where something else may stand next time, zeros. In place, so that one takes the
    /// place of another without an allocation.
    bytes: [u8; BYTES_MAX],
    /// Zeros there, ones elsewhere.
    fixed: [u8; BYTES_MAX],
    opaque: Range<usize>,
    queue_id: Range<usize>,
    queue_offset: Range<usize>,
    msg_id: Option<Range<usize>>,
    transaction_id: Option<Range<usize>>,
    region: Option<Range<usize>>,
    version: i32,
    flag: i32,
    trace_on: Option<bool>,
}

/// Bytes of an id that IPv4 hosts make. Others are longer, and read the longer way.
const ID_BYTES: usize = 32;

impl Look {
    /// The look of a header that says `answer`; `None` if it is not sure what stands where.
    fn of(answer: &SendResponse<'_>, header: &[u8]) -> Option<Self> {
        // Where what is borrowed from the header begins and ends.
        let place = |text: Text<'_>| {
            let bytes = text.as_bytes()?;
            let start = (bytes.as_ptr() as usize).checked_sub(header.as_ptr() as usize)?;
            (start + bytes.len() <= header.len()).then_some(start..start + bytes.len())
        };
        let (mut queue_id, mut queue_offset) = (None, None);
        header::decode_with(SerializeType::Json, header, &mut |name, value| {
            if name.eq_str("queueId") {
                queue_id = place(value);
            } else if name.eq_str("queueOffset") {
                queue_offset = place(value);
            }
        })
        .ok()?;
        let id = |text: Option<Text<'_>>| match text {
            None => Some(None),
            Some(id) => place(id).filter(|place| place.len() == ID_BYTES).map(Some),
        };
        let mut bytes = [0; BYTES_MAX];
        bytes.get_mut(..header.len())?.copy_from_slice(header);
        let mut look = Self {
            len: header.len(),
            bytes,
            fixed: [u8::MAX; BYTES_MAX],
            opaque: opaque_place(header)?,
            queue_id: queue_id?,
            queue_offset: queue_offset?,
            msg_id: id(answer.msg_id)?,
            transaction_id: id(answer.transaction_id)?,
            region: match answer.region {
                None => None,
                Some(region) => Some(place(region)?),
            },
            version: answer.version,
            flag: answer.flag,
            trace_on: answer.trace_on,
        };
        let ids = [look.msg_id.clone(), look.transaction_id.clone()];
        let numbers = [look.opaque.clone(), look.queue_id.clone(), look.queue_offset.clone()];
        for hole in numbers.into_iter().chain(ids.into_iter().flatten()) {
            look.fixed[hole.clone()].fill(0);
            look.bytes[hole].fill(0);
        }
        let mut again = SendResponse::default();
        (look.matches(header) && look.fill(&mut again, header) && again == *answer).then_some(look)
    }

    /// Whether the header, as long as this one, is the same outside of the holes.
    #[inline]
    fn matches(&self, header: &[u8]) -> bool {
        let len = header.len();
        let (Some(bytes), Some(fixed)) = (self.bytes.get(..len), self.fixed.get(..len)) else {
            return false;
        };
        let blocks = |bytes| <[u8]>::as_chunks::<BLOCK>(bytes).0;
        let all = blocks(header).iter().zip(blocks(bytes)).zip(blocks(fixed));
        // No early exit, and lanes of their own: that makes wide instructions of it.
        let mut differs = [0; BLOCK];
        for ((is, was), fixed) in all {
            note_differences(&mut differs, is, was, fixed);
        }
        // The last block overlaps the one before.
        if let (Some(is), Some(was), Some(fixed)) =
            (header.last_chunk(), bytes.last_chunk(), fixed.last_chunk())
        {
            note_differences(&mut differs, is, was, fixed);
        }
        differs == [0; BLOCK]
    }

    /// Reads the holes; false if one holds what the longer way must look at.
    #[inline]
    fn fill<'a>(&self, into: &mut SendResponse<'a>, header: &'a [u8]) -> bool {
        let Some(Ok(opaque)) = digits(header, &self.opaque).map(i32::try_from) else {
            return false;
        };
        let Some(Ok(queue_id)) = digits(header, &self.queue_id).map(i32::try_from) else {
            return false;
        };
        let Some(queue_offset) = digits(header, &self.queue_offset) else { return false };
        let ids = (self.msg_id.as_ref(), self.transaction_id.as_ref());
        let Some(msg_id) = id(header, ids.0) else { return false };
        let Some(transaction_id) = id(header, ids.1) else { return false };
        into.version = self.version;
        into.opaque = opaque;
        into.flag = self.flag;
        into.msg_id = msg_id;
        into.queue_id = Some(queue_id);
        into.queue_offset = Some(queue_offset);
        into.transaction_id = transaction_id;
        let region = self.region.as_ref().and_then(|place| header.get(place.clone()));
        into.region = region.map(Text::from_bytes);
        into.trace_on = self.trace_on;
        true
    }
}

/// Bytes compared together.
const BLOCK: usize = 32;

/// Notes where a block differs and is fixed.
#[inline(always)]
fn note_differences(
    differs: &mut [u8; BLOCK],
    is: &[u8; BLOCK],
    was: &[u8; BLOCK],
    fixed: &[u8; BLOCK],
) {
    for at in 0..BLOCK {
        differs[at] |= is[at] & fixed[at] ^ was[at];
    }
}

/// Where the request's number stands.
fn opaque_place(header: &[u8]) -> Option<Range<usize>> {
    const NAME: &[u8] = b"\"opaque\":";
    let mut found = header.windows(NAME.len()).enumerate().filter(|(_, text)| *text == NAME);
    let (at, _) = found.next()?;
    let start = at + NAME.len();
    let (len, _) = leading_digits(header.get(start..)?);
    found.next().is_none().then_some(start..start + len)
}

/// The number whose digits, and only they, stand there.
#[inline]
fn digits(header: &[u8], place: &Range<usize>) -> Option<i64> {
    let (len, number) = leading_digits(header.get(place.start..)?);
    (len == place.len() && len > 0 && len <= 18).then_some(number)
}

/// The id that stands there, if it surely ends there; `None` if it has to be looked at.
#[inline]
fn id<'a>(header: &'a [u8], place: Option<&Range<usize>>) -> Option<Option<Text<'a>>> {
    let Some(place) = place else { return Some(None) };
    let id = header.get(place.start..)?.first_chunk::<ID_BYTES>()?;
    let words = id.as_chunks::<8>().0;
    let special = words.iter().fold(0, |found, word| found | specials(word));
    (special == 0).then_some(Some(Text::from_bytes(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"code":0,"extFields":{"queueId":"3","transactionId":"7F0000010001AABBCCDD00000000ABCD","msgId":"C0A8010A00002A9F00000000075BCD15","TRACE_ON":"true","MSG_REGION":"DefaultRegion","queueOffset":"123456"},"flag":1,"language":"JAVA","opaque":4711,"serializeTypeCurrentRPC":"JSON","version":493}"#;

    fn learned(header: &str) -> Looks {
        let mut looks = Looks::default();
        let json = SerializeType::Json;
        let answer = SendResponse::decode(json, header.as_bytes()).expect("valid");
        looks.learn(&answer, header.as_bytes());
        looks
    }

    /// What the looks say, which must be what the longer way says.
    fn read<'a>(looks: &Looks, header: &'a str) -> Option<SendResponse<'a>> {
        let json = SerializeType::Json;
        let mut quick = SendResponse::default();
        if !looks.fill(&mut quick, header.as_bytes()) {
            assert_eq!(quick, SendResponse::default());
            return None;
        }
        assert_eq!(Ok(quick), SendResponse::decode(json, header.as_bytes()), "{header}");
        Some(quick)
    }

    #[test]
    fn numbers_and_ids_may_be_others() {
        let looks = learned(JSON);

        let other = JSON.replace("4711", "9999").replace("123456", "999999");
        let other = other.replace("\"3\"", "\"7\"").replace("075BCD15", "0000ABCD");
        let answer = read(&looks, &other).expect("it looks the same");

        assert_eq!(
            (answer.opaque, answer.queue_id, answer.queue_offset),
            (9999, Some(7), Some(999_999))
        );
    }

    #[test]
    fn whatever_else_differs_is_read_the_longer_way() {
        let looks = learned(JSON);

        for (this, that) in [
            ("\"code\":0", "\"code\":1"),
            ("DefaultRegion", "defaultRegion"),
            ("\"true\"", "\"nope\""),
            ("493", "494"),
            ("\"flag\":1", "\"flag\":3"),
            ("msgId", "msgid"),
            ("JSON", "json"),
            ("\"3\"", "\"x\""),
            ("123456", "12345x"),
            ("123456", "-23456"),
            ("4711", "47x1"),
            ("4711", "-711"),
            ("075BCD15", "075BCD1\""),
            ("075BCD15", "075BCD1\\"),
            ("0000ABCD", "0000AB\\D"),
            ("493}", "493]"),
        ] {
            assert_eq!(read(&looks, &JSON.replace(this, that)), None, "{that}");
        }
    }

    /// Each byte of a header made another: it is read as the longer way does, or left to it.
    #[test]
    fn no_other_byte_is_overlooked() {
        let looks = learned(JSON);
        for at in 0..JSON.len() {
            for byte in b"0aF\"\\}{,:-\x01" {
                let mut other = JSON.as_bytes().to_vec();
                other[at] = *byte;
                read(&looks, core::str::from_utf8(&other).expect("ASCII"));
            }
        }
    }

    #[test]
    fn what_is_not_usual_is_not_learned() {
        for (this, that) in [
            ("\"code\":0", "\"code\":1"),
            ("\"flag\":1", "\"flag\":0"),
            ("DefaultRegion", "Default\\u0041"),
            ("\"msgId\"", "\"recallHandle\""),
            ("C0A8010A", "C0A8010AC0A8010A"),
            ("\"3\"", "\"-\""),
            ("\"queueId\":\"3\",", ""),
        ] {
            assert!(learned(&JSON.replace(this, that)).known.is_empty(), "{that}");
        }
    }

    #[test]
    fn as_many_are_known_as_may_be_and_new_ones_take_turns() {
        let json = SerializeType::Json;
        let mut looks = Looks::default();
        let header = |digits: usize| JSON.replace("123456", &"1".repeat(digits));
        for digits in 1..=18 {
            let header = header(digits);
            let answer = SendResponse::decode(json, header.as_bytes()).expect("valid");
            looks.learn(&answer, header.as_bytes());
        }

        assert_eq!(looks.known.len(), LOOKS_MAX);
        assert!(read(&looks, &header(4)).is_some());
        assert!(read(&looks, &header(5)).is_none(), "there was no room, and it came once");
        let long = header(5);
        let answer = SendResponse::decode(json, long.as_bytes()).expect("valid");
        for _ in 0..LEARN_EVERY {
            looks.learn(&answer, long.as_bytes());
        }
        assert!(read(&looks, &long).is_some(), "it comes often");
    }
}
