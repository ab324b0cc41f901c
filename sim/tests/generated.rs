//! Found by the simulator, then shrunk: what went wrong in this plan must not come back.
//!
//! I9 Routing: at 103 ms orders to 10.0.1.1:10911/3: no route says so

use sim::pair::{self, Lines};
use sim::plan::Plan;

#[test]
fn plan_of_seed_17_keeps_i9() {
    let plan = Plan::from_json(PLAN).expect("written by this program");

    let run = pair::run(&plan, Lines::Forget);

    let found: Vec<String> = run.violations.iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

const PLAN: &str = r#"{
  "version": 1,
  "seed": 17,
  "cluster": {
    "name_servers": 1,
    "brokers": 1,
    "slaves": 0,
    "replication": "async",
    "auto_create_topics": false,
    "topics": [
      {
        "name": "orders",
        "queues": [
          4
        ]
      }
    ]
  },
  "network": {
    "latency_us": 1000,
    "jitter_us": 0
  },
  "config": {
    "preset": "default",
    "overrides": {}
  },
  "workloads": [
    {
      "producer": 0,
      "topic": "orders",
      "mode": "rotate",
      "start_ms": 60,
      "every_us": 10000,
      "burst": 1,
      "total": 12,
      "body_bytes": 16,
      "keys": 1,
      "serial": false
    }
  ],
  "faults": [
    {
      "at_ms": 100,
      "for_ms": 50,
      "target": "broker-0",
      "kind": "queues",
      "count": 2
    }
  ],
  "run_ms": 200
}"#;
