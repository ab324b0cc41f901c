// What the functions give is what sim.d.ts says, and what they refuse they say why.
import assert from "node:assert/strict";
import { test } from "node:test";

import { sim } from "./load.mjs";

const plan = (seed, kind = "swarm") => sim.planOfSeed(String(seed), kind);
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);

test("a result's books balance and its figures add up", () => {
  for (let seed = 0; seed < 40; seed++) {
    const result = JSON.parse(sim.run(plan(seed)));
    const { ledger, rate, brokers } = result;
    const ends = ["acked", "written", "not_sent", "rejected", "unknown", "cancelled", "open"];
    assert.equal(sum(ends.map((end) => ledger[end])), ledger.asked);
    assert.ok(result.balances, JSON.stringify(ledger));
    assert.equal(sum(rate.asked), ledger.asked);
    assert.equal(sum(rate.acked), ledger.acked + ledger.written);
    assert.equal(sum(brokers.flatMap((broker) => broker.count)), ledger.acked);
    assert.deepEqual(result.violations, []);
    assert.ok(result.invariants.length === 19 && result.invariants.every((one) => one.held));
    assert.equal(result.seed, String(seed));
  }
});

test("a run in slices is the same run", () => {
  const text = plan(8);
  const simulation = new sim.Simulation(text);
  let progress;
  let ms = 0;
  do {
    progress = JSON.parse(simulation.advance((ms += 250)));
  } while (!progress.over);
  const result = JSON.parse(simulation.finish());
  assert.equal(result.hash, sim.hash(text));
  assert.equal(progress.asked, result.ledger.asked);
  assert.throws(() => simulation.finish(), /was finished/);
  simulation.free();
});

test("a timeline has a send's way from call to end", () => {
  const all = JSON.parse(sim.timeline(plan(3), 0, 1e6));
  assert.equal(all.total, all.events.length);
  assert.equal(all.hash, sim.hash(plan(3)));
  const lane = all.events.filter((event) => event.ticket === 5);
  assert.equal(lane[0].kind, "asked");
  assert.ok(lane.some((event) => event.kind === "frame" && event.attempt === 1 && event.because));
  assert.ok(lane.some((event) => event.kind === "frame" && event.answer && event.arrived > event.t));
  assert.equal(lane.at(-1).kind, "ended");
  assert.equal(lane.at(-1).outcome, "stored");
  const part = JSON.parse(sim.timeline(plan(3), 10, 5));
  assert.deepEqual(part.events, all.events.slice(10, 15));
});

test("a silent broker costs Java's configuration more", () => {
  const silent = JSON.parse(sim.plans()).find((ready) => ready.name === "power lost");
  const { ours, java } = JSON.parse(sim.compare(JSON.stringify(silent.ways[0].plan)));
  assert.equal(ours.ledger.acked, ours.ledger.asked);
  assert.ok(java.all.longest_us > 2 * ours.all.longest_us);
  assert.ok(ours.balances && java.balances);
});

test("ready plans lose and keep order as they say", () => {
  for (const ready of JSON.parse(sim.plans()).filter((ready) => ready.group === "ordering")) {
    for (const way of ready.ways) {
      const { ledger } = JSON.parse(sim.run(JSON.stringify(way.plan)));
      const broken = sum(ledger.order.map((order) => order.moved + order.overtaken));
      if (way.order === "kept" && way.plan.workloads.length === 1) {
        assert.equal(broken, 0, `${ready.name}, ${way.name}`);
      }
      if (way.order === "announced") assert.equal(sum(ledger.order.map((o) => o.unannounced)), 0);
    }
  }
});

test("a plan is found in what a failed test wrote", () => {
  const text = plan(17, "small");
  const log = `thread panicked at x.rs: {"not": {"a": "plan"}}\nleft: ${text}\n trace 0123456789abcdef\n`;
  const found = JSON.parse(sim.open(log));
  assert.deepEqual(found.plan, JSON.parse(text));
  assert.equal(found.hash, "0123456789abcdef");
  assert.deepEqual(JSON.parse(sim.open(JSON.stringify({ log }))).plan, found.plan);
  assert.deepEqual(JSON.parse(sim.open(text)).plan, found.plan);
});

test("what cannot be run is refused with a sentence", () => {
  const good = JSON.parse(plan(1));
  const refused = (change, why) => {
    const wrong = structuredClone(good);
    change(wrong);
    for (const run of [sim.run, sim.hash, sim.compare, (text) => new sim.Simulation(text)]) {
      assert.throws(() => run(JSON.stringify(wrong)), (error) => error instanceof Error && why.test(error.message));
    }
  };
  refused((wrong) => (wrong.version = 2), /version 2/);
  refused((wrong) => (wrong.workloads[0].topic = "elsewhere"), /no topic elsewhere/);
  refused((wrong) => (wrong.workloads[0].total = 4e9), /too much for a page/);
  refused((wrong) => (wrong.workloads[0].producer = 65535), /too much for a page/);
  refused((wrong) => (wrong.run_ms = 1e15), /too much for a page/);
  refused((wrong) => (wrong.cluster.brokers = 300), /too much for a page/);
  refused((wrong) => (wrong.surprise = 1), /unknown field/);
  assert.throws(() => sim.run("{"), /not a plan/);
  assert.throws(() => sim.planOfSeed("seven", "swarm"), /not a seed/);
  assert.throws(() => sim.planOfSeed("7", "waltz"), /no plans of kind/);
  assert.throws(() => sim.open("all is well"), /no plan in this text/);
  assert.throws(() => sim.shrink(plan(1), 10), /nothing goes wrong/);
  assert.equal(sim.lastPanic(), "");
});
