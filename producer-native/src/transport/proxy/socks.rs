//! SOCKS5, the client's half (RFC 1928 and 1929).

use std::net::IpAddr;

use producer_core::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{BAD_CREDENTIALS, Credentials, Problem, WANTS_CREDENTIALS};
use crate::transport::Stream;

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xFF;
const CONNECT: u8 = 1;
const IP_V4: u8 = 1;
const NAME: u8 = 3;
const IP_V6: u8 = 4;

/// Asks for a connection to `address`; when this returns, the stream leads there.
pub(super) async fn ask(
    stream: &mut Box<dyn Stream>,
    address: &Address,
    credentials: Option<&Credentials>,
) -> Result<(), Problem> {
    let methods: &[u8] = match credentials {
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USER_AND_PASSWORD],
        None => &[VERSION, 1, NO_AUTHENTICATION],
    };
    stream.write_all(methods).await?;
    stream.flush().await?;
    let [version, method] = read(stream).await?;
    match (version, method, credentials) {
        (VERSION, NO_AUTHENTICATION, _) => {}
        (VERSION, USER_AND_PASSWORD, Some(credentials)) => {
            authenticate(stream, credentials).await?;
        }
        (VERSION, NONE_ACCEPTABLE, None) => return refused(WANTS_CREDENTIALS),
        (VERSION, NONE_ACCEPTABLE, Some(_)) => return refused("it takes no user and password"),
        (VERSION, ..) => return Err(Problem::Strange("it chose a method that was not offered")),
        _ => return Err(Problem::Strange("it is not SOCKS5")),
    }
    let request = request(address)?;
    stream.write_all(&request).await?;
    stream.flush().await?;
    answer(stream).await
}

async fn authenticate(
    stream: &mut Box<dyn Stream>,
    credentials: &Credentials,
) -> Result<(), Problem> {
    let mut bytes = vec![1];
    for text in [credentials.user.as_str(), credentials.password.reveal()] {
        bytes.push(length(text)?);
        bytes.extend_from_slice(text.as_bytes());
    }
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    match read(stream).await? {
        [1, 0] => Ok(()),
        [1, _] => refused(BAD_CREDENTIALS),
        _ => Err(Problem::Strange("what follows user and password is no answer to them")),
    }
}

fn request(address: &Address) -> Result<Vec<u8>, Problem> {
    let mut bytes = vec![VERSION, CONNECT, 0];
    let host = address.host();
    match host.split('%').next().unwrap_or_default().parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            bytes.push(IP_V4);
            bytes.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            bytes.push(IP_V6);
            bytes.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            bytes.extend_from_slice(&[NAME, length(host)?]);
            bytes.extend_from_slice(host.as_bytes());
        }
    }
    bytes.extend_from_slice(&address.port().to_be_bytes());
    Ok(bytes)
}

async fn answer(stream: &mut Box<dyn Stream>) -> Result<(), Problem> {
    let [version, code, _, kind] = read(stream).await?;
    if version != VERSION {
        return Err(Problem::Strange("its answer is not SOCKS5"));
    }
    if code != 0 {
        // What follows is of no interest.
        return refused(match code {
            2 => "its rules do not allow this address",
            3 => "it cannot reach the network of this address",
            4 => "it cannot reach the host of this address",
            5 => "the connection was refused at this address",
            6 => "this address is too far away (TTL)",
            7 => "it does not connect to anybody (command not supported)",
            8 => "it does not know this kind of address",
            _ => "it failed, and does not say why",
        });
    }
    // The address that it connects from.
    match kind {
        IP_V4 => read::<6>(stream).await.map(drop),
        IP_V6 => read::<18>(stream).await.map(drop),
        NAME => {
            let [length] = read(stream).await?;
            let mut name = vec![0; usize::from(length) + 2];
            stream.read_exact(&mut name).await?;
            Ok(())
        }
        _ => Err(Problem::Strange("the kind of its address is unknown")),
    }
}

async fn read<const N: usize>(stream: &mut Box<dyn Stream>) -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn length(text: &str) -> Result<u8, Problem> {
    u8::try_from(text.len()).map_err(|_| Problem::Refused("the name is too long for it".to_owned()))
}

fn refused<R>(why: &str) -> Result<R, Problem> {
    Err(Problem::Refused(why.to_owned()))
}
