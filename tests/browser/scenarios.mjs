// What a page lives through. Each scenario has topics of its own, named after it, and says in the
// end what its ledger was.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { cached, hidden, offline, tokens } from "./life.mjs";
import { pressure, stream } from "./pressure.mjs";

/** Everything was acked, and nothing but that is stored. */
export async function allAcked(stage, topic, lines, errors = []) {
  assert.deepEqual(errors, []);
  const ledger = await stage.ledger(topic, lines);
  assert.equal(ledger.acked, lines.length, JSON.stringify(ledger));
  return ledger;
}

async function send(stage) {
  const page = await stage.page();
  await page.open();
  const { lines, errors } = await page.call("load", "main", { topic: "send", prefix: "send", count: 5_000, window: 512 });
  const stats = await page.call("stats", "main");
  assert.deepEqual([stats.accepted, stats.stored, stats.inHand], [5_000, 5_000, 0]);
  const ledger = await allAcked(stage, "send", lines, errors);
  const report = await page.call("close", "main");
  assert.deepEqual(report, { acked: 0, written: 0, notSent: 0, rejected: 0, unknown: 0, unknownIds: [] });
  await page.leave(stage.complaints);
  return ledger;
}

async function worker(stage) {
  const page = await stage.page();
  const worker = await page.worker();
  await worker.open();
  const { lines, errors } = await worker.call("load", "main", { topic: "worker", prefix: "worker", count: 5_000, window: 512 });
  const ledger = await allAcked(stage, "worker", lines, errors);
  await worker.call("close", "main");
  assert.deepEqual(await worker.call("complaints"), []);
  await page.leave(stage.complaints);
  return ledger;
}

async function batch(stage) {
  const page = await stage.page();
  await page.open();
  const lines = await page.call("batches", "main", { topic: "batch", prefix: "batch", batches: 40, each: 25 });
  const ledger = await allAcked(stage, "batch", lines);
  assert.equal(ledger.stored, 1_000);
  await page.leave(stage.complaints);
  return ledger;
}

async function transaction(stage) {
  const page = await stage.page();
  await page.open({ check: "commit" });
  const all = {};
  for (const decision of ["commit", "rollback"]) {
    const lines = await page.call("transactions", "main", { topic: decision, prefix: decision, count: 50, decision });
    all[decision] = await stage.ledger(decision, lines);
  }
  assert.deepEqual([all.commit.acked, all.commit.stored], [50, 50]);
  assert.deepEqual([all.rollback.notStored, all.rollback.stored], [50, 0]);
  // Left open, and committed when the broker asks.
  const open = await page.call("transactions", "main", { topic: "check", prefix: "check", count: 5, decision: "unknown" });
  assert.equal(await stage.servers.ask("count", { topic: "check" }), 0);
  await until("the broker has asked", 40_000, async () => (await stage.servers.ask("count", { topic: "check" })) === 5);
  all.check = await allAcked(stage, "check", open.map(([name]) => [name, "acked"]));
  await page.leave(stage.complaints);
  return all;
}

async function lanes(stage) {
  const page = await stage.page();
  await page.open();
  await page.call("start", "job", "main", { topic: "lanes", prefix: "lane", lanes: 20, window: 200 });
  await until("some are acked", 10_000, async () => (await page.call("acked", "job")) > 2_000);
  // Strict order holds over a connection that ends, too.
  stage.complaints.networkIsDown = true;
  await stage.unbridge("kill");
  await stage.bridge();
  const before = await page.call("acked", "job");
  await until("it goes on", 10_000, async () => (await page.call("acked", "job")) > before + 1_000);
  const { lines, errors } = await page.call("finish", "job");
  const ledger = await stage.ledger("lanes", lines);
  // A lane whose message may be stored or not does not go on: that is what strict order costs.
  assert.ok(errors.every(({ code }) => code === "ORDER_BROKEN" || code === "BRIDGE"), JSON.stringify(errors));
  assert.equal(await stage.servers.ask("order", { topic: "lanes" }), 20);
  await page.leave(stage.complaints);
  return ledger;
}

async function kill(stage) {
  const page = await stage.page();
  await page.open();
  await page.call("start", "job", "main", { topic: "kill", prefix: "kill", window: 128 });
  await until("some are acked", 10_000, async () => (await page.call("acked", "job")) > 3_000);
  await stage.servers.ask("kill", { broker: "broker-a" });
  const before = await page.call("acked", "job");
  await until("it goes on", 10_000, async () => (await page.call("acked", "job")) > before + 3_000);
  const { lines, errors, slowest } = await page.call("finish", "job");
  await stage.servers.ask("restart", { broker: "broker-a" });
  const ledger = await allAcked(stage, "kill", lines, errors);
  await page.leave(stage.complaints);
  return { ...ledger, slowestMs: Math.round(slowest) };
}

async function restart(stage) {
  const PRODUCERS = 5;
  const page = await stage.page();
  const names = Array.from({ length: PRODUCERS }, (_, n) => `p${n}`);
  for (const name of names) await page.open({}, name);
  for (const name of names) await page.call("start", name, name, { topic: "restart", prefix: name, window: 16 });
  const acked = () => Promise.all(names.map((name) => page.call("acked", name)));
  await until("all are acked some", 10_000, async () => (await acked()).every((count) => count > 300));
  const backAt = [];
  stage.complaints.networkIsDown = true;
  for (const how of ["kill", "drain", "kill", "drain"]) {
    await stage.unbridge(how);
    await pause(400);
    const before = await acked();
    await stage.bridge();
    backAt.push(Date.now());
    await until("all go on", 10_000, async () => (await acked()).every((count, n) => count > before[n] + 100));
  }
  const [lines, errors, waits] = [[], [], []];
  for (const name of names) {
    const ended = await page.call("finish", name);
    lines.push(...ended.lines);
    errors.push(...ended.errors);
    // Every 16th ack is remembered, which is late rather than early.
    for (const at of backAt) waits.push(ended.ackedAt.find((acked) => acked > at) - at);
  }
  waits.sort((one, other) => one - other);
  const p95 = waits[Math.ceil(waits.length * 0.95) - 1];
  const ledger = await allAcked(stage, "restart", lines, errors);
  assert.ok(p95 <= 2_000, `back after ${waits.map(Math.round)} ms`);
  await page.leave(stage.complaints);
  return { ...ledger, backAfterMs: { median: Math.round(waits[waits.length >> 1]), p95: Math.round(p95) } };
}

/** The tab is closed with messages in flight: whatever it was told by then is true. */
async function close(stage) {
  const page = await stage.page();
  await page.open();
  await page.call("start", "job", "main", { topic: "close", prefix: "close", window: 400 });
  await page.call("beaconAtEnd", "job", "main");
  await until("some are acked", 10_000, async () => (await page.call("acked", "job")) > 3_000);
  stage.site.beacons.length = 0;
  await page.page.close({ runBeforeUnload: true });
  await until("the page is gone", 5_000, async () => stage.site.beacons.length > 0);
  const [{ lines, acked, begun, stats }] = stage.site.beacons;
  // The beacon holds the last acked ones; of the others nothing is claimed here.
  const told = new Map(lines.map((line) => [line[0], line]));
  const all = Array.from({ length: begun }, (_, n) => told.get(`close/${n}`) ?? [`close/${n}`, "unknown"]);
  // What had left for the bridge arrives: all that the core had handed over.
  const written = begun - Math.ceil(stats.outBytes / 300);
  let ledger;
  await until("what was written has arrived", 5_000, async () => {
    ledger = await stage.ledger("close", all);
    return ledger.stored >= Math.min(acked, written);
  });
  assert.ok(acked >= 3_000 && stats.inHand > 0, JSON.stringify({ acked, stats }));
  return { ...ledger, acked, begun, inHand: stats.inHand, outBytes: stats.outBytes, bufferedBytes: stats.bufferedBytes };
}

/** Bad luck and bad input: an error that says what to do, and never an unhandled rejection. */
async function bad(stage) {
  const page = await stage.page();
  stage.complaints.networkIsDown = true;
  const said = {};
  const attempt = async (name, options, message = { topic: "bad", body: "x" }) => {
    await page.open({ timeoutMs: 2_000, ...options }, name);
    said[name] = (await page.call("one", name, message)).error;
    assert.equal(said[name]?.name, "RocketError", name);
    assert.equal(said[name].outcome, "not-sent", name);
    await page.call("close", name, { deadlineMs: 0 });
  };
  await attempt("nobody", { bridge: stage.site.origin.replace("http", "ws") });
  assert.equal(said.nobody.code, "BRIDGE", JSON.stringify(said));
  await attempt("unknown topic", {}, { topic: "no-such-topic", body: "x" });
  assert.equal(said["unknown topic"].code, "NO_ROUTE", JSON.stringify(said));
  await attempt("too long", {}, { topic: "bad", body: "x".repeat(5 << 20) });
  assert.equal(said["too long"].code, "TOO_LARGE", JSON.stringify(said));
  await page.leave(stage.complaints);
  return Object.fromEntries(Object.entries(said).map(([name, { code, message }]) => [name, `${code}: ${message}`]));
}

export async function until(what, limit, ask) {
  const end = Date.now() + limit;
  while (!(await ask())) {
    assert.ok(Date.now() < end, `not within ${limit} ms: ${what}`);
    await pause(25);
  }
}

export const SCENARIOS = {
  send, batch, transaction, lanes, kill, restart, ...tokens, offline, hidden, cached, close, worker, stream, pressure, bad,
};
