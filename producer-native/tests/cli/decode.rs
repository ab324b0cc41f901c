//! `decode`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::run::{run, run_with};

/// The frames of one recorded case: their hex and their headers.
fn recorded(case: &str) -> Vec<(String, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/frames").join(case);
    let case: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let frames = case["frames"].as_array().unwrap().iter();
    frames.map(|f| (f["hex"].as_str().unwrap().to_owned(), f["header"].clone())).collect()
}

fn assert_headers(lines: &[Value], frames: &[(String, Value)]) {
    assert_eq!(lines.len(), frames.len());
    for (line, (_, header)) in lines.iter().zip(frames) {
        for (name, value) in header.as_object().unwrap() {
            assert_eq!(line[name], *value, "{name}");
        }
    }
}

#[test]
fn frames_are_taken_from_arguments_and_from_standard_input() {
    let frames = recorded("5.4.0-rocketmq/send-plain.json");
    let hex: Vec<&str> = frames.iter().map(|frame| &*frame.0).collect();
    let joined = hex.concat();
    let bytes: Vec<u8> = (0..joined.len() / 2)
        .map(|at| u8::from_str_radix(&joined[at * 2..at * 2 + 2], 16).unwrap())
        .collect();

    let by_argument = run(&[&["decode"][..], &hex].concat());
    let by_dash = run_with(&["decode", "-", "--json"], format!("0x{}\r\n", hex.join("\n0x")));
    let by_bytes = run_with(&["decode"], bytes);

    for ended in [by_argument, by_dash, by_bytes] {
        assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
        assert_headers(&ended.lines(), &frames);
        assert_eq!(ended.lines()[0]["body"], "hello");
        assert_eq!(ended.lines()[0]["serialize"], "ROCKETMQ");
    }
}

#[test]
fn good_frames_are_shown_before_the_bad_one_is_refused() {
    let frames = recorded("5.4.0-json/send-plain.json");
    let (first, second) = (&frames[0].0, &frames[1].0);

    let cut = run(&["decode", &format!("{first}{}", &second[..20])]);
    let bad_digit = run(&["decode", &format!("{first}{second}zz")]);

    assert_eq!(cut.code, Some(1));
    assert_headers(&cut.lines(), &frames[..1]);
    let at = first.len() / 2;
    assert!(cut.stderr.starts_with(&format!("error: byte {at}: frame 2 is cut off")), "{cut:?}");
    assert_eq!(bad_digit.code, Some(1));
    assert_headers(&bad_digit.lines(), &frames[..2]);
    let at = first.len() + second.len();
    assert!(
        bad_digit.stderr.contains(&format!("byte {at}: 'z' in the text is no hex digit")),
        "{bad_digit:?}"
    );
}

#[test]
fn nothing_is_no_frame() {
    let ended = run(&["decode"]);

    assert_eq!((ended.code, &*ended.stdout), (Some(1), ""));
    assert!(ended.stderr.contains("no frame in the input"), "{ended:?}");
}

#[test]
fn names_are_added_for_people() {
    let frames = recorded("5.4.0-json/send-plain.json");

    let ended = run(&["decode", "--explain", &frames[0].0]);

    let explained = &ended.lines()[0]["explained"];
    assert_eq!(
        (&explained["kind"], &explained["code"]),
        (&"request".into(), &"SEND_MESSAGE_V2".into())
    );
    assert_eq!(explained["version"], "V5_4_0");
}
