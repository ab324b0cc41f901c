import assert from "node:assert/strict";
import { test } from "node:test";
import { inWorld, producerOf, RocketError, inside } from "./lib/harness.mjs";

const message = (body = "hello", more = {}) => ({ topic: "t", body, ...more });

test("a message is stored, and the receipt says where", inWorld(async (world) => {
  const producer = await producerOf(world);
  const receipt = await world.settled(producer.send(message("hello", { tag: "created", keys: ["k1", "k2"], properties: { p: "é" } })));
  const [stored] = world.stored;
  assert.equal(stored.text, "hello");
  assert.equal(stored.properties.TAGS, "created");
  assert.equal(stored.properties.KEYS, "k1 k2");
  assert.equal(stored.properties.p, "é");
  assert.equal(stored.properties.UNIQ_KEY, receipt.messageId);
  assert.equal(receipt.broker, stored.broker);
  assert.equal(receipt.queueId, stored.queueId);
  assert.equal(receipt.status, "SEND_OK");
  assert.ok(Object.isFrozen(receipt));
  assert.deepEqual(JSON.parse(JSON.stringify(receipt)), { ...receipt });
  const report = await world.settled(producer.close());
  assert.deepEqual({ ...report }, { acked: 0, written: 0, notSent: 0, rejected: 0, unknown: 0, unknownIds: [] });
  assert.equal(world.sockets.every(({ readyState }) => readyState === 3 || readyState === 2), true);
  await world.pass(100);
  assert.equal(world.pending, 0, "no timer is left that would keep Node alive");
}));

/** The error of a promise that fails some time; nothing is awaited. */
const failure = (promise) => promise.then((value) => assert.fail(`it did not fail: ${JSON.stringify(value)}`), (error) => error);
const full = { maxPendingMessages: 3 };
/** Nothing is answered until the test says so. */
const mute = (world) => {
  const held = [];
  world.on.request = (request, socket) => (request.code === 310 && held ? (held.push({ request, socket }), { mute: true }) : {});
  return held;
};

test("abort: before the call, before it left, after it left, and after the receipt", inWorld(async (world) => {
  const producer = await producerOf(world);
  const aborted = AbortSignal.abort("why");
  let error = await world.fails(producer.send(message("before"), { signal: aborted }));
  assert.deepEqual([error.code, error.outcome, error.cause], ["ABORTED", "not-sent", "why"]);

  const early = new AbortController();
  const first = failure(producer.send(message("early"), { signal: early.signal }));
  early.abort();
  error = await world.settled(first);
  assert.deepEqual([error.code, error.outcome], ["ABORTED", "not-sent"]);
  await world.pass(1_000);
  assert.equal(world.sends.length, 0, "its frame never leaves");

  await world.settled(producer.send(message("warm")));
  world.on.request = () => ({ late: 500 });
  const late = new AbortController();
  const begun = world.now;
  const second = failure(producer.send(message("late"), { signal: late.signal }));
  await world.pass(100);
  late.abort();
  error = await world.settled(second);
  assert.deepEqual([error.code, error.outcome], ["ABORTED", "unknown"]);
  assert.ok(world.now - begun < 150, "at once");
  assert.ok(world.has("late"));
  await world.pass(1_000);

  world.on.request = () => ({});
  const after = new AbortController();
  const receipt = await world.settled(producer.send(message("after"), { signal: after.signal }));
  after.abort();
  await world.pass(100);
  assert.equal(receipt.status, "SEND_OK");
  assert.equal(producer.stats().cancelled, 2);
  await world.settled(producer.close());
}));

test("an aborted flush, request, batch and connect say so", inWorld(async (world) => {
  const producer = await producerOf(world);
  mute(world);
  const pending = failure(producer.send(message()));
  const stop = new AbortController();
  const flush = failure(producer.flush({ signal: stop.signal }));
  const batch = failure(producer.sendBatch("t", [{ body: "1" }], { signal: stop.signal }));
  const request = failure(producer.request(message(), { signal: stop.signal }));
  stop.abort();
  for (const error of await world.settled(Promise.all([flush, batch, request]))) assert.equal(error.code, "ABORTED");
  const error = await world.fails(producer.flush({ signal: AbortSignal.abort() }));
  assert.match(error.message, /the flush was aborted/);
  assert.equal((await world.settled(pending)).outcome, "unknown");
  // An aborted batch leaves nothing behind for the next one.
  world.on.request = () => ({});
  assert.equal((await world.fails(producer.sendBatch("t", [{ body: "gone" }], { signal: AbortSignal.abort() }))).code, "ABORTED");
  assert.equal((await world.settled(producer.sendBatch("t", [{ body: "kept" }]))).length, 1);
  assert.equal(world.has("gone"), false);
  await world.settled(producer.close());
}));

test("a full queue: send rejects, trySend gives null, sendOneway throws, ready waits", inWorld(async (world) => {
  const producer = await producerOf(world, full);
  await world.settled(producer.send(message("warm")));
  assert.ok(producer.desiredSize > 0);
  await producer.ready;
  mute(world);
  const sends = [1, 2, 3].map((n) => failure(producer.send(message(`m${n}`), { timeoutMs: 400 })));
  assert.ok(producer.desiredSize <= 0);
  const error = await world.fails(producer.send(message("4")));
  assert.deepEqual([error.code, error.outcome, error.retryable], ["QUEUE_FULL", "not-sent", true]);
  assert.equal(producer.trySend(message("5")), null);
  assert.throws(() => producer.sendOneway(message("6")), { code: "QUEUE_FULL", outcome: "not-sent" });
  let ready = false;
  const wait = producer.ready.then(() => (ready = true));
  await world.pass(100);
  assert.equal(ready, false);
  for (const send of sends) assert.equal((await world.settled(send)).code, "TIMEOUT");
  await world.settled(wait);
  assert.ok(ready);
  world.on.request = () => ({});
  assert.ok(await world.settled(producer.trySend(message("7"))));
  await world.settled(producer.close());
}));

test("a socket that takes nothing does not make the page grow", inWorld(async (world) => {
  const limit = 256 << 10;
  const producer = await producerOf(world, { maxPendingBytes: limit, timeoutMs: 200, attemptTimeoutMs: 100, retries: 0 });
  await world.settled(producer.send(message("warm")));
  world.on.connect = () => ({ then: (socket) => (socket.stalled = socket.target !== "ns") });
  for (const socket of world.sockets) socket.stalled = socket.target !== "ns";
  const body = new Uint8Array(16 << 10);
  let most = 0;
  let refused = 0;
  for (let n = 0; n < 3_000; n++) {
    producer.send({ topic: "t", body }).catch((error) => (refused += error.code === "QUEUE_FULL" ? 1 : 0));
    const { bytesInHand, bufferedBytes } = producer.stats();
    const buffered = world.sockets.reduce((sum, socket) => sum + (socket.readyState === 3 ? 0 : socket.bufferedAmount), 0);
    assert.equal(bufferedBytes, buffered, "what closing sockets hold counts as well");
    most = Math.max(most, bytesInHand / 2 + buffered);
    if (n % 8 === 0) await world.pass(5);
  }
  assert.ok(most <= limit + (1 << 20), `${most}`);
  assert.ok(most > 1 << 20 && refused > 1_000, `${most} ${refused}`);
  await world.settled(producer.close({ deadlineMs: 10 }));
}));

test("a stream waits for room, also for a chunk that is larger than what is free", inWorld(async (world) => {
  const producer = await producerOf(world, { maxPendingBytes: 10_000, timeoutMs: 30_000 });
  const writer = producer.writable({ topic: "t" }).getWriter();
  const bodies = [...Array(20).keys()].map((n) => `${n} ${"x".repeat(1_500 + 300 * (n % 7))}`);
  for (const body of bodies) void writer.write(body);
  await world.settled(writer.close());
  assert.deepEqual(world.stored.map(({ text }) => text).sort(), bodies.slice().sort());
  // Errors of the last ones are not lost.
  world.on.request = (request) => (request.code === 310 ? { code: 13, remark: "illegal" } : {});
  const failing = producer.writable().getWriter();
  failing.closed.catch(() => undefined);
  failing.write(message("bad")).catch(() => undefined);
  const error = await world.fails(failing.close());
  assert.equal(error.code, "BROKER");
  assert.equal(error.responseCode, 13);
  const bare = producer.writable().getWriter();
  bare.closed.catch(() => undefined);
  assert.equal((await world.fails(bare.write("no topic"))).code, "INVALID");
  await world.settled(producer.close());
}));

test("flush waits for all before it and for none after it", inWorld(async (world) => {
  const producer = await producerOf(world);
  await world.settled(producer.send(message("warm")));
  let acked = 0;
  const order = [];
  world.on.request = ({ body }) => ({ late: body.toString() === "after" ? 500 : 20 });
  void producer.send(message("1")).then(() => (acked += 1));
  void producer.sendBatch("t", [{ body: "2" }]).then(() => (acked += 1));
  void producer.begin(message("3")).then((transaction) => ((acked += 1), transaction.leaveOpen()));
  const flush = producer.flush().then(() => order.push(`flush ${acked}`));
  void producer.send(message("after")).then(() => order.push("after"));
  await world.settled(flush);
  assert.deepEqual(order, ["flush 3"]);
  await world.settled(producer.flush());
  assert.deepEqual(order, ["flush 3", "after"]);
  await world.settled(producer.close());
}));

test("close finishes what is in hand, refuses more, and says the same again", inWorld(async (world) => {
  const producer = await producerOf(world);
  const first = producer.send(message("1"));
  const bad = await world.fails(producer.close({ deadlineMs: NaN }));
  assert.equal(bad.code, "INVALID");
  const closing = producer.close();
  assert.equal(producer.close(), closing);
  const error = await world.fails(producer.send(message("2")));
  assert.deepEqual([error.code, error.outcome], ["CLOSED", "not-sent"]);
  assert.throws(() => producer.sendOneway(message()), { code: "CLOSED" });
  assert.equal((await world.fails(producer.trySend(message()))).code, "CLOSED");
  assert.equal((await world.fails(producer.request(message()))).code, "CLOSED");
  assert.equal((await world.fails(producer.sendBatch("t", [{ body: "x" }]))).code, "CLOSED");
  assert.equal((await world.fails(producer.route("t"))).code, "CLOSED");
  await producer.ready;
  const report = await world.settled(closing);
  await first;
  assert.equal(report.acked, 1);
  assert.deepEqual(await producer.close(), report);
  await producer.flush();
  assert.equal(producer.desiredSize, 0);
  assert.equal((await producer.events().next()).done, true);
  assert.equal(producer.stats().stored, 1);
  assert.ok(producer.clientId);
  await world.pass(100);
  assert.equal(world.pending, 0);
}));

test("close while dialling ends with its deadline", inWorld(async (world) => {
  world.on.connect = () => ({ never: true });
  const producer = await producerOf(world, { timeoutMs: 60_000 });
  const send = failure(producer.send(message()));
  const begun = world.now;
  const report = await world.settled(producer.close({ deadlineMs: 300 }));
  assert.ok(world.now - begun <= 1_000, `${world.now - begun}`);
  assert.deepEqual([report.notSent, (await send).outcome], [1, "not-sent"]);
  await world.pass(100);
  assert.equal(world.pending, 0);
}));

test("the order of a key is kept: one is under way, others wait", inWorld(async (world) => {
  const producer = await producerOf(world);
  world.on.request = () => ({ late: world.dice.below(50) });
  const sends = [...Array(20).keys()].map((n) => producer.send(message(`${n}`, { orderingKey: "k" })));
  // A batch of the key waits too.
  sends.push(producer.sendBatch("t", [{ body: "20", orderingKey: "k" }, { body: "21", orderingKey: "k" }]));
  await world.settled(Promise.all(sends));
  assert.deepEqual(world.stored.map(({ text }) => text), [...Array(22).keys()].map(String));
  assert.equal(new Set(world.stored.map(({ broker, queueId }) => `${broker} ${queueId}`)).size, 1);
  await world.settled(producer.close());
}));

test("a batch is one request and has a receipt for each message", inWorld(async (world) => {
  const producer = await producerOf(world);
  const receipts = await world.settled(producer.sendBatch("t", [{ body: "1", tag: "a" }, { body: "2", keys: ["k"] }]));
  assert.equal(receipts.length, 2);
  assert.deepEqual(world.stored.map(({ text }) => text), ["1", "2"]);
  assert.deepEqual(receipts.map(({ messageId }) => messageId), world.stored.map(({ properties }) => properties.UNIQ_KEY));
  assert.equal(world.sends.length, 1);
  await world.settled(producer.close());
}));

test("one way: the id once it was written, and no rejection that nobody looks at", inWorld(async (world) => {
  const producer = await producerOf(world);
  await world.settled(producer.send(message("warm")));
  const id = await world.settled(producer.sendOneway(message("x")));
  await world.pass(10);
  assert.equal(world.stored.find(({ text }) => text === "x").properties.UNIQ_KEY, id);
  world.on.connect = () => ({ never: true });
  for (const socket of world.sockets) socket.end(1006);
  producer.sendOneway(message("y"), { timeoutMs: 100 });
  await world.pass(5_000);
  await world.settled(producer.close({ deadlineMs: 1 }));
}));

test("events are bounded, end with the producer and with their signal", inWorld(async (world) => {
  const producer = await producerOf(world);
  const seen = [];
  const looking = (async () => {
    for await (const event of producer.events()) seen.push(event.type);
  })();
  const stop = new AbortController();
  const other = producer.events({ signal: stop.signal });
  const lazy = producer.events();
  await world.settled(producer.send(message()));
  assert.ok(seen.includes("up"));
  stop.abort();
  assert.equal((await other.next()).done, true);
  const { Events } = inside;
  const events = new Events();
  const looker = events.look();
  for (let n = 0; n < 2_000; n++) events.put({ type: "hint", text: `${n}` });
  assert.equal(events.dropped, 2_000 - 1_024);
  assert.equal((await looker.next()).value.text, `${2_000 - 1_024}`);
  await world.settled(producer.close());
  await world.settled(looking);
  assert.equal((await lazy.next()).value.type, "up", "what happened before the end can still be fetched");
  await world.pass(100);
  assert.equal(world.pending, 0);
}));
