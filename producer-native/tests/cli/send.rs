//! `send`.

use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use serde_json::Value;
use sim::model::broker::{Fault, Refusal, Times};

use crate::run::{Served, binary, refused, run, run_with, serve};

fn send(served: &Served, more: &[&str], input: &str) -> crate::run::Ended {
    let name_servers = served.cluster.name_servers();
    run_with(&[&["send", "--json", "-t", "orders", "-n", &name_servers], more].concat(), input)
}

fn bodies(served: &Served) -> Vec<String> {
    let messages = served.cluster.broker("broker-a").messages("orders");
    messages.iter().map(|m| String::from_utf8(m.body.to_vec()).unwrap()).collect()
}

#[test]
fn a_body_is_stored_with_all_that_belongs_to_it() {
    let served = serve(|cluster| cluster);

    let ended = send(
        &served,
        &["-b", "hi", "--tag", "eu", "--keys", "k1", "k2", "-p", "a=1=2", "--queue", "broker-a:3"],
        "",
    );

    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let lines = ended.lines();
    assert_eq!((&lines[0]["ok"], &lines[0]["broker"]), (&true.into(), &"broker-a".into()));
    assert_eq!((&lines[0]["queue"], &lines[0]["offset"]), (&3.into(), &0.into()));
    assert_eq!((&lines[0]["status"], &lines[0]["attempts"]), (&"SEND_OK".into(), &1.into()));
    assert_eq!(lines[0]["offset_id"].as_str().map(str::len), Some(32));
    assert_eq!((&lines[1]["summary"]["sent"], &lines[1]["summary"]["ok"]), (&1.into(), &1.into()));
    assert!(lines[1]["summary"]["p50_us"].as_u64().unwrap() > 0);
    let stored = served.cluster.broker("broker-a").messages("orders");
    let properties = format!("{:?}", stored[0].properties);
    for part in ["eu", "k1 k2", "1=2"] {
        assert!(properties.contains(part), "{properties}");
    }
}

#[test]
fn lines_come_out_in_the_order_they_were_read() {
    let served = serve(|cluster| cluster.broker("broker-a", |b| b).broker("broker-b", |b| b));
    served.cluster.broker("broker-b").slow(Duration::from_millis(20));
    let input: String = (0..200).map(|n| format!("line {n}\r\n")).collect();

    let ended = send(&served, &["--concurrency", "16"], &input);

    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines = ended.lines();
    let ids: Vec<&str> = lines[..200].iter().map(|line| line["id"].as_str().unwrap()).collect();
    let counters: Vec<u32> =
        ids.iter().map(|id| u32::from_str_radix(&id[28..], 16).unwrap()).collect();
    assert!(counters.is_sorted(), "{counters:?}");
    assert_eq!(lines[200]["summary"]["ok"], 200);
    assert!(bodies(&served).iter().all(|body| body.starts_with("line ") && !body.ends_with('\r')));
}

#[test]
fn a_file_is_one_body_and_can_be_repeated() {
    let served = serve(|cluster| cluster);
    let path = std::env::temp_dir().join(format!("rocketmq-producer-{}", std::process::id()));
    std::fs::write(&path, "two\nlines\n").unwrap();

    let file = send(&served, &["--file", path.to_str().unwrap(), "--count", "2"], "");
    let numbered = send(&served, &["--count", "2", "--order-key", "k", "--header", "binary"], "");

    std::fs::remove_file(path).unwrap();
    assert_eq!((file.code, numbered.code), (Some(0), Some(0)));
    let mut stored = bodies(&served);
    stored.sort();
    assert_eq!(stored, ["message 1", "message 2", "two\nlines\n", "two\nlines\n"]);
    let queues: Vec<Value> =
        numbered.lines()[..2].iter().map(|line| line["queue"].clone()).collect();
    assert_eq!(queues[0], queues[1]);
}

#[test]
fn a_line_that_is_no_message_fails_alone() {
    let served = serve(|cluster| cluster);

    let ended = send(&served, &[], "a\n\nb\n");

    assert_eq!(ended.code, Some(1));
    let lines = ended.lines();
    let ok: Vec<_> = lines[..3].iter().map(|line| line["ok"].as_bool().unwrap()).collect();
    assert_eq!(ok, [true, false, true]);
    assert_eq!(
        (&lines[1]["code"], &lines[1]["outcome"]),
        (&"invalid_message".into(), &"not_sent".into())
    );
    assert_eq!(
        (&lines[3]["summary"]["ok"], &lines[3]["summary"]["not_sent"]),
        (&2.into(), &1.into())
    );
}

#[test]
fn failures_say_how_they_ended() {
    let served = serve(|cluster| cluster);
    let broker = served.cluster.broker("broker-a");
    let fail = |fault: Fault, arguments: &[&str]| {
        broker.fault(fault, Times::All);
        let ended = send(&served, &[&["-b", "x"], arguments].concat(), "");
        broker.heal();
        assert_eq!(ended.code, Some(1), "{ended:?}");
        ended.lines().remove(0)
    };

    let rejected = fail(Fault::Refuse(Refusal::Illegal), &[]);
    let unknown = fail(Fault::NoAnswer, &["--timeout", "300ms", "--attempt-timeout", "100ms"]);

    assert_eq!((&rejected["outcome"], &rejected["code"]), (&"rejected".into(), &"broker".into()));
    assert_eq!(rejected["broker_code"], 13);
    assert_eq!(rejected["attempts"][0]["broker"], "broker-a");
    assert_eq!(rejected["attempts"][0]["address"], broker.address().to_string());
    assert_eq!((&unknown["outcome"], &unknown["ok"]), (&"unknown".into(), &false.into()));
    assert_eq!(unknown["attempts"][0]["phase"], "answer");
    assert_eq!(unknown["id"].as_str().map(str::len), Some(32));
}

#[test]
fn unreachable_clusters_are_told_apart() {
    let served = serve(|cluster| cluster);
    let unknown_topic = {
        let name_servers = served.cluster.name_servers();
        run(&["send", "--json", "-t", "nope", "-n", &name_servers, "-b", "x"])
    };
    let broker = served.cluster.broker("broker-a").address();
    let map = format!("{broker}={}", refused());
    let bad_map = send(&served, &["-b", "x", "--address-map", &map, "--timeout", "300ms"], "");
    let no_server =
        run(&["send", "--json", "-t", "t", "-n", &refused(), "-b", "x", "--timeout", "300ms"]);

    for (ended, code) in
        [(&unknown_topic, "topic_not_found"), (&no_server, "name_servers_unreachable")]
    {
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(ended.lines()[0]["code"], code, "{ended:?}");
        assert_eq!(ended.lines()[0]["outcome"], "not_sent", "{ended:?}");
    }
    let line = &bad_map.lines()[0];
    assert_eq!(line["outcome"], "not_sent");
    assert_eq!(line["attempts"][0]["code"], "connect", "{line}");
    assert_eq!(line["attempts"][0]["advertised"], broker.to_string());
    assert!(line["hint"].as_str().unwrap().contains("address map"), "{line}");
}

#[test]
fn people_get_lines_and_a_summary() {
    let served = serve(|cluster| cluster);
    let name_servers = served.cluster.name_servers();
    let arguments = ["send", "-t", "orders", "-n", &name_servers, "--count", "3"];

    let good = run(&arguments);
    let one_way = run(&[&arguments[..], &["--oneway"]].concat());
    let bad = run(&["send", "-t", "nope", "-n", &name_servers, "-b", "x"]);

    assert_eq!(good.stdout.lines().filter(|line| line.contains("SEND_OK broker-a:")).count(), 3);
    assert!(good.stderr.starts_with("3 of 3 stored in "), "{good:?}");
    assert_eq!(one_way.code, Some(0));
    assert!(one_way.stderr.starts_with("3 of 3 handed over in "), "{one_way:?}");
    assert!(bad.stderr.contains("topic_not_found") && bad.stderr.contains("\nhint: "), "{bad:?}");
}

#[test]
fn the_rate_is_kept() {
    let served = serve(|cluster| cluster);

    let ended = send(&served, &["--count", "20", "--rate", "100"], "");

    assert_eq!(ended.code, Some(0));
    let elapsed = ended.lines()[20]["summary"]["elapsed_ms"].as_u64().unwrap();
    assert!(elapsed >= 150, "{elapsed}");
}

#[test]
fn lines_are_sent_while_the_input_stays_open() {
    let served = serve(|cluster| cluster);
    let name_servers = served.cluster.name_servers();
    let arguments = ["send", "--json", "-t", "orders", "-n", &name_servers];
    let mut child = binary().args(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());

    for _ in 0..3 {
        stdin.write_all(b"now\n").unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with(r#"{"ok":true,"#), "{line}");
    }
    drop(stdin);

    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_interrupt_finishes_what_is_in_hand() {
    let served = serve(|cluster| cluster);
    served.cluster.broker("broker-a").slow(Duration::from_millis(300));
    let name_servers = served.cluster.name_servers();
    let arguments = ["send", "--json", "-t", "orders", "-n", &name_servers];
    let mut child = binary().args(arguments).spawn().unwrap();
    // Held open: only the interrupt ends it.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"one\ntwo\n").unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while bodies(&served).len() < 2 {
        assert!(Instant::now() < deadline, "nothing is stored");
        std::thread::yield_now();
    }

    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();

    assert!(kill.unwrap().success());
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{stdout}");
    let last: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    assert_eq!((&last["summary"]["sent"], &last["summary"]["ok"]), (&2.into(), &2.into()));
}

#[test]
fn nobody_reading_ends_it_quietly() {
    let served = serve(|cluster| cluster);
    let name_servers = served.cluster.name_servers();
    let arguments = ["send", "--json", "-t", "orders", "-n", &name_servers, "--count", "1000000"];
    let mut child = binary().args(arguments).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();

    drop(stdout);

    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), &*stderr), (Some(141), ""));
    assert!(line.starts_with(r#"{"ok":true"#), "{line}");
}

#[test]
fn batches_are_told_message_by_message_in_the_order_they_were_read() {
    let served = serve(|cluster| cluster);
    let input: String = (0..25).map(|n| format!("line {n}\n")).collect();

    let ended = send(&served, &["--batch", "10", "--queue", "broker-a:1"], &input);

    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines = ended.lines();
    let offsets: Vec<u64> =
        lines[..25].iter().map(|line| line["offset"].as_u64().unwrap()).collect();
    assert_eq!(offsets, (0..25).collect::<Vec<u64>>());
    assert_eq!(bodies(&served), (0..25).map(|n| format!("line {n}")).collect::<Vec<_>>());
    assert_eq!(lines[25]["summary"]["ok"], 25);
    assert_eq!(run(&["send", "-t", "t", "-b", "x", "--batch", "2", "--oneway"]).code, Some(2));
}

#[test]
fn bodies_are_compressed_and_sends_share_requests_if_asked_for() {
    let served = serve(|cluster| cluster);
    let long = "order paid, receipt sent; ".repeat(300);
    let send = |more: &[&str]| send(&served, more, &format!("{long}\nshort\n"));

    for (arguments, flags) in [
        (&["--compress", "zlib"][..], [0x301, 0]),
        (&["--compress", "zstd:19"], [0x201, 0]),
        (&["--compress", "LZ4", "--compress-over", "10000"], [0, 0]),
    ] {
        let ended = send(&[&["--queue", "broker-a:0"], arguments].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let stored = served.cluster.broker("broker-a").messages("orders");
        let last: Vec<_> = stored.iter().rev().take(2).rev().map(|m| m.sys_flag & 0x701).collect();
        assert_eq!(last, flags, "{arguments:?}");
    }
    let ended = send(&["--auto-batch"]);
    assert_eq!((ended.code, &ended.lines()[2]["summary"]["ok"]), (Some(0), &2.into()), "{ended:?}");
    for wrong in ["gzip", "zlib:", "zlib:high", ""] {
        assert_eq!(send(&["--compress", wrong]).code, Some(2), "{wrong:?}");
    }
    assert_eq!(send(&["--auto-batch", "--batch", "3"]).code, Some(2));
}

#[test]
fn traces_are_there_when_it_has_ended() {
    let served = serve(|cluster| cluster.topic("traces", 1));

    let ended = send(&served, &["-b", "x", "--trace=traces"], "");

    assert_eq!(ended.code, Some(0), "{ended:?}");
    let traces = served.cluster.broker("broker-a").messages("traces");
    let text: String = traces.iter().map(|m| String::from_utf8_lossy(&m.body)).collect();
    assert!(text.contains(ended.lines()[0]["id"].as_str().unwrap()), "{text:?}");
}

#[test]
fn the_second_port_is_dialled_if_asked_for() {
    let served = serve(|cluster| cluster);
    let main = served.cluster.broker("broker-a").address();
    let second = std::net::SocketAddr::new(main.ip(), main.port() - 2);
    let to = |address: &str| {
        let map = format!("{second}={address}");
        let ended =
            send(&served, &["-b", "x", "--vip", "--timeout", "1s", "--address-map", &map], "");
        ended.code
    };

    assert_eq!(to(&main.to_string()), Some(0));
    assert_eq!(to(&refused()), Some(1));
}
