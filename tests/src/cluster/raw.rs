//! A blocking client of the remoting protocol, one request at a time, for what the harness asks
//! of servers. It shares no code with the producer, so a mistake in one shows in the other.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::{Error, Result};

/// One connection to a name server or a broker.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    opaque: i32,
    limit: Duration,
}

/// What a server answered, whatever its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The response code, 0 for success.
    pub code: i32,
    /// The text beside the code; says nothing about success.
    pub remark: Option<String>,
    /// The ext fields.
    pub ext: BTreeMap<String, String>,
    /// The body, empty if there is none.
    pub body: Vec<u8>,
}

impl Client {
    /// Connects; each request then has to be answered within three seconds.
    pub fn connect(peer: SocketAddr) -> Result<Self> {
        Self::connect_within(peer, Duration::from_secs(3))
    }

    /// Connects; `limit` holds for connecting and for each request.
    pub fn connect_within(peer: SocketAddr, limit: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&peer, limit)
            .and_then(|stream| stream.set_nodelay(true).map(|()| stream))
            .map_err(Error::doing(format!("connecting to {peer}")))?;
        Ok(Self { stream, peer, opaque: 0, limit })
    }

    /// Asks and waits for the answer.
    pub fn call(&mut self, code: i32, ext: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
        let doing = format!("request {code} to {}", self.peer);
        let end = Instant::now() + self.limit;
        self.write(code, 0, ext, body).map_err(Error::doing(&doing))?;
        loop {
            let left = end.saturating_duration_since(Instant::now()).max(SHORTEST_READ);
            self.stream.set_read_timeout(Some(left)).map_err(Error::doing(&doing))?;
            let (header, body) = self.read().map_err(Error::doing(&doing))?;
            let is_answer = header["flag"].as_i64().is_some_and(|flag| flag & 1 == 1);
            if is_answer && header["opaque"] == self.opaque {
                return Ok(Answer::new(&header, body));
            }
            if Instant::now() >= end {
                return Err(Error::new(format!("{doing}: not answered in {:?}", self.limit)));
            }
        }
    }

    /// Sends a request that nobody answers.
    pub fn send_one_way(&mut self, code: i32, ext: &[(&str, &str)], body: &[u8]) -> Result<()> {
        let doing = format!("one-way request {code} to {}", self.peer);
        self.write(code, 2, ext, body).map_err(Error::doing(doing))
    }

    fn write(&mut self, code: i32, flag: i32, ext: &[(&str, &str)], body: &[u8]) -> Result<()> {
        self.opaque += 1;
        let ext: Map<String, Value> =
            ext.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
        let header = json!({
            "code": code, "flag": flag, "language": "JAVA", "opaque": self.opaque,
            "version": VERSION, "serializeTypeCurrentRPC": "JSON", "extFields": ext,
        });
        let header = header.to_string().into_bytes();
        let total = u32::try_from(4 + header.len() + body.len()).map_err(Error::doing("size"))?;
        let mark = u32::try_from(header.len()).map_err(Error::doing("header size"))?;
        let frame = [&total.to_be_bytes()[..], &mark.to_be_bytes(), &header, body].concat();
        self.stream.set_write_timeout(Some(self.limit)).map_err(Error::doing("set timeout"))?;
        self.stream.write_all(&frame).map_err(Error::doing("write"))
    }

    fn read(&mut self) -> Result<(Value, Vec<u8>)> {
        let mut sizes = [0; 8];
        self.stream.read_exact(&mut sizes).map_err(Error::doing("read"))?;
        let [a, b, c, d, serialize_type, f, g, h] = sizes;
        let total = u32::from_be_bytes([a, b, c, d]) as usize;
        let header = u32::from_be_bytes([0, f, g, h]) as usize;
        if serialize_type != 0 || total > FRAME_BYTES_MAX || total < header + 4 {
            return Err(Error::new(format!("the frame begins with {sizes:02x?}")));
        }
        let mut rest = vec![0; total - 4];
        self.stream.read_exact(&mut rest).map_err(Error::doing("read"))?;
        let body = rest.split_off(header);
        Ok((serde_json::from_slice(&rest).map_err(Error::doing("header"))?, body))
    }
}

impl Answer {
    /// Itself if the code is 0, else an error that shows code and remark.
    pub fn ok(self) -> Result<Self> {
        match self.code {
            0 => Ok(self),
            code => {
                let remark = self.remark.as_deref().unwrap_or("no remark");
                Err(Error::new(format!("answered with code {code}: {remark}")))
            }
        }
    }

    /// A number in the ext fields.
    pub fn number(&self, key: &str) -> Result<i64> {
        let value = self.ext.get(key).and_then(|value| value.parse().ok());
        value.ok_or_else(|| Error::new(format!("the answer has no number {key}: {:?}", self.ext)))
    }

    /// The body as JSON. Older servers write integer keys without quotes, which is mended here.
    pub fn json(&self) -> Result<Value> {
        let text = String::from_utf8_lossy(&self.body);
        let value = serde_json::from_str(&quote_integer_keys(&text));
        value.map_err(Error::doing(format!("the body {text:?} is not JSON")))
    }

    fn new(header: &Value, body: Vec<u8>) -> Self {
        let as_text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let ext = header["extFields"].as_object().into_iter().flatten();
        Self {
            code: header["code"].as_i64().and_then(|code| code.try_into().ok()).unwrap_or(-1),
            remark: header["remark"].as_str().map(str::to_owned),
            ext: ext.map(|(key, value)| (key.clone(), as_text(value))).collect(),
            body,
        }
    }
}

/// `{0:"a"}` becomes `{"0":"a"}`; what is inside strings stays.
fn quote_integer_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut in_string, mut escaped, mut before_key) = (false, false, false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if before_key && c.is_ascii_digit() {
            let mut number = String::from(c);
            while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                number.push(digit);
            }
            // In an array a number follows a comma too: only a colon makes it a key.
            let quote = if rest.peek() == Some(&':') { "\"" } else { "" };
            out.extend([quote, number.as_str(), quote]);
            before_key = false;
            continue;
        }
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else {
            in_string = c == '"';
            before_key = c == '{' || c == ',';
        }
        out.push(c);
    }
    out
}

/// 4.9.8: new enough for strict JSON in routes, too old to be told to go away.
const VERSION: i32 = 409;
const FRAME_BYTES_MAX: usize = 64 << 20;
const SHORTEST_READ: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_keys_get_quotes_and_nothing_else_changes() {
        let strict = r#"{"a{1:":{"0":"x\",2:","12":[1,2,{"3":-4}]},"n":5}"#;

        let loose = r#"{"a{1:":{0:"x\",2:",12:[1,2,{3:-4}]},"n":5}"#;

        assert_eq!(quote_integer_keys(loose), strict);
        assert_eq!(quote_integer_keys(strict), strict);
    }
}
