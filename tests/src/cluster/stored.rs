//! A message as a broker stored it, decoded from the bytes that pulls and views answer with.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Error, Result};

/// One stored message, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The broker it was read from.
    pub broker: String,
    /// The topic it was stored under.
    pub topic: String,
    /// The queue of that broker.
    pub queue_id: i32,
    /// Its place in the queue.
    pub queue_offset: i64,
    /// Its place in the commit log.
    pub physical_offset: i64,
    /// The application's flag.
    pub flag: i32,
    /// Compression, transaction and host bits.
    pub sys_flag: i32,
    /// When the client says it made the request, in milliseconds since 1970.
    pub born_time_ms: i64,
    /// Where the broker saw it come from.
    pub born_host: SocketAddr,
    /// When the broker stored it, in milliseconds since 1970.
    pub store_time_ms: i64,
    /// What the broker calls itself.
    pub store_host: SocketAddr,
    /// How often consumers gave it back.
    pub reconsume_times: i32,
    /// Half messages: where the prepared one is.
    pub prepared_transaction_offset: i64,
    /// As sent: a compressed body is still compressed.
    pub body: Vec<u8>,
    /// All properties, those the broker added too.
    pub properties: BTreeMap<String, String>,
    /// The bytes all this was decoded from.
    pub raw: Vec<u8>,
}

impl Stored {
    /// The KEYS property, one string as sent.
    pub fn keys(&self) -> Option<&str> {
        self.property("KEYS")
    }

    /// The TAGS property.
    pub fn tags(&self) -> Option<&str> {
        self.property("TAGS")
    }

    /// The id the client gave it.
    pub fn uniq_key(&self) -> Option<&str> {
        self.property("UNIQ_KEY")
    }

    /// One property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// The id the broker gave it, the `msgId` of its answer: store host and physical offset in hex.
    pub fn offset_id(&self) -> String {
        let ip = match self.store_host.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        let ip: String = ip.iter().map(|byte| format!("{byte:02X}")).collect();
        format!("{ip}{:08X}{:016X}", self.store_host.port(), self.physical_offset)
    }

    /// The stored bytes in hex, as the Java peer takes them.
    pub fn raw_hex(&self) -> String {
        self.raw.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Decodes the first message of `bytes` and takes it off.
    pub(super) fn take(bytes: &mut &[u8], broker: &str) -> Result<Self> {
        let size = Reader { rest: bytes }.i32()?;
        let size = usize::try_from(size).map_err(Error::doing("stored message size"))?;
        let raw = bytes.split_off(..size).ok_or_else(|| Error::new("stored message: cut off"))?;
        Self::decode(raw, broker)
    }

    fn decode(raw: &[u8], broker: &str) -> Result<Self> {
        let mut from = Reader { rest: raw };
        let _size = from.i32()?;
        let magic = from.i32()?.cast_unsigned();
        let _body_crc = from.i32()?;
        let (queue_id, flag) = (from.i32()?, from.i32()?);
        let (queue_offset, physical_offset) = (from.i64()?, from.i64()?);
        let sys_flag = from.i32()?;
        let (born_time_ms, born_host) = (from.i64()?, from.host(sys_flag & 0x10 != 0)?);
        let (store_time_ms, store_host) = (from.i64()?, from.host(sys_flag & 0x20 != 0)?);
        let (reconsume_times, prepared_transaction_offset) = (from.i32()?, from.i64()?);
        let body_bytes = from.i32()?;
        let body = from.take(body_bytes)?.to_vec();
        let topic_bytes = match magic {
            MAGIC => i32::from(from.array::<1>()?[0]),
            MAGIC_LONG_TOPIC => from.i16()?.into(),
            other => return Err(Error::new(format!("stored message: magic {other:08x}"))),
        };
        let topic = String::from_utf8_lossy(from.take(topic_bytes)?).into_owned();
        let properties_bytes = from.i16()?;
        let properties = properties(from.take(properties_bytes.into())?);
        Ok(Self {
            broker: broker.to_owned(),
            topic,
            queue_id,
            queue_offset,
            physical_offset,
            flag,
            sys_flag,
            born_time_ms,
            born_host,
            store_time_ms,
            store_host,
            reconsume_times,
            prepared_transaction_offset,
            body,
            properties,
            raw: raw.to_vec(),
        })
    }
}

/// `name 0x01 value 0x02`, repeated; the last separator may be missing.
fn properties(bytes: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.split('\u{2}').filter_map(|pair| pair.split_once('\u{1}'));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Takes big-endian numbers off the front.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: i32) -> Result<&'a [u8]> {
        let taken = usize::try_from(bytes).ok().and_then(|bytes| self.rest.split_off(..bytes));
        taken.ok_or_else(|| Error::new(format!("stored message: {bytes} bytes are not there")))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (first, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| Error::new(format!("stored message: {N} bytes are not there")))?;
        self.rest = rest;
        Ok(*first)
    }

    fn i16(&mut self) -> Result<i16> {
        self.array().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Result<i64> {
        self.array().map(i64::from_be_bytes)
    }

    fn host(&mut self, is_v6: bool) -> Result<SocketAddr> {
        let ip = match is_v6 {
            true => Ipv6Addr::from(self.array::<16>()?).into(),
            false => IpAddr::from(Ipv4Addr::from(self.array::<4>()?)),
        };
        let port = u16::try_from(self.i32()?).map_err(Error::doing("stored message port"))?;
        Ok((ip, port).into())
    }
}

const MAGIC: u32 = 0xDAA3_20A7;
const MAGIC_LONG_TOPIC: u32 = 0xDAA3_20AB;
