// How many virtual seconds pass in a second, at 1,000 messages a second? A longer run is compared with
// a shorter one, so that beginning, healing and end are not measured; and CPU time is counted, which
// says the same on a busy machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { bytes, sim } from "./load.mjs";

const load = (seconds) =>
  JSON.stringify({
    version: 1,
    seed: 8,
    cluster: {
      name_servers: 2, brokers: 3, slaves: 0, replication: "async", auto_create_topics: false,
      topics: [{ name: "orders", queues: [4, 4, 4] }],
    },
    network: { latency_us: 1000, jitter_us: 4000 },
    config: { preset: "default" },
    workloads: [
      {
        topic: "orders", mode: "rotate", start_ms: 200, every_us: 1000, burst: 1,
        total: seconds * 1000, body_bytes: 128, keys: 1,
      },
    ],
    faults: [],
    run_ms: seconds * 1000 + 500,
  });

function took(seconds) {
  const plan = load(seconds);
  const times = [1, 2, 3].map(() => {
    const begin = process.cpuUsage();
    sim.hash(plan);
    const { user, system } = process.cpuUsage(begin);
    return user + system;
  });
  return Math.min(...times) / 1e6;
}

test("50 virtual seconds a second at 1,000 messages a second", () => {
  took(2); // compiled and warm
  const rate = 20 / (took(25) - took(5));
  console.log(`in-page simulator: ${rate.toFixed(0)} virtual seconds a second, goal 50`);
  console.log(`sim-wasm: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} by gzip`);
  // Caches are shared with what else the machine does.
  assert.ok(rate > 35, `${rate}`);
});
