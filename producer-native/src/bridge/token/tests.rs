use ::ring::hmac;
use ::ring::rand::SystemRandom;
use ::ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::*;
use crate::Secret;

const NOW: u64 = 1_793_491_200;
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    let digit = |six: &[u8]| {
        let six = std::str::from_utf8(six).expect("digits");
        let number = usize::from_str_radix(&format!("{six:0<6}"), 2).expect("digits");
        char::from(DIGITS[number])
    };
    bits.as_bytes().chunks(6).map(digit).collect()
}

fn token(header: &str, claims: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64(header.as_bytes()), base64(claims.as_bytes()));
    format!("{message}.{}", base64(&sign(message.as_bytes())))
}

fn by_secret(message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::sign(&key, message).as_ref().to_vec()
}

fn ed25519() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed")
}

fn p256() -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let key = key.expect("a key");
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random)
        .expect("the key")
}

fn ed_jwk(id: &str, public: &[u8]) -> String {
    let x = base64(public);
    format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","use":"sig","alg":"EdDSA","x":"{x}"}}"#)
}

fn set(keys: &[String]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn verifier(keys: Keys) -> Verifier {
    Verifier::new(TokenSettings::new("bridge"), keys)
}

/// A verifier that knows one secret, and what it says about claims.
fn claims(claims: &str) -> Result<Grants, TokenError> {
    let keys = Keys::from_secret(&SECRET.into()).expect("long enough");
    verifier(keys).verify(&token(r#"{"alg":"HS256"}"#, claims, by_secret), NOW)
}

fn good_claims() -> String {
    with_claims(&format!(r#""aud":"bridge","exp":{}"#, NOW + 300))
}

/// These, of somebody who may do everything.
fn with_claims(claims: &str) -> String {
    format!(r#"{{{claims},"sub":"tab","topics":["*"],"groups":["*"]}}"#)
}

#[test]
fn claims_become_grants() {
    let text = format!(
        r#"{{"aud":["other","bridge"],"exp":{},"nbf":{NOW},"sub":"tab-7","topics":["orders","web-*"],
            "groups":["g"],"maxBody":1024,"more":{{"a":1}}}}"#,
        NOW + 300
    );
    let grants = claims(&text).expect("valid");

    assert_eq!(grants.topics.to_string(), "orders, web-*");
    assert_eq!(grants.groups.to_string(), "g");
    assert_eq!((grants.body_bytes_max, &*grants.subject), (Some(1_024), "tab-7"));
    assert_eq!(grants.expires_at, Some(NOW + 300));
    let everything = claims(&good_claims()).expect("valid");
    assert_eq!((everything.topics, everything.groups), (Names::Any, Names::Any));
}

#[test]
fn times_are_those_of_the_token_give_or_take_the_leeway() {
    let times = |exp: i64, nbf: i64| {
        let (exp, nbf) = (NOW as i64 + exp, NOW as i64 + nbf);
        claims(&with_claims(&format!(r#""aud":"bridge","exp":{exp},"nbf":{nbf}"#))).err()
    };
    assert_eq!(times(1, 0), None);
    assert_eq!(times(-29, 30), None);
    assert_eq!(times(-30, 0), Some(TokenError::Expired));
    assert_eq!(times(300, 31), Some(TokenError::NotYet));
    let never = claims(r#"{"aud":"bridge"}"#);
    assert_eq!(never, Err(TokenError::Malformed), "a token that never ends is none");
    let later = claims(r#"{"aud":"bridge","exp":1e400}"#);
    assert!(matches!(later, Err(TokenError::Malformed | TokenError::Expired)), "{later:?}");
}

#[test]
fn a_token_for_or_from_somebody_else_is_refused() {
    for aud in [r#""other""#, r#"["a","b"]"#, "[]", "null", r#""bridge2""#, r#""Bridge""#] {
        let text = format!(r#"{{"aud":{aud},"exp":{}}}"#, NOW + 300);
        assert_eq!(claims(&text), Err(TokenError::Audience), "{aud}");
    }
    assert_eq!(claims(&format!(r#"{{"exp":{}}}"#, NOW + 300)), Err(TokenError::Audience));

    let keys = Keys::from_secret(&SECRET.into()).expect("long enough");
    let settings =
        TokenSettings { issuer: Some("login".to_owned()), ..TokenSettings::new("bridge") };
    let strict = Verifier::new(settings, keys);
    for (iss, wanted) in [("login", None), ("other", Some(TokenError::Issuer))] {
        let text = format!(r#""aud":"bridge","exp":{},"iss":"{iss}""#, NOW + 300);
        let text = with_claims(&text);
        let signed = token(r#"{"alg":"HS256"}"#, &text, by_secret);
        assert_eq!(strict.verify(&signed, NOW).err(), wanted);
    }
    let silent = token(r#"{"alg":"HS256"}"#, &good_claims(), by_secret);
    assert_eq!(strict.verify(&silent, NOW), Err(TokenError::Issuer));
}

/// T16: names in a token are names, and topics alone are not enough.
#[test]
fn t16_topics_come_with_groups() {
    let named = |more: &str| {
        claims(&format!(r#"{{"aud":"bridge","exp":{},"sub":"tab",{more}}}"#, NOW + 300)).err()
    };
    assert_eq!(named(r#""topics":["a"],"groups":["*"]"#), Some(TokenError::NoGroups));
    assert_eq!(named(r#""topics":["a"],"groups":["g"]"#), None);
    assert_eq!(named(r#""topics":["*"],"groups":["g"]"#), None);
    let bad = Some(TokenError::Name(InvalidPattern::Character));
    assert_eq!(named(r#""topics":["a b"],"groups":["g"]"#), bad);
    assert_eq!(named(r#""topics":"a","groups":["g"]"#), Some(TokenError::Malformed));
    assert_eq!(named(r#""maxBody":-1"#), Some(TokenError::Malformed));
    assert_eq!(named(r#""aud":"x""#), Some(TokenError::Malformed), "a claim is there twice");
}

/// T16: what is not said, or said wrongly, grants nothing.
#[test]
fn t16_claims_that_are_missing_or_null_grant_nothing() {
    let (topics, groups) = (r#""topics":["*"]"#, r#""groups":["*"]"#);
    let of = |more: &[&str]| {
        let more = more.join(",");
        format!(r#"{{"aud":"bridge","exp":{},{more}}}"#, NOW + 300)
    };
    let sub = r#""sub":"tab""#;
    let cases = [
        (of(&[sub, topics, groups]), None),
        (of(&[topics, groups]), Some(TokenError::NoSubject)),
        (of(&[r#""sub":"""#, topics, groups]), Some(TokenError::NoSubject)),
        (of(&[r#""sub":null"#, topics, groups]), Some(TokenError::NoSubject)),
        (of(&[r#""sub":"a\nb""#, topics, groups]), Some(TokenError::Malformed)),
        (of(&[sub, groups]), Some(TokenError::NoNames)),
        (of(&[sub, topics]), Some(TokenError::NoNames)),
        (of(&[sub, r#""topic":["a"]"#, r#""group":["g"]"#]), Some(TokenError::NoNames)),
        (of(&[sub, r#""topics":null"#, groups]), Some(TokenError::Malformed)),
        (of(&[sub, topics, r#""groups":null"#]), Some(TokenError::Malformed)),
        (of(&[sub, topics, groups, r#""maxBody":null"#]), Some(TokenError::Malformed)),
        (of(&[sub, topics, groups, r#""nbf":null"#]), Some(TokenError::Malformed)),
    ];
    for (text, wanted) in &cases {
        assert_eq!(claims(text).err(), *wanted, "{text}");
    }
    let keys = Keys::from_secret(&SECRET.into()).expect("long enough");
    let settings = TokenSettings { names_required: false, ..TokenSettings::new("bridge") };
    let loose = Verifier::new(settings, keys);
    let loosely = |text: &str| loose.verify(&token(r#"{"alg":"HS256"}"#, text, by_secret), NOW);
    let all = loosely(&of(&[sub])).expect("lists may be missing");
    assert_eq!((all.topics, all.groups), (Names::Any, Names::Any));
    let one = loosely(&of(&[sub, r#""topics":["a"]"#]));
    assert_eq!(one, Err(TokenError::NoGroups));
    let null = loosely(&of(&[sub, r#""topics":null"#]));
    assert_eq!(null, Err(TokenError::Malformed), "null is never all");
}

#[test]
fn the_three_algorithms_are_known() {
    let (ed, ec) = (ed25519(), p256());
    let point = ec.public_key().as_ref();
    let (x, y) = (base64(&point[1..33]), base64(&point[33..]));
    let keys = set(&[
        ed_jwk("ed", ed.public_key().as_ref()),
        format!(r#"{{"kty":"EC","crv":"P-256","kid":"ec","x":"{x}","y":"{y}"}}"#),
        format!(r#"{{"kty":"oct","kid":"hs","k":"{}"}}"#, base64(SECRET.as_bytes())),
        // Of an identity provider's set, what is for others.
        r#"{"kty":"RSA","kid":"rsa","alg":"RS256","n":"AQAB","e":"AQAB"}"#.to_owned(),
        ed_jwk("enc", ed.public_key().as_ref()).replace("sig", "enc"),
    ]);
    let keys = Keys::from_jwks(keys.as_bytes()).expect("valid");
    assert_eq!(keys.len(), 3);
    let verifier = verifier(keys);
    let by_ed = |message: &[u8]| ed.sign(message).as_ref().to_vec();
    let by_ec =
        |message: &[u8]| ec.sign(&SystemRandom::new(), message).expect("signed").as_ref().to_vec();
    let signed = [
        token(r#"{"alg":"EdDSA","kid":"ed"}"#, &good_claims(), by_ed),
        token(r#"{"alg":"EdDSA"}"#, &good_claims(), by_ed),
        token(r#"{"alg":"ES256","kid":"ec","typ":"JWT"}"#, &good_claims(), by_ec),
        token(r#"{"alg":"HS256","kid":"hs"}"#, &good_claims(), by_secret),
    ];
    for token in &signed {
        assert!(verifier.verify(token, NOW).is_ok());
        // A bit of the claims, and one of the signature.
        for at in [token.find('.').expect("a dot") + 5, token.len() - 10] {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(verifier.verify(&changed, NOW), Err(TokenError::Signature));
        }
    }
    for (header, wanted) in [
        (r#"{"alg":"EdDSA","kid":"new"}"#, TokenError::UnknownKey),
        (r#"{"alg":"EdDSA","kid":"rsa"}"#, TokenError::UnknownKey),
        (r#"{"alg":"HS256","kid":"ed"}"#, TokenError::Algorithm),
        (r#"{"alg":"HS384","kid":"hs"}"#, TokenError::Algorithm),
        (r#"{"alg":"RS256","kid":"rsa"}"#, TokenError::UnknownKey),
        (r#"{"alg":"none","kid":"ed"}"#, TokenError::Malformed),
        (r#"{"alg":"EdDSA","kid":"ed","crit":["exp"]}"#, TokenError::Malformed),
    ] {
        let token = token(header, &good_claims(), by_ed);
        assert_eq!(verifier.verify(&token, NOW), Err(wanted), "{header}");
    }
}

/// The classic: a public key, which everybody has, taken for a secret.
#[test]
fn a_public_key_is_no_secret() {
    let ed = ed25519();
    let keys = set(&[ed_jwk("ed", ed.public_key().as_ref())]);
    let verifier = verifier(Keys::from_jwks(keys.as_bytes()).expect("valid"));
    let by_public = |message: &[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, ed.public_key().as_ref());
        hmac::sign(&key, message).as_ref().to_vec()
    };
    for header in [r#"{"alg":"HS256","kid":"ed"}"#, r#"{"alg":"HS256"}"#] {
        let forged = token(header, &good_claims(), by_public);
        assert_eq!(verifier.verify(&forged, NOW), Err(TokenError::Algorithm));
    }
    let unsigned = token(r#"{"alg":"none"}"#, &good_claims(), |_| Vec::new());
    assert_eq!(verifier.verify(&unsigned, NOW), Err(TokenError::Malformed));
}

#[test]
fn what_is_no_token_is_malformed_and_what_is_long_is_not_read() {
    let keys = || Keys::from_secret(&SECRET.into()).expect("long enough");
    let good = token(r#"{"alg":"HS256"}"#, &good_claims(), by_secret);
    let two_parts = good.rsplit_once('.').expect("dots").0;
    for text in
        ["", ".", "..", "...", "a.b.c", two_parts, &format!("{good}.x"), &format!(" {good}")]
    {
        assert_eq!(verifier(keys()).verify(text, NOW), Err(TokenError::Malformed), "{text}");
    }
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    assert_eq!(verifier(keys()).verify(&long, NOW), Err(TokenError::TooLong));
    let padded = format!("{good}=");
    assert_eq!(verifier(keys()).verify(&padded, NOW), Err(TokenError::Malformed));
}

#[test]
fn key_sets_are_checked() {
    let ed = ed25519();
    let public = ed.public_key().as_ref();
    let jwk = ed_jwk("ed", public);
    let secret = |k: &str| format!(r#"{{"kty":"oct","k":"{}"}}"#, base64(k.as_bytes()));
    let error = |keys: &[String]| Keys::from_jwks(set(keys).as_bytes()).err();

    assert_eq!(error(&[jwk.clone(), jwk.clone()]), Some(InvalidKeys::Twice { at: 1 }));
    assert_eq!(error(&[jwk.clone(), secret("short")]), Some(InvalidKeys::BadKey { at: 1 }));
    assert_eq!(error(&[ed_jwk("ed", &public[1..])]), Some(InvalidKeys::BadKey { at: 0 }));
    assert_eq!(error(&[]), Some(InvalidKeys::NoneUsable));
    let many: Vec<String> = (0..65).map(|n| ed_jwk(&format!("k{n}"), public)).collect();
    assert_eq!(error(&many[..64]), None);
    assert_eq!(error(&many), Some(InvalidKeys::TooMany));
    let torn = &set(&[jwk])[..40];
    assert!(matches!(Keys::from_jwks(torn.as_bytes()), Err(InvalidKeys::Malformed { .. })));
    assert_eq!(Keys::from_secret(&Secret::new("short")).err(), Some(InvalidKeys::BadKey { at: 0 }));
}

#[test]
fn keys_change_with_their_file_and_a_bad_file_changes_nothing() {
    let folder = std::env::temp_dir().join(format!("bridge-keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("keys.json");
    let key = |id: &str| set(&[ed_jwk(id, ed25519().public_key().as_ref())]);
    let write = |text: &str| std::fs::write(&path, text).expect("written");
    write(&key("a"));
    let (mut file, keys) = KeyFile::open(&path).expect("valid");
    let verifier = verifier(keys);
    let by_ed = |message: &[u8]| ed25519().sign(message).as_ref().to_vec();
    let old = token(r#"{"alg":"EdDSA","kid":"a"}"#, &good_claims(), by_ed);
    let new = token(r#"{"alg":"EdDSA","kid":"next"}"#, &good_claims(), by_ed);
    assert!(file.look().expect("unchanged").is_none());

    write("{");
    assert!(matches!(file.look(), Err(InvalidKeys::Malformed { .. })));
    assert!(verifier.verify(&old, NOW).is_ok());
    write(&key("next"));
    verifier.set_keys(file.look().expect("valid").expect("changed"));

    assert_eq!(verifier.verify(&old, NOW), Err(TokenError::UnknownKey));
    assert!(verifier.verify(&new, NOW).is_ok());
    std::fs::remove_file(&path).expect("removed");
    assert!(matches!(file.look(), Err(InvalidKeys::Unreadable { .. })));
    std::fs::remove_dir_all(&folder).expect("removed");
}

#[test]
fn nothing_shows_a_secret() {
    let secret = Secret::new(SECRET);
    let keys = Keys::from_secret(&secret).expect("long enough");
    let shown = format!("{keys:?} {:?} {secret:?}", verifier(keys.clone()));

    assert!(!shown.contains("0123") && !shown.contains("48, 49"), "{shown}");
}
