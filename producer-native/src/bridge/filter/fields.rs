//! What stands where in a header?

/// Code, language, version, opaque and flag.
pub(super) const LINE_BYTES: usize = 13;
/// What stands behind each property.
const PROPERTY_END: u8 = 2;

/// The fields of a header (spec §1.5, `RocketMQSerializable.java`). Java ignores bytes behind
/// them; here there may be none.
#[inline]
pub(super) fn fields_of(header: &[u8]) -> Option<&[u8]> {
    let (_, rest) = header.split_first_chunk::<LINE_BYTES>()?;
    let (_remark, rest) = long(rest)?;
    let (fields, rest) = long(rest)?;
    rest.is_empty().then_some(fields)
}

/// The first field's name and value, and what follows them.
#[inline]
pub(super) fn field_of(fields: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (len, rest) = fields.split_first_chunk::<2>()?;
    let len = usize::try_from(i16::from_be_bytes(*len)).ok().filter(|len| *len > 0)?;
    let (name, rest) = rest.split_at_checked(len)?;
    let (value, rest) = long(rest)?;
    Some((name, value, rest))
}

/// The first property, and what follows its end. Eight bytes at a time: all bytes of a send that is
/// looked at are properties but for a few.
#[inline]
pub(super) fn property_of(properties: &[u8]) -> (&[u8], &[u8]) {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let (words, _) = properties.as_chunks::<8>();
    let has_end = |word: &[u8; 8]| {
        // A byte that is the end is zero in `word`; only then does it borrow from its own top bit.
        let word = u64::from_ne_bytes(*word) ^ (ONES * u64::from(PROPERTY_END));
        word.wrapping_sub(ONES) & !word & (ONES << 7) != 0
    };
    let without = 8 * words.iter().take_while(|word| !has_end(word)).count();
    let end = properties[without..].iter().position(|byte| *byte == PROPERTY_END);
    match end.map(|end| properties.split_at(without + end)) {
        Some((property, rest)) => (property, &rest[1..]),
        None => (properties, &[]),
    }
}

/// Bytes behind their length, and what follows them.
#[inline]
fn long(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<4>()?;
    let len = usize::try_from(i32::from_be_bytes(*len)).ok()?;
    rest.split_at_checked(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_cut_at_their_ends_wherever_these_are() {
        // All that is close to an end is looked at, too.
        for length in 0..30_usize {
            for (first, second) in (0..length).flat_map(|a| (0..length).map(move |b| (a, b))) {
                for other in [0, 1, 3, 0x80, 0x82, 0xff] {
                    let mut text = vec![other; length];
                    (text[first], text[second]) = (PROPERTY_END, PROPERTY_END);
                    let mut rest = &*text;
                    let mut cut = Vec::new();
                    while !rest.is_empty() {
                        let property;
                        (property, rest) = property_of(rest);
                        cut.push(property);
                    }
                    let mut wanted: Vec<_> = text.split(|byte| *byte == PROPERTY_END).collect();
                    // Behind the last end there is nothing.
                    if text.ends_with(&[PROPERTY_END]) {
                        wanted.pop();
                    }
                    assert_eq!(cut, wanted);
                }
            }
        }
    }
}
