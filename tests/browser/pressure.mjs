// Brokers that stand still, and a page that wants to send much more than it may hold.
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { allAcked, until } from "./scenarios.mjs";

const MIB = 1 << 20;
const BROKERS = ["broker-a", "broker-b"];
/** A stalled broker is waited for: what its socket took is not sent to another one. */
const PATIENT = { timeoutMs: 60_000, attemptTimeoutMs: 60_000 };

/** Bytes of a page: what its module, its objects and its sockets hold. */
async function bytesOf(page, session) {
  const { wasm, bufferedBytes, ...level } = await page.call("level", "main");
  await session.send("HeapProfiler.collectGarbage");
  // Buffers of arrays count apart, and the module's memory is none of them.
  const { usedSize, backingStorageSize } = await session.send("Runtime.getHeapUsage");
  return { all: usedSize + backingStorageSize + wasm + bufferedBytes, usedSize, backingStorageSize, wasm, bufferedBytes, ...level };
}

/** 200 MB by `writable()` against stalled brokers: it waits, the page stays small, nothing is lost. */
export async function pressure(stage) {
  const [COUNT, SIZE, PENDING] = [2_000, 100_000, 4 * MIB];
  const page = await stage.page();
  const session = await stage.context.newCDPSession(page.page);
  await page.open({ ...PATIENT, maxPendingBytes: PENDING });
  // Routes and connections are there before it is measured.
  const warm = await page.call("load", "main", { topic: "pressure", prefix: "warm", count: 200, size: 1_000 });
  const before = await bytesOf(page, session);
  for (const broker of BROKERS) await stage.servers.ask("pause", { broker });
  // First one that does not wait: what does not fit is refused at once, and costs nothing.
  await page.call("start", "flood", "main", { topic: "pressure", prefix: "flood", count: 500, window: 500, size: SIZE });
  await page.call("startStream", "stream", "main", { topic: "pressure", prefix: "much", count: COUNT, size: SIZE });
  let most = before;
  for (let n = 0; n < 15; n += 1) {
    const level = await bytesOf(page, session);
    if (level.all > most.all) most = level;
    await pause(100);
  }
  const flooded = await page.call("acked", "flood");
  assert.equal(flooded, 0);
  const stalledAt = await page.call("begun", "stream");
  await pause(300);
  assert.equal(await page.call("begun", "stream"), stalledAt, "the stream waits");
  assert.ok(stalledAt < COUNT / 10, `${stalledAt} were taken`);
  const full = (await page.call("one", "main", { topic: "pressure", body: "x".repeat(MIB) })).error;
  assert.deepEqual([full.code, full.outcome], ["QUEUE_FULL", "not-sent"]);
  for (const broker of BROKERS) await stage.servers.ask("resume", { broker });
  // While it goes on there is garbage at any moment, but what is held is no more than before.
  let held = 0;
  let done = false;
  const ended = page.call("finishStream", "stream").finally(() => (done = true));
  while (!done) {
    const { wasm, bufferedBytes } = await page.call("level", "main");
    held = Math.max(held, wasm + bufferedBytes - before.wasm);
    await pause(50);
  }
  const { begun, error } = await ended;
  assert.deepEqual([begun, error], [COUNT, undefined]);
  const grown = most.all - before.all;
  const flood = await page.call("finish", "flood");
  assert.ok(flood.errors.every(({ code, outcome }) => code === "QUEUE_FULL" && outcome === "not-sent"), JSON.stringify(flood.errors));
  const taken = flood.lines.filter(([, state]) => state === "acked").length;
  assert.ok(taken >= 10 && taken <= PENDING / SIZE, `${taken} were taken, ${JSON.stringify(flood.kinds)}`);
  const lines = [...warm.lines, ...flood.lines, ...Array.from({ length: COUNT }, (_, n) => [`much/${n}`, "acked"])];
  const ledger = await stage.ledger("pressure", lines);
  assert.equal(ledger.acked, COUNT + warm.lines.length + taken);
  assert.ok(grown <= PENDING + MIB, `the page grew by ${(grown / MIB).toFixed(2)} MiB: ${JSON.stringify({ before, most })}`);
  assert.ok(held <= PENDING + MIB, `going on it held ${(held / MIB).toFixed(2)} MiB more`);
  await page.leave(stage.complaints);
  return { ...ledger, stalledAt, taken, grownMiB: (grown / MIB).toFixed(2), heldMiB: (held / MIB).toFixed(2), before, most };
}

/** A stream whose sends fail says so, and no rejection is left over. */
export async function stream(stage) {
  const page = await stage.page();
  await page.open();
  await page.call("startStream", "good", "main", { topic: "stream", prefix: "stream", count: 500, size: 200 });
  const { begun, error } = await page.call("finishStream", "good");
  assert.deepEqual([begun, error], [500, undefined]);
  const ledger = await allAcked(stage, "stream", Array.from({ length: 500 }, (_, n) => [`stream/${n}`, "acked"]));
  await page.call("startStream", "bad", "main", { topic: "no topic\u0001", prefix: "bad", count: 5, size: 10 });
  const ended = await page.call("finishStream", "bad");
  assert.equal(ended.error?.code, "INVALID", JSON.stringify(ended));
  await page.leave(stage.complaints);
  return ledger;
}
