//! An HTTP server that says where the name servers are.

use std::fmt;
use std::time::Duration;

use producer_core::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::{Discovery, Finding};
use crate::transport::http::{Answer, MAX_BYTES};
use crate::transport::{Stream, Transport};

/// Java's HTTP address server (`DefaultTopAddressing.java`): a GET of
/// `http://<domain>:8080/rocketmq/<subgroup>[-<unit>?nofix=1]`, whose answer is a list of addresses
/// separated by `;` in its first line. Only status 200 counts. Asked every 2 min, as Java does, with
/// 3 s to connect and 3 s to answer; at most 64 KiB are read.
///
/// ```no_run
/// use producer_native::{AddressServer, Producer};
///
/// # fn f() -> Result<(), Box<dyn std::error::Error>> {
/// let addresses = AddressServer::new("addresses.example.com")?.subgroup("nsaddr")?;
/// let producer = Producer::builder("orders").discover(addresses).build()?;
/// # Ok(())
/// # }
/// ```
///
/// Java's system properties `rocketmq.namesrv.domain` and `rocketmq.namesrv.domain.subgroup` are the
/// domain and the subgroup here; there is no default domain. A domain that contains a colon has
/// its port already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressServer {
    address: Address,
    /// As it was given, for the `Host` field.
    domain: String,
    subgroup: String,
    unit: Option<String>,
    every: Duration,
}

/// Why an [`AddressServer`] cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidAddressServer {
    given: String,
    problem: &'static str,
}

impl fmt::Display for InvalidAddressServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.given, self.problem)
    }
}

impl std::error::Error for InvalidAddressServer {}

/// For the connection, and again for the answer (`HttpTinyClient.java`, called with 3,000 ms).
const TIMEOUT: Duration = Duration::from_secs(3);
const PORT: u16 = 8080;

impl AddressServer {
    /// The server of this domain, or `domain:port`.
    ///
    /// # Errors
    /// [`InvalidAddressServer`] when it is no host.
    pub fn new(domain: &str) -> Result<Self, InvalidAddressServer> {
        let domain = domain.trim();
        let place = match domain.contains(':') {
            true => domain.to_owned(),
            false => format!("{domain}:{PORT}"),
        };
        let address = Address::new(&place).map_err(|_| InvalidAddressServer {
            given: domain.to_owned(),
            problem: "is no domain of an address server: wanted host or host:port",
        })?;
        Ok(Self {
            address,
            domain: place,
            subgroup: "nsaddr".to_owned(),
            unit: None,
            every: Duration::from_secs(120),
        })
    }

    /// The subgroup. Default `nsaddr`.
    ///
    /// # Errors
    /// [`InvalidAddressServer`] when it cannot stand in a path.
    pub fn subgroup(mut self, subgroup: &str) -> Result<Self, InvalidAddressServer> {
        self.subgroup = segment(subgroup)?;
        Ok(self)
    }

    /// The unit, asked for with `-<unit>?nofix=1`. Default none; a blank one is none, as in Java.
    ///
    /// # Errors
    /// [`InvalidAddressServer`] when it cannot stand in a path.
    pub fn unit(mut self, unit: &str) -> Result<Self, InvalidAddressServer> {
        self.unit = if unit.trim().is_empty() { None } else { Some(segment(unit)?) };
        Ok(self)
    }

    /// Pause between two questions. Default 2 min.
    pub fn every(mut self, pause: Duration) -> Self {
        self.every = pause;
        self
    }

    fn path(&self) -> String {
        match &self.unit {
            Some(unit) => format!("/rocketmq/{}-{unit}?nofix=1", self.subgroup),
            None => format!("/rocketmq/{}", self.subgroup),
        }
    }

    async fn ask(&self, transport: &dyn Transport) -> Result<Vec<Address>, String> {
        let dial = transport.connect(&self.address, Instant::now() + TIMEOUT);
        let mut stream = match timeout(TIMEOUT, dial).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(end)) => return Err(end.to_string()),
            Err(_) => return Err("no connection in time".to_owned()),
        };
        match timeout(TIMEOUT, self.exchange(&mut stream)).await {
            Ok(Ok(body)) => read(&body),
            Ok(Err(problem)) => Err(problem),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    async fn exchange(&self, stream: &mut Box<dyn Stream>) -> Result<Vec<u8>, String> {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nClient-Version: V5_4_0\r\n\
             Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n\
             Accept: */*\r\nConnection: close\r\n\r\n",
            self.path(),
            self.domain,
        );
        let io = |error: std::io::Error| error.to_string();
        stream.write_all(request.as_bytes()).await.map_err(io)?;
        stream.flush().await.map_err(io)?;
        let mut bytes = Vec::with_capacity(1024);
        loop {
            let read = stream.read_buf(&mut bytes).await.map_err(io)?;
            let answer = match Answer::read(&bytes, read == 0)? {
                Some(answer) => answer,
                None if bytes.len() > MAX_BYTES => return Err("the answer is too long".to_owned()),
                None => continue,
            };
            return match answer.status {
                200 => Ok(answer.body),
                status => Err(format!("status {status}")),
            };
        }
    }
}

impl Discovery for AddressServer {
    fn find<'a>(&'a self, transport: &'a dyn Transport) -> Finding<'a> {
        Box::pin(self.ask(transport))
    }

    fn every(&self) -> Duration {
        self.every
    }

    fn describe(&self) -> String {
        format!("http://{}{}", self.domain, self.path())
    }
}

fn segment(text: &str) -> Result<String, InvalidAddressServer> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~%".contains(c);
    match text.trim() {
        text if !text.is_empty() && text.chars().all(plain) => Ok(text.to_owned()),
        text => Err(InvalidAddressServer {
            given: text.to_owned(),
            problem: "cannot stand in the path of an address server: letters, digits, -_.~% can",
        }),
    }
}

/// The addresses in the first line.
fn read(body: &[u8]) -> Result<Vec<Address>, String> {
    let text = String::from_utf8_lossy(body);
    // `TopAddressing.clearNewLine`: trimmed, then cut at the first end of a line.
    let line = text.trim().split(['\r', '\n']).next().unwrap_or_default();
    let shown = || line.chars().take(60).collect::<String>();
    Address::list(line).map_err(|problem| format!("the answer {:?}: {problem}", shown()))
}

#[cfg(test)]
mod tests;
