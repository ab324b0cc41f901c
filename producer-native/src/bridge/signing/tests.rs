use futures_util::FutureExt;
use producer_core::wire::acl::signature_of_request;

use super::*;

const BODY: &[u8] = b"hello";

fn signer(rules: SigningRules) -> Arc<Signer> {
    Arc::new(Signer::new(Credentials::new("ak", "sk").unwrap(), rules))
}

fn frame_of(fields: &[(&str, &str)], flag: i32, body: &[u8]) -> Vec<u8> {
    let head = Head { code: 310, opaque: 7, version: 401, flag, ..Head::default() };
    let mut bytes = Vec::new();
    let fields = fields.iter().copied();
    encode_frame(&mut bytes, SerializeType::RocketMq, &head, fields, body).unwrap();
    bytes
}

/// A subject and a target of this number.
fn holders(number: usize) -> [Holder; 2] {
    [Holder::Subject(format!("tab-{number}")), Holder::Target(format!("broker-{number}"))]
}

/// The request of the specification's appendix A7, as a page writes it.
fn known() -> Vec<u8> {
    let fields = [
        ("a", "pg"),
        ("b", "TopicTest"),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", "0"),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "0"),
        ("i", "WAIT\u{1}true\u{2}"),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
        ("n", "broker-a"),
    ];
    frame_of(&fields, 0, BODY)
}

/// What comes out when bytes go in, cut at these places.
fn signed(signing: &mut Signing<'_>, bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for piece in bytes.chunks(piece) {
        let out = |part: Bytes| all.extend_from_slice(&part);
        signing.push(Bytes::copy_from_slice(piece), out).unwrap();
    }
    all
}

fn sign_all(bytes: &[u8]) -> Vec<u8> {
    let metrics = Metrics::default();
    signed(
        &mut Signing::new(signer(SigningRules::default()), holders(1), &metrics),
        bytes,
        bytes.len(),
    )
}

#[test]
fn a_request_bears_the_signature_that_java_would_give_it() {
    let bytes = sign_all(&known());

    let found = frame::split(&bytes, usize::MAX).unwrap().unwrap();
    assert_eq!((found.len, found.body), (bytes.len(), BODY));
    let header = Header::decode(found.serialize, found.header).unwrap();
    assert_eq!((header.code, header.opaque, header.version), (310, 7, 401));
    assert_eq!(header.ext.text("AccessKey").as_deref(), Some("ak"));
    assert_eq!(header.ext.text("Signature").as_deref(), Some("e5DcqXq4cm9ulQexxE4B6S6R1J4="));
    assert_eq!(header.ext.text("b").as_deref(), Some("TopicTest"));
    assert_eq!(header.ext.iter().count(), 13 + 2, "nothing else is added, and nothing is gone");
}

#[test]
fn what_a_page_says_of_keys_is_dropped() {
    let own = [
        ("AccessKey", "mine"),
        ("b", "t"),
        ("Signature", "forged"),
        ("SecurityToken", "stolen"),
        ("AccessKey", "root"),
        ("empty", ""),
    ];
    let bytes = sign_all(&frame_of(&own, 0, BODY));

    let found = frame::split(&bytes, usize::MAX).unwrap().unwrap();
    let header = Header::decode(found.serialize, found.header).unwrap();
    let fields: Vec<(String, String)> = header
        .ext
        .iter()
        .map(|(name, value)| (name.to_cow().into(), value.to_cow().into()))
        .collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["b", "AccessKey", "Signature"]);
    let fields = fields.iter().map(|(name, value)| (&**name, &**value));
    let right = signature_of_request(fields, "sk", BODY).unwrap();
    assert_eq!(header.ext.text("Signature"), Some(right));
}

#[test]
fn a_temporary_account_sends_its_token() {
    let account = Credentials::new("ak", "sk").unwrap().with_token("sts").unwrap();
    let signer = signer(SigningRules::default());
    signer.set_account(account);
    let metrics = Metrics::default();
    let bytes = frame_of(&[("SecurityToken", "stolen"), ("b", "t")], 0, BODY);
    let bytes = signed(&mut Signing::new(signer, holders(1), &metrics), &bytes, bytes.len());

    let found = frame::split(&bytes, usize::MAX).unwrap().unwrap();
    let header = Header::decode(found.serialize, found.header).unwrap();
    assert_eq!(header.ext.text("SecurityToken").as_deref(), Some("sts"));
}

#[test]
fn however_it_is_cut_the_same_comes_out_and_responses_stay_as_they_are() {
    let response = frame_of(&[("x", "y")], Head::RESPONSE, b"");
    let large = frame_of(&[("b", "t")], 0, &vec![1; 2 * FREE_BYTES]);
    let all = [&*known(), &*response, &*large, &*known()].concat();
    let wanted = sign_all(&all);
    assert!(wanted.windows(response.len()).any(|part| part == response));

    for piece in [1, 2, 3, 4, 5, 7, 100, 1_000, 65_536] {
        let metrics = Metrics::default();
        let mut signing = Signing::new(signer(SigningRules::default()), holders(1), &metrics);
        assert!(signed(&mut signing, &all, piece) == wanted, "pieces of {piece}");
        assert!(metrics.to_string().contains("rmqb_signed_total 3\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn large_frames_have_room_together() {
    let frame = frame_of(&[("b", "t")], 0, &vec![1; 3 * FREE_BYTES]);
    let rules = SigningRules { held_bytes_max: 4 * FREE_BYTES, ..SigningRules::default() };
    let (signer, metrics) = (signer(rules), Metrics::default());
    let held = || metrics.to_string().rsplit_once("rmqb_signing_bytes ").unwrap().1.to_owned();
    let mut pages = [1, 2].map(|number| Signing::new(signer.clone(), holders(number), &metrics));
    for page in &mut pages {
        assert!(signed(page, &frame[..100], 100).is_empty() && page.lacks_room());
    }
    let [first, second] = &mut pages;

    first.find_room().await.unwrap();
    assert!(first.deadline().is_some() && !first.lacks_room());
    let start = Instant::now();
    assert!(second.find_room().await.is_err(), "there is none for both");
    assert_eq!(start.elapsed(), rules.frame_time);
    assert!(!signed(first, &frame[100..], 1_000).is_empty() && first.deadline().is_none());
    assert_ne!(held(), "0\n", "it is not written yet");
    first.written();
    assert_eq!(held(), "0\n");
    second.find_room().await.unwrap();
    drop(pages);
    assert_eq!(held(), "0\n", "a page that is gone gives it back");
}

/// T10: one subject, or one broker that takes nothing, leaves room for others.
#[tokio::test(start_paused = true)]
async fn t10_no_subject_and_no_target_has_all_the_room() {
    let frame = frame_of(&[("b", "t")], 0, &vec![1; 2 * FREE_BYTES]);
    let rules = SigningRules { held_bytes_max: 40 * FREE_BYTES, ..SigningRules::default() };
    let (signer, metrics) = (signer(rules), Metrics::default());
    let begin = |subject: usize, target: usize| {
        let ([who, _], [_, target]) = (holders(subject), holders(target));
        let mut page = Signing::new(signer.clone(), [who, target], &metrics);
        assert!(signed(&mut page, &frame[..100], 100).is_empty() && page.lacks_room());
        page
    };
    let find = async |subject: usize, target: usize| {
        let mut page = begin(subject, target);
        page.find_room().await.map(|()| page)
    };

    let trickling = [find(1, 1).await.unwrap(), find(1, 2).await.unwrap()];
    assert!(find(1, 3).await.is_err(), "it has its eighth");
    // Its pages wait together, and keep nobody from the same target.
    let mut pages: Vec<_> = (0..8).map(|_| begin(1, 1)).collect();
    let mut waiting: Vec<_> = pages.iter_mut().map(|page| Box::pin(page.find_room())).collect();
    for waiting in &mut waiting {
        assert!(waiting.as_mut().now_or_never().is_none());
    }
    let start = Instant::now();
    let mut frozen = Vec::new();
    for subject in 2..10 {
        frozen.push(find(subject, 1).await.unwrap());
    }
    assert!(start.elapsed().is_zero());
    assert!(find(10, 1).await.is_err(), "the broker has its half");
    let start = Instant::now();
    let others = find(10, 2).await.unwrap();
    assert!(start.elapsed().is_zero(), "another broker has room");
    drop(waiting);
    drop((pages, trickling, frozen, others));
    assert_eq!(signer.rooms.holders(), 0, "nothing is kept of those who are gone");
}

#[tokio::test(start_paused = true)]
async fn a_frame_larger_than_all_room_takes_all_of_it() {
    let rules = SigningRules { held_bytes_max: 1, ..SigningRules::default() };
    let metrics = Metrics::default();
    let mut page = Signing::new(signer(rules), holders(1), &metrics);
    let frame = frame_of(&[("b", "t")], 0, &vec![1; 3 * FREE_BYTES]);

    assert!(signed(&mut page, &frame[..100], 100).is_empty());
    page.find_room().await.unwrap();
    assert!(!signed(&mut page, &frame[100..], 1_000).is_empty());
}

#[test]
fn the_secret_is_not_shown() {
    let shown = format!(
        "{:?}",
        Signer::new(Credentials::new("ak", "hush").unwrap(), SigningRules::default())
    );
    assert!(!shown.contains("hush"), "{shown}");
}
