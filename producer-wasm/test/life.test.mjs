// The life of a page, transactions, requests, compression.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { inside, inWorld, producerOf, unhandled } from "./lib/harness.mjs";
import { failure } from "./lib/util.mjs";
import { deflated, frameOf, replyTo, storedOf } from "./lib/wire.mjs";

const message = (body = "hello", more = {}) => ({ topic: "t", body, ...more });

/** Runs with a page around: fake `document` and `window`. */
function inPage(test) {
  return inWorld(async (world) => {
    const page = { document: new EventTarget(), window: new EventTarget() };
    page.document.visibilityState = "visible";
    page.tell = (target, type, more) => page[target].dispatchEvent(Object.assign(new Event(type), more));
    page.hide = (state) => {
      page.document.visibilityState = state;
      page.tell("document", "visibilitychange");
    };
    const global = new EventTarget();
    const put = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true });
    put("document", page.document);
    put("window", page.window);
    put("addEventListener", global.addEventListener.bind(global));
    put("removeEventListener", global.removeEventListener.bind(global));
    page.online = () => global.dispatchEvent(new Event("online"));
    try {
      await test(world, page);
    } finally {
      for (const name of ["document", "window", "addEventListener", "removeEventListener"]) delete globalThis[name];
    }
  });
}

for (const [name, leave, options] of [
  ["is hidden", (page) => page.hide("hidden"), {}],
  ["goes away", (page) => page.tell("window", "pagehide"), { onHidden: "keep" }],
]) {
  test(`what waits is written in the turn in which the page ${name}`, inPage(async (world, page) => {
    world.brokers.length = 1;
    const producer = await producerOf(world, options);
    await world.settled(producer.send(message("warm")));
    const socket = world.sockets.find(({ target }) => target !== "ns");
    const before = socket.bufferedAmount;
    const sending = producer.send(message("last", { topic: "t" }));
    const buffered = () => world.sockets.reduce((sum, { bufferedAmount }) => sum + bufferedAmount, 0);
    assert.equal(buffered(), before);
    leave(page);
    assert.ok(buffered() > 0, "without waiting for the end of the turn");
    await world.settled(sending);
    await world.settled(producer.close());
    leave(page);
  }));
}

for (const [name, back] of [
  ["online", (page) => page.online()],
  ["visible", (page) => page.hide("visible")],
  ["out of the cache", (page) => page.tell("window", "pageshow", { persisted: true })],
]) {
  test(`a page that is ${name} again dials at once`, inPage(async (world, page) => {
    world.on.connect = () => ({ close: [4502, ""] });
    const producer = await producerOf(world, { timeoutMs: 60_000, reconnect: { minMs: 20_000, maxMs: 20_000 } });
    const sending = producer.send(message());
    await world.pass(5_000);
    world.on.connect = () => ({});
    const dials = world.sockets.length;
    back(page);
    await world.pass(100);
    assert.ok(world.sockets.length > dials, "it dialled");
    await world.settled(sending);
    assert.ok(world.now < 15_000);
    await world.settled(producer.close());
    back(page);
  }));
}

test("a page that is shown for the first time is nothing new", inPage(async (world, page) => {
  const producer = await producerOf(world);
  page.tell("window", "pageshow", { persisted: false });
  await world.pass(100);
  assert.equal(world.sockets.length, 0);
  await world.settled(producer.close());
}));

// ---- transactions

const ends = (world) => world.requests.filter(({ code }) => code === 37).map(({ fields }) => fields);

test("a transaction: commit, roll back, leave open, dispose; each ends once", inWorld(async (world) => {
  const producer = await producerOf(world);
  const begin = (body) => world.settled(producer.begin(message(body)));
  const committed = await begin("commit");
  assert.equal(world.stored[0].properties.TRAN_MSG, "true");
  assert.equal(committed.id, committed.receipt.messageId);
  assert.equal(committed.commit(), true);
  assert.equal(committed.commit(), false);
  assert.equal(committed.rollback(), false);
  (await begin("rollback")).rollback("because");
  (await begin("open")).leaveOpen();
  await (await begin("dispose"))[Symbol.asyncDispose]();
  await world.pass(100);
  assert.deepEqual(ends(world).map(({ commitOrRollback }) => commitOrRollback).filter((n) => n !== "0"), ["8", "12", "12"]);
  assert.ok(ends(world).every(({ fromTransactionCheck }) => fromTransactionCheck === "false"));
  await world.settled(producer.close());
  assert.equal(committed.rollback(), false);
}));

test("sendInTransaction: as the function decides, and back if it fails", inWorld(async (world) => {
  const producer = await producerOf(world);
  const done = await world.settled(producer.sendInTransaction(message("1"), async ({ messageId }) => (messageId ? "commit" : "rollback")));
  assert.equal(done.decision, "commit");
  const boom = new Error("boom");
  assert.equal(await world.fails(producer.sendInTransaction(message("2"), () => { throw boom; })), boom);
  const nonsense = await world.fails(producer.sendInTransaction(message("3"), () => "yes"));
  assert.equal(nonsense.code, "INVALID");
  assert.equal((await world.fails(producer.sendInTransaction(message("4")))).code, "INVALID");
  await world.pass(100);
  assert.deepEqual(ends(world).map(({ commitOrRollback }) => commitOrRollback), ["8", "12", "12"]);
  assert.ok(!world.has("4"), "nothing is sent before it is known what to run");
  await world.settled(producer.close());
}));

test("a broker's question is answered, also when it cannot be", inWorld(async (world) => {
  const asked = [];
  const answers = [() => "commit", async () => "rollback", () => { throw new Error("db"); }, () => "what?"];
  const producer = await producerOf(world, { checkTransaction: (check) => (asked.push(check), answers[asked.length - 1]()) });
  const half = await world.settled(producer.begin(message("half", { properties: { p: "v" } })));
  half.leaveOpen();
  const events = producer.events();
  await world.pass(20);
  const before = ends(world).length;
  const stored = world.stored[0];
  const socket = world.sockets.find(({ target }) => target === world.brokers.find(({ name }) => name === stored.broker).address);
  const question = (body, sysFlag) =>
    frameOf({
      code: 39,
      opaque: 7_000 + asked.length,
      flag: 2,
      fields: { topic: "t", tranStateTableOffset: "5", commitLogOffset: "77", msgId: half.id, transactionId: half.id, offsetMsgId: half.receipt.offsetId },
      body: storedOf({ topic: "t", body, sysFlag, properties: { ...stored.properties, PGROUP: "g", TRANSACTION_CHECK_TIMES: "2" } }),
    });
  // Two at once, the second one's body must not be lost over the first one's answer.
  socket.deliver(Buffer.concat([question(Buffer.from("half"), 0), question(deflated("packed ".repeat(50)), 1)]));
  for (let n = 0; n < 50; n++) await world.pass(1);
  await world.work((async () => { while (ends(world).length < before + 2) await new Promise((resolve) => setImmediate(resolve)); })());
  assert.deepEqual(asked.map(({ body }) => Buffer.from(body).toString()), ["half", "packed ".repeat(50)]);
  assert.equal(asked[0].times, 2);
  assert.equal(asked[0].topic, "t");
  assert.equal(asked[0].properties.p, "v");
  for (let n = 0; n < 2; n++) socket.deliver(question(Buffer.from("half"), 0));
  await world.pass(100);
  // zlib that is none: unknown, and a hint.
  socket.deliver(question(Buffer.from("no zlib"), 1));
  await world.work((async () => { while (ends(world).length < before + 5) await new Promise((resolve) => setImmediate(resolve)); })());
  assert.deepEqual(ends(world).slice(before).map(({ commitOrRollback }) => commitOrRollback).sort(), ["0", "0", "0", "12", "8"]);
  assert.ok(ends(world).slice(before).every(({ fromTransactionCheck }) => fromTransactionCheck === "true"));
  const closing = producer.close();
  await world.settled(closing);
  const hints = [];
  for await (const event of events) if (event.type === "hint") hints.push(event.text);
  assert.equal(hints.length, 3, hints.join());
}));

test("questions and replies that come together keep their bodies apart", inWorld(async (world) => {
  // Nobody is there to be asked: the answer is given at once, in the middle of the outputs.
  const producer = await producerOf(world);
  world.on.request = (request, socket) => {
    if (request.code !== 310 || !request.fields.i.includes("REPLY_TO_CLIENT")) return {};
    const properties = Object.fromEntries(request.fields.i.split("\u0002").filter(Boolean).map((pair) => pair.split("\u0001")));
    const check = frameOf({
      code: 39, opaque: 1, flag: 2,
      fields: { topic: "t", tranStateTableOffset: "5", commitLogOffset: "7", msgId: "x", transactionId: "x" },
      body: storedOf({ topic: "t", body: Buffer.from("asked"), properties: { PGROUP: "g", UNIQ_KEY: "7F0000010000000000000000000A0000" } }),
    });
    world.at(20, () => socket.deliver(Buffer.concat([check, replyTo(properties, "the reply")])));
    return {};
  };
  const reply = await world.settled(producer.request(message("ask")));
  assert.equal(Buffer.from(reply.body).toString(), "the reply");
  await world.settled(producer.close());
}));

test("request and reply: a reply, a packed one, a broken one, none, and an abort", inWorld(async (world) => {
  const producer = await producerOf(world, { timeoutMs: 1_000 });
  let how = (properties) => replyTo(properties, "pong");
  world.on.request = (request, socket) => {
    if (request.code !== 310) return {};
    const properties = Object.fromEntries(request.fields.i.split("\u0002").filter(Boolean).map((pair) => pair.split("\u0001")));
    assert.equal(properties.REPLY_TO_CLIENT, producer.clientId);
    const reply = how(properties);
    if (reply) world.at(30, () => socket.deliver(reply));
    return {};
  };
  const reply = await world.settled(producer.request(message("ping")));
  assert.deepEqual([Buffer.from(reply.body).toString(), reply.flag, reply.from, reply.properties.r], ["pong", 3, "10.9.9.9:1", "1"]);
  how = (properties) => replyTo(properties, deflated("pong ".repeat(99)), 1);
  const packed = await world.work(producer.request(message("ping")));
  assert.equal(Buffer.from(packed.body).toString(), "pong ".repeat(99));
  how = (properties) => replyTo(properties, "no zlib", 1);
  const broken = await world.work(failure(producer.request(message("ping"))));
  assert.deepEqual([broken.code, broken.outcome], ["BROKER", "unknown"]);
  how = () => undefined;
  const none = await world.fails(producer.request(message("ping")));
  assert.deepEqual([none.code, none.outcome], ["NO_REPLY", "unknown"]);
  const stop = new AbortController();
  const aborted = failure(producer.request(message("ping"), { signal: stop.signal }));
  await world.pass(50);
  stop.abort();
  assert.deepEqual([(await aborted).code, (await aborted).outcome], ["ABORTED", "unknown"]);
  await world.settled(producer.close());
}));

// ---- compression

test("long bodies go as zlib with the flag that Java reads, and keep their lane's order", inWorld(async (world) => {
  const producer = await producerOf(world, { compressOver: 1_000, timeoutMs: 60_000 });
  const long = (n) => `${n} ${"abc".repeat(2_000)}`;
  const bodies = [];
  const sends = [];
  for (let n = 0; n < 12; n++) {
    const body = n % 3 === 0 ? `${n}` : long(n);
    bodies.push(body);
    const one = message(body, { orderingKey: "k", properties: { n: `${n}` } });
    sends.push(n % 2 === 0 ? producer.send(one) : producer.trySend(one));
    // It is read at the call.
    one.properties.n = one.body = "changed";
  }
  sends.push(producer.sendBatch("t", [{ body: "12", orderingKey: "k" }]));
  bodies.push("12");
  const random = crypto.getRandomValues(new Uint8Array(3_000));
  sends.push(producer.send({ topic: "u", body: random }));
  const kept = random.slice();
  random.fill(0);
  let flushed;
  const all = Promise.all(sends);
  const flush = producer.flush().then(() => (flushed = world.stored.length));
  await world.work(Promise.all([all, flush]));
  assert.equal(flushed, 14);
  const lane = world.stored.filter(({ topic }) => topic === "t");
  const bodyOf = ({ body, sysFlag }) => ((sysFlag & 1) === 1 ? inflateSync(body) : body).toString();
  assert.deepEqual(lane.map(bodyOf), bodies);
  assert.deepEqual(lane.slice(0, 12).map(({ properties }) => properties.n), [...Array(12).keys()].map(String));
  for (const { body, sysFlag } of lane.filter(({ sysFlag }) => sysFlag & 1)) {
    assert.equal((sysFlag >> 8) & 7, 3, "zlib, as MessageSysFlag has it");
    assert.equal(body[0], 0x78);
    assert.ok(body.length < 200);
  }
  assert.equal(lane.filter(({ sysFlag }) => sysFlag & 1).length, 8);
  const plain = world.stored.find(({ topic }) => topic === "u");
  assert.deepEqual([plain.sysFlag & 1, Buffer.compare(plain.body, kept)], [0, 0], "what does not get shorter goes as it is");
  await world.settled(producer.close());
}));

test("bodies that are being compressed are in hand: they fill the queue, and a close waits for them", inWorld(async (world) => {
  const producer = await producerOf(world, { compressOver: 100, maxPendingBytes: 100_000, timeoutMs: 60_000 });
  const body = "x".repeat(20_000);
  const sends = [producer.send(message(body))];
  assert.ok(producer.desiredSize < 80_000);
  while (producer.desiredSize > 65_000) sends.push(producer.send(message(body)));
  assert.equal(producer.trySend(message(body)), null);
  assert.equal((await failure(producer.send(message(body)))).code, "QUEUE_FULL");
  assert.equal(producer.trySend(message("y".repeat(50), { topic: "t" })) === null, false);
  const report = await world.work(producer.close({ deadlineMs: 60_000 }));
  await world.settled(Promise.all(sends));
  assert.ok(report.acked >= sends.length);
  assert.equal((await failure(producer.send(message(body)))).code, "CLOSED");
  assert.equal(unhandled.length, 0);
}));

test("an abort while the body is being compressed: not sent", inWorld(async (world) => {
  const producer = await producerOf(world, { compressOver: 10 });
  const stop = new AbortController();
  const sending = failure(producer.send(message("x".repeat(5_000)), { signal: stop.signal }));
  stop.abort();
  const error = await world.work(sending);
  assert.deepEqual([error.code, error.outcome], ["ABORTED", "not-sent"]);
  await world.settled(producer.close());
  assert.equal(world.stored.length, 0);
}));

test("zlib of others is unpacked up to 16 MiB", async () => {
  const bomb = new Uint8Array(deflated(Buffer.alloc(17 << 20)));
  const error = await failure(inside.unpacked(bomb, 1));
  assert.equal(error.code, "TOO_LARGE");
  assert.equal((await inside.unpacked(new Uint8Array(deflated("abc")), 1 | (3 << 8))).length, 3);
  assert.equal((await inside.unpacked(bomb, 1 | (1 << 8))).length, bomb.length, "LZ4 is left as it is");
});
