// The same plan has the same trace hash in a page as in `sim run`. The hashes to compare with:
//   cargo run -p sim -- hashes --seeds 0..1000 --out target/sim-hashes.json
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";

import { root, sim } from "./load.mjs";

const file = process.env.SIM_HASHES ?? resolve(root, "target/sim-hashes.json");
const native = JSON.parse(readFileSync(file, "utf8"));

function compare(kind) {
  const wrong = [];
  native[kind].forEach((hash, at) => {
    const seed = String(native.from + at);
    const ours = sim.hash(sim.planOfSeed(seed, kind));
    if (ours !== hash) wrong.push(`seed ${seed}: ${ours}, native ${hash}`);
  });
  assert.deepEqual(wrong, []);
}

test("plans of seeds", () => {
  assert.ok(native.swarm.length >= 1000, `${file} has ${native.swarm.length} seeds`);
  compare("swarm");
});

test("drills of seeds", () => compare("drill"));

test("ready plans", () => {
  const plans = JSON.parse(sim.plans()).flatMap((ready) => ready.ways.map((way) => way.plan));
  const hashes = plans.map((plan) => sim.hash(JSON.stringify(plan)));
  assert.deepEqual(hashes, native.ready);
});
