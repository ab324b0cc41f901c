//! Which plans run on both, and where may they differ?

use sim::plan::Plan;

/// A plan for the models and for a real cluster.
pub(crate) struct Twin {
    pub(crate) name: &'static str,
    pub(crate) plan: Plan,
    /// What only one of them may have, and why.
    pub(crate) may_differ: &'static [(&'static str, &'static str)],
}

/// Master of two, or alone.
const PAIR: &str = "[4,4]";
const ALONE: &str = "[4,0]";

/// In flight or not at the instant of the fault: chance decides, on both sides.
const CHANCE: (&str, &str) = ("twice", "whether a send was under way at that instant is chance");

pub(crate) fn all() -> Vec<Twin> {
    let one = |at: u32, long: u32, target: &str, kind: &str| {
        format!(r#"[{{"at_ms":{at},"for_ms":{long},"target":"{target}",{kind}}}]"#)
    };
    let cut = |direction: &str, loss: &str| {
        let scope = r#""kind":"partition","scope":"producers""#;
        format!(r#"{scope},"direction":"{direction}","loss":"{loss}""#)
    };
    let broker = "broker-0";
    vec![
        twin("nothing breaks", PAIR, "rotate", "[]", &[]),
        twin(
            "a master of two is killed",
            PAIR,
            "rotate",
            &one(1_000, 2_000, broker, r#""kind":"crash""#),
            &[CHANCE],
        ),
        twin(
            "a master of two stands still",
            PAIR,
            "rotate",
            &one(1_000, 2_000, broker, r#""kind":"freeze""#),
            &[],
        ),
        twin(
            "the only master stands still for longer than a send may take",
            ALONE,
            "rotate",
            &one(1_000, 4_500, broker, r#""kind":"freeze""#),
            &[],
        ),
        twin(
            "the same, in a lane of strict order",
            ALONE,
            "strict",
            &one(1_000, 4_500, broker, r#""kind":"freeze""#),
            &[],
        ),
        twin(
            "requests to one of two are lost",
            PAIR,
            "rotate",
            &one(1_000, 2_000, broker, &cut("requests", "dropped")),
            &[],
        ),
        twin(
            "answers of one of two are lost",
            PAIR,
            "rotate",
            &one(1_000, 2_000, broker, &cut("answers", "dropped")),
            &[],
        ),
        twin(
            "the only master is cut off for a second",
            ALONE,
            "rotate",
            &one(1_000, 900, broker, &cut("both", "held")),
            &[],
        ),
        twin(
            "a connection is reset in the middle of an answer",
            PAIR,
            "rotate",
            &one(1_000, 1_000, broker, r#""kind":"reset_in_answer","after_bytes":10"#),
            &[],
        ),
        twin(
            "half a request, then a reset",
            PAIR,
            "rotate",
            &one(1_000, 1_000, broker, r#""kind":"half_request","reset":true"#),
            &[],
        ),
        twin(
            "half a request, then silence",
            ALONE,
            "rotate",
            &one(1_000, 1_000, broker, r#""kind":"half_request","reset":false"#),
            &[],
        ),
        twin(
            "bytes come one by one",
            ALONE,
            "rotate",
            &one(1_000, 1_000, broker, r#""kind":"dribble","bytes":1"#),
            &[],
        ),
        twin(
            "the way is 100 ms longer",
            ALONE,
            "rotate",
            &one(1_000, 1_000, broker, r#""kind":"slow","extra_ms":100,"jitter_ms":0"#),
            &[],
        ),
        twin(
            "the only master may not be written",
            ALONE,
            "rotate",
            &one(1_000, 2_000, broker, r#""kind":"read_only""#),
            &[],
        ),
        twin(
            "a name server of two stands still",
            PAIR,
            "rotate",
            &one(100, 3_000, "ns-0", r#""kind":"freeze""#),
            &[],
        ),
    ]
}

fn twin(
    name: &'static str,
    queues: &str,
    mode: &str,
    faults: &str,
    may_differ: &'static [(&'static str, &'static str)],
) -> Twin {
    let json = format!(
        r#"{{"version":{},"seed":1,
        "cluster":{{"name_servers":2,"brokers":2,"topics":[{{"name":"twin","queues":{queues}}}]}},
        "network":{{"latency_us":200,"jitter_us":300}},
        "config":{{"preset":"default","overrides":{{}}}},
        "workloads":[{{"topic":"twin","mode":"{mode}","start_ms":200,"every_us":10000,"burst":1,
            "total":350,"body_bytes":100,"keys":3}}],
        "faults":{faults},"run_ms":12000}}"#,
        Plan::VERSION
    );
    let plan = Plan::from_json(&json).unwrap_or_else(|error| panic!("{name}: {error}"));
    Twin { name, plan, may_differ }
}
