//! From which address does a request come, if proxies may stand in front?

use std::net::{IpAddr, SocketAddr};

use hyper::header::HeaderMap;

use super::policy::Network;

/// The address of whoever the nearest proxy that is not trusted, or the page itself, has. Only what
/// trusted proxies added to `X-Forwarded-For` is believed, from the back: what stands further to
/// the front was written by anybody.
pub(super) fn client(from: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut client = from.to_canonical();
    let values = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut entries = values.flat_map(|value| {
        let text = value.to_str().unwrap_or_default();
        text.rsplit(',').map(str::trim)
    });
    while is_trusted(client, trusted) {
        match entries.next().and_then(address) {
            Some(ip) => client = ip,
            None => break,
        }
    }
    client
}

/// Whether whoever connects from there speaks for others.
pub(super) fn is_trusted(ip: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.has(ip.to_canonical()))
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = text.parse::<SocketAddr>().map(|address| address.ip());
    let literal = text.trim_start_matches('[').trim_end_matches(']').parse();
    with_port.or(literal).ok().map(|ip: IpAddr| ip.to_canonical())
}

const FORWARDED_FOR: &str = "x-forwarded-for";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_added_is_believed() {
        let trusted: Vec<Network> =
            ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("one")).to_vec();
        let stranger = "192.0.2.1";
        let cases = [
            ("192.0.2.9", vec!["1.1.1.1"], "192.0.2.9", "a stranger says what he likes"),
            ("10.0.0.1", vec![], "10.0.0.1", "nothing was added"),
            ("10.0.0.1", vec![stranger], stranger, "one proxy"),
            ("10.0.0.1", vec!["1.1.1.1, 192.0.2.1"], stranger, "the page lied to the proxy"),
            ("10.0.0.1", vec!["1.1.1.1", "192.0.2.1, 10.0.0.2"], stranger, "two proxies"),
            ("::ffff:10.0.0.1", vec!["192.0.2.1:5000"], stranger, "mapped, and a port"),
            ("fd00::1", vec!["[2001:db8::1]:5000"], "2001:db8::1", "IPv6"),
            ("10.0.0.1", vec!["192.0.2.1, what?"], "10.0.0.1", "not further than it can be read"),
            ("10.0.0.1", vec!["10.0.0.3, 10.0.0.2"], "10.0.0.3", "all are trusted"),
        ];
        for (from, lines, expected, why) in cases {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().expect("a value"));
            }
            let found = client(from.parse().expect("one"), &headers, &trusted);
            assert_eq!(found.to_string(), expected, "{why}");
        }
    }
}
