use futures_util::FutureExt;

use super::*;

fn ip(n: u32) -> IpAddr {
    IpAddr::V4((0x0a00_0000 + n).into())
}

fn small() -> LimitSettings {
    LimitSettings {
        connections_max: 5,
        connections_per_ip_max: 3,
        connections_per_subject_max: 2,
        knocks_max: 4,
        knocks_per_ip_max: 2,
        requests_per_second: 10,
        requests_burst: 3,
        dials_per_target_max: 2,
        ips_max: 2_000,
    }
}

fn enter(limits: &mut Limits, n: u32, subject: &str) -> Result<Admission, Over> {
    let now = Instant::now();
    let knock = limits.knock(now, Some(ip(n)))?;
    limits.admit(now, knock, ip(n), subject)
}

#[test]
fn knocks_are_bounded_in_all_and_by_address() {
    let now = Instant::now();
    let mut limits = Limits::new(small());
    let first = limits.knock(now, Some(ip(1))).expect("room");
    let _second = limits.knock(now, Some(ip(1))).expect("room");

    assert_eq!(limits.knock(now, Some(ip(1))).err(), Some(Over::KnocksOfIp));
    limits.leave(first);
    let _third = limits.knock(now, Some(ip(1))).expect("room again");
    let _fourth = limits.knock(now, None).expect("a proxy has no share of its own");
    let fifth = limits.knock(now, None).expect("room");
    let sixth = limits.knock(now, Some(ip(2))).expect("the oldest is given up for it");
    assert_eq!(limits.knocks(), 4);
    limits.leave(sixth);
    assert_eq!(limits.admit(now, fifth, ip(9), "").map(|_| limits.knocks()), Ok(2));
    let mut none = Limits::new(LimitSettings { knocks_max: 0, ..small() });
    assert_eq!(none.knock(now, None).err(), Some(Over::Knocks));
}

fn is_given_up(knock: &Knock) -> bool {
    knock.given_up().notified().now_or_never().is_some()
}

/// T9: whoever fills the table makes room, and its count goes down with that.
#[test]
fn t09_when_there_is_no_room_whoever_has_most_makes_it() {
    for attacker in ["10.9.9", "2001:db8:bad"] {
        let now = Instant::now();
        let mut limits = Limits::new(LimitSettings { knocks_max: 20, ..small() });
        let from = |host: usize| match attacker.contains(':') {
            true => format!("{attacker}:{host:x}::1").parse().expect("an address"),
            false => format!("{attacker}.{host}").parse().expect("an address"),
        };
        let honest = limits.knock(now, Some(ip(1))).expect("room");
        let silent: Vec<Knock> =
            (0..19).map(|host| limits.knock(now, Some(from(host))).expect("room")).collect();
        let newcomers: Vec<Knock> = (100..109)
            .map(|n| limits.knock(now, Some(ip(n << 8))).expect("there is room for him"))
            .collect();

        assert!(!is_given_up(&honest), "he is older than all, but has one");
        assert!(newcomers.iter().all(|knock| !is_given_up(knock)));
        let gone = silent.iter().map(is_given_up).collect::<Vec<_>>();
        assert_eq!(gone, [[true; 9].as_slice(), &[false; 10]].concat(), "the oldest of them");
        for knock in silent.into_iter().chain(newcomers).chain([honest]) {
            limits.leave(knock);
        }
        assert_eq!(limits.knocks(), 0);
        assert!(limits.ips.values().all(|of_ip| of_ip.knocks == 0), "each is counted down once");
    }
}

#[test]
fn connections_are_bounded_in_all_by_address_and_by_subject() {
    let mut limits = Limits::new(small());
    let mut open = vec![enter(&mut limits, 1, "a").expect("room")];
    open.push(enter(&mut limits, 1, "a").expect("room"));

    assert_eq!(enter(&mut limits, 1, "a").err(), Some(Over::ConnectionsOfSubject));
    open.push(enter(&mut limits, 1, "b").expect("room"));
    assert_eq!(enter(&mut limits, 1, "c").err(), Some(Over::ConnectionsOfIp));
    open.push(enter(&mut limits, 2, "").expect("room"));
    open.push(enter(&mut limits, 2, "").expect("those without a subject share none"));
    assert_eq!(enter(&mut limits, 3, "").err(), Some(Over::Connections));
    assert_eq!((limits.connections(), limits.knocks()), (5, 0), "refused ones count no more");

    for one in open {
        limits.release(one);
    }
    assert_eq!(limits.connections(), 0);
    assert!(limits.subjects.is_empty());
    assert!(enter(&mut limits, 1, "a").is_ok());
}

/// T12: after a restart all come at once.
#[test]
fn t12_requests_of_an_address_come_at_a_rate() {
    let start = Instant::now();
    let mut limits = Limits::new(small());
    for _ in 0..3 {
        assert_eq!(limits.request(start, ip(1)), Ok(()));
    }
    let retry_after = Duration::from_millis(100);
    assert_eq!(limits.request(start, ip(1)), Err(Over::Rate { retry_after }));
    assert_eq!(limits.request(start, ip(2)), Ok(()), "others have their own");
    let half = start + Duration::from_millis(50);
    let retry_after = Duration::from_millis(50);
    assert_eq!(limits.request(half, ip(1)).map_err(|o| o.retry_after()), Err(retry_after));
    assert_eq!(limits.request(half + retry_after, ip(1)), Ok(()));

    let (mut now, mut taken) = (start + Duration::from_secs(10), 0);
    let end = now + Duration::from_secs(10);
    while now < end {
        taken += u32::from(limits.request(now, ip(1)).is_ok());
        now += Duration::from_millis(1);
    }
    assert!((100..=103).contains(&taken), "{taken} in ten seconds");
}

#[test]
fn an_ipv6_address_counts_as_its_network_and_a_mapped_one_as_what_it_is() {
    let at = |text: &str| Ip::of(text.parse().expect("an address"));
    assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
    assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
    assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
}

/// T9: however many addresses come.
#[test]
fn t09_what_is_known_about_addresses_is_bounded() {
    let start = Instant::now();
    let mut limits = Limits::new(small());
    for n in 0..2_000 {
        assert_eq!(limits.request(start, ip(n)), Ok(()));
    }
    assert_eq!(limits.request(start, ip(2_000)), Err(Over::Ips), "none has recovered");
    assert_eq!(limits.request(start, ip(7)), Ok(()), "those that are known go on");

    let later = start + Duration::from_secs(1);
    for n in 0..1_000_000 {
        let now = later + Duration::from_millis(u64::from(n));
        assert_eq!(limits.request(now, ip(10_000 + n)), Ok(()));
        assert!(limits.ips.len() <= 2_000);
    }
    assert!(limits.ips.capacity() < 8_000);
}

#[test]
fn an_address_with_a_connection_is_not_forgotten() {
    let start = Instant::now();
    let mut limits = Limits::new(LimitSettings { connections_per_ip_max: 1, ..small() });
    let one = enter(&mut limits, 0, "").expect("room");
    for n in 1..100_000 {
        let now = start + Duration::from_millis(u64::from(n));
        assert_eq!(limits.request(now, ip(n)), Ok(()));
    }
    assert_eq!(enter(&mut limits, 0, "").err(), Some(Over::ConnectionsOfIp));
    limits.release(one);
    assert!(enter(&mut limits, 0, "").is_ok());
}

#[test]
fn dials_are_bounded_by_target() {
    let mut limits = Limits::new(small());
    let (one, other) = (SocketAddr::new(ip(1), 1), SocketAddr::new(ip(1), 2));
    let first = limits.dial(one).expect("room");
    let second = limits.dial(one).expect("room");
    assert_eq!(limits.dial(one).err(), Some(Over::Dials));
    let third = limits.dial(other).expect("room");
    for dial in [first, second, third] {
        limits.dialled(dial);
    }
    assert!(limits.dials.is_empty());
}

#[test]
fn a_connection_is_slowed_and_not_refused() {
    let mut now = Instant::now();
    let start = now;
    let mut pace = Pace::new(now, 1_000_000, 1_000);
    assert_eq!(pace.read(now, 50_000, 1), Duration::ZERO, "a little ahead");
    let mut bytes = 50_000;
    while now < start + Duration::from_secs(10) {
        now += pace.read(now, 30_000, 1) + Duration::from_micros(1);
        bytes += 30_000;
    }
    let second = bytes / 10;
    assert!((990_000..1_050_000).contains(&second), "{second} bytes a second");

    let mut frames = Pace::new(now, u64::MAX, 1_000);
    assert_eq!(frames.read(now, 1, 600), Duration::from_millis(500));
    let rested = now + Duration::from_secs(60);
    assert_eq!(frames.read(rested, 0, 100), Duration::ZERO, "a rest is worth no more than that");
    assert_eq!(frames.read(rested, 0, 100), Duration::from_millis(100));
    assert!(pace.read(now, u64::MAX, u64::MAX) > Duration::from_secs(1_000_000));
}
