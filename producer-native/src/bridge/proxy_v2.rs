//! How is a broker told for whom a connection is (PROXY protocol, version 2)?

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The header that goes before the first frame: who connects, and with whom he meant to. RocketMQ
/// takes it from 5.1 on (`HAProxyMessageDecoder.detectProtocol`), and shows the address in its logs
/// and its lists of clients; earlier ones take it for a malformed frame.
pub(super) fn header(client: SocketAddr, listener: SocketAddr) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.push(VERSION_2_PROXY);
    match (client.ip().to_canonical(), listener.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            header.push(TCP_OVER_V4);
            header.extend_from_slice(&12_u16.to_be_bytes());
            header.extend_from_slice(&from.octets());
            header.extend_from_slice(&to.octets());
        }
        (from, to) => {
            header.push(TCP_OVER_V6);
            header.extend_from_slice(&36_u16.to_be_bytes());
            header.extend_from_slice(&v6(from).octets());
            header.extend_from_slice(&v6(to).octets());
        }
    }
    header.extend_from_slice(&client.port().to_be_bytes());
    header.extend_from_slice(&listener.port().to_be_bytes());
    header
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const VERSION_2_PROXY: u8 = 0x21;
const TCP_OVER_V4: u8 = 0x11;
const TCP_OVER_V6: u8 = 0x21;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn the_header_is_that_of_the_specification() {
        let v4 = header(address("192.0.2.1:50000"), address("10.0.0.1:443"));
        let expected =
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\x0a\0\0\x01\xc3\x50\x01\xbb";
        assert_eq!(v4, expected);

        let mixed = header(address("[2001:db8::1]:1"), address("10.0.0.1:443"));
        assert_eq!((mixed.len(), mixed[13]), (16 + 36, TCP_OVER_V6));
        let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1];
        assert_eq!(&mixed[32..48], &mapped);
    }
}
