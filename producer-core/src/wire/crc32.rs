//! CRC-32 (IEEE 802.3), the checksum of stored bodies.

/// CRC-32 of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    let (words, rest) = bytes.as_chunks();
    for word in words {
        let eight = u64::from_le_bytes(*word) ^ u64::from(crc);
        let tables = TABLES.iter().rev().zip(eight.to_le_bytes());
        crc = tables.fold(0, |crc, (table, byte)| crc ^ table[usize::from(byte)]);
    }
    for &byte in rest {
        crc = TABLES[0][usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    }
    !crc
}

/// CRC-32 without its top bit, as brokers store it (`UtilAll.crc32`).
pub fn crc32_stored(bytes: &[u8]) -> i32 {
    (crc32(bytes) & 0x7fff_ffff) as i32
}

/// What a byte makes of the sum when so many bytes follow it in a word of eight.
static TABLES: [[u32; 256]; 8] = {
    let mut tables = [[0; 256]; 8];
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        tables[0][n] = crc;
        n += 1;
    }
    let mut behind = 1;
    while behind < 8 {
        let mut n = 0;
        while n < 256 {
            let before = tables[behind - 1][n];
            tables[behind][n] = tables[0][(before & 255) as usize] ^ (before >> 8);
            n += 1;
        }
        behind += 1;
    }
    tables
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bytes_at_a_time_are_as_one_by_one() {
        let bytes: [u8; 100] = core::array::from_fn(|n| (n * 37) as u8);
        for len in 0..100 {
            let mut crc = u32::MAX;
            for byte in &bytes[..len] {
                crc ^= u32::from(*byte);
                for _ in 0..8 {
                    crc = if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 };
                }
            }

            assert_eq!(crc32(&bytes[..len]), !crc, "{len} bytes");
        }
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
