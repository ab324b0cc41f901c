// What is wrong is said: a code, an outcome, and a sentence that tells what to do. Never a rejection
// that nobody handles.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fresh, inWorld, producerOf, RocketError, wasm } from "./lib/harness.mjs";
import { failure } from "./lib/util.mjs";

const message = (body = "hello", more = {}) => ({ topic: "t", body, ...more });

/** What every error of the package is. */
function check(error, code, text, outcome = "not-sent") {
  assert.ok(error instanceof RocketError, String(error?.stack ?? error));
  assert.ok(error instanceof Error && error.name === "RocketError");
  assert.deepEqual([error.code, error.outcome], [code, outcome], error.message);
  assert.match(error.message, text);
  assert.equal(typeof error.retryable, "boolean");
}

const nothing = null;
for (const [name, options, text] of [
  ["no options", nothing, /connect wants/],
  ["a misspelt option", { timeout: 5 }, /no option "timeout"; there are: bridge/],
  ["no bridge", { bridge: undefined }, /bridge is of type undefined; wanted: a URL/],
  ["a bridge that is no URL", { bridge: "bridge" }, /bridge is "bridge"; wanted: a URL such as wss:/],
  ["a bridge of another scheme", { bridge: "ftp://x/" }, /begins with ftp:; wanted: wss: or ws:/],
  ["a token in the URL", { bridge: "wss://x/?token=1" }, /tokens are given by `token`/],
  ["a user in the URL", { bridge: "wss://a:b@x/" }, /tokens are given by `token`/],
  ["no group", { group: undefined }, /group is of type undefined; wanted: a string/],
  ["an empty group", { group: "" }, /group/],
  ["a group with blanks", { group: "a b" }, /group/],
  ["an empty token", { token: "" }, /token is empty/],
  ["a token that is none", { token: 5 }, /token is of type number; wanted: a string or a function/],
  ["NaN for a time", { timeoutMs: NaN }, /timeoutMs is NaN; wanted: milliseconds/],
  ["a negative time", { attemptTimeoutMs: -1 }, /attemptTimeoutMs is -1/],
  ["half a retry", { retries: 0.5 }, /retries is 0.5; wanted: a whole number/],
  ["an unknown onUnknown", { onUnknown: "maybe" }, /onUnknown/],
  ["an unknown require", { require: "all" }, /require is "all"; wanted: "stored"/],
  ["an unknown onHidden", { onHidden: "close" }, /onHidden is "close"; wanted: "flush" or "keep"/],
  ["a check that is none", { checkTransaction: "commit" }, /checkTransaction is of type string; wanted: a function/],
  ["a limit that is none", { maxPendingBytes: "4 MiB" }, /maxPendingBytes is 4 MiB/],
  ["a pause that is none", { reconnect: { minMs: Infinity } }, /reconnect.minMs is Infinity/],
  ["a control character", { namespace: "a\u0001b" }, /namespace holds a control character/],
]) {
  test(`connect with ${name}`, inWorld(async (world) => {
    const { connect } = await fresh(() => wasm);
    const given = options && { bridge: "wss://b.test", group: "g", webSocket: world.WebSocket, ...options };
    const error = await failure(connect(given));
    assert.equal(error.name, "RocketError");
    assert.deepEqual([error.code, error.outcome], ["INVALID", "not-sent"]);
    assert.match(error.message, text);
    await world.pass(1_000);
    assert.equal(world.sockets.length, 0);
  }));
}

test("an environment without WebSocket is told where there is one", inWorld(async () => {
  const { connect } = await fresh(() => wasm);
  const before = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  Object.defineProperty(globalThis, "WebSocket", { value: undefined, configurable: true });
  const error = await failure(connect({ bridge: "wss://b.test", group: "g" }));
  if (before) Object.defineProperty(globalThis, "WebSocket", before);
  else delete globalThis.WebSocket;
  assert.match(error.message, /no WebSocket.*give `webSocket`/);
}));

const detached = new ArrayBuffer(8);
structuredClone(detached, { transfer: [detached] });
const gone = new Uint8Array(8);
structuredClone(gone.buffer, { transfer: [gone.buffer] });

for (const [name, given, text, code = "INVALID"] of [
  ["nothing", [undefined], /the message is of type undefined; wanted: \{ topic, body \}/],
  ["null", [null], /the message is null/],
  ["a text", ["hello"], /the message is of type string/],
  ["no topic", [{ body: "x" }], /topic is of type undefined; wanted: a string/],
  ["an empty topic", [{ topic: "", body: "x" }], /topic/],
  ["a topic with blanks", [{ topic: "a b", body: "x" }], /topic/],
  ["no body", [{ topic: "t" }], /body is of type undefined; wanted: Uint8Array/],
  ["a number for a body", [message(5)], /body is of type number/],
  ["a view of another kind", [message(new Float64Array(1))], /body is Float64Array; wanted: Uint8Array/],
  ["a detached ArrayBuffer", [message(detached)], /detached.*transferred away/],
  ["a detached Uint8Array", [message(gone)], /detached.*transferred away/],
  ["5 MB", [message(new Uint8Array(5 << 20))], /5242880.*4194304|too (large|long)|longer than/i, "TOO_LARGE"],
  ["keys that are no strings", [message("x", { keys: [5] })], /key is of type number; wanted: a string/],
  ["a key with blanks", [message("x", { keys: ["a b"] })], /key/i],
  ["one key", [message("x", { keys: "a" })], /keys are of type string; wanted: an array/],
  ["a property that is no string", [message("x", { properties: { a: 1 } })], /property a is of type number/],
  ["a property of the system", [message("x", { properties: { UNIQ_KEY: "1" } })], /UNIQ_KEY/],
  ["null for properties", [message("x", { properties: null })], /properties are null/],
  ["a Map for properties", [message("x", { properties: new Map([["a", "b"]]) })], /properties are Map; wanted: an object/],
  ["a control character", [message("x", { tag: "\u0002" })], /tag holds a control character/],
  ["an order of another kind", [message("x", { orderingKey: "k" }), { order: "loose" }], /order is "loose"; wanted: "strict" or "available"/],
  ["no Date", [message("x", { deliverAt: new Date(NaN) })], /deliverAt is NaN/],
  ["null for a date", [message("x", { deliverAt: null })], /deliverAt is null/],
  ["a delay level of none", [message("x", { delayLevel: 1.5 })], /delayLevel is 1.5; wanted: a whole number/],
  ["a delay level out of range", [message("x", { delayLevel: 1e9 })], /delay/],
  ["NaN for a time", [message(), { timeoutMs: NaN }], /timeoutMs is NaN; wanted: milliseconds/],
  ["no time", [message(), { timeoutMs: 0 }], /timeoutMs is 0; wanted: more/],
  ["a text for a time", [message(), { timeoutMs: "1000" }], /timeoutMs is 1000/],
  ["a queue that is none", [message(), { queue: null }], /queue is null; wanted: \{ broker, queueId \}/],
  ["a queue without a broker", [message(), { queue: { queueId: 1 } }], /queue.broker is of type undefined/],
  ["a signal that is none", [message(), { signal: {} }], /signal is Object; wanted: an AbortSignal/],
  ["options that are none", [message(), 5], /options are of type number/],
  ["an id that is none", [message(), { messageId: "x" }], /message id is not 32 hex digits/],
  ["an unknown require", [message(), { require: "much" }], /require is "much"/],
]) {
  test(`send ${name}`, inWorld(async (world) => {
    const producer = await producerOf(world);
    check(await world.fails(producer.send(...given)), code, text);
    check(await world.fails(producer.trySend(...given)), code, text);
    check(await world.fails(producer.begin(...given)), code, text);
    check(await world.fails(producer.request(...given)), code, text);
    assert.throws(() => producer.sendOneway(...given), (error) => (check(error, code, text), true));
    // And it goes on.
    await world.settled(producer.send(message("right")));
    await world.settled(producer.close());
    assert.equal(world.stored.length, 1);
  }));
}

test("batches that are none", inWorld(async (world) => {
  const producer = await producerOf(world);
  const fails = (...given) => world.fails(producer.sendBatch(...given));
  check(await fails("t", []), "INVALID", /batch is empty/);
  check(await fails("t"), "INVALID", /batch is of type undefined; wanted: an array/);
  check(await fails("t", [null]), "INVALID", /message is null/);
  check(await fails("t", [{ body: "1" }, { body: 2 }]), "INVALID", /body is of type number/);
  check(await fails("t", [{ body: "1", orderingKey: "a" }, { body: "2" }]), "INVALID", /one orderingKey, or none/);
  check(await fails("t", [{ body: "1" }, { body: "2", keys: ["a b"] }]), "INVALID", /key/i);
  check(await fails("t", [{ body: "1" }, { body: "2", delayLevel: 3 }]), "INVALID", /batch|delay/i);
  check(await fails(5, [{ body: "1" }]), "INVALID", /topic is of type number/);
  check(await fails("t", [{ body: "1" }], { timeoutMs: NaN }), "INVALID", /timeoutMs is NaN/);
  const receipts = await world.settled(producer.sendBatch("t", [{ body: "3" }]));
  assert.equal(receipts.length, 1);
  assert.deepEqual(world.stored.map(({ text }) => text), ["3"], "nothing of the others is left over");
  await world.settled(producer.close());
}));

test("an unknown topic", inWorld(async (world) => {
  world.topics = ["known"];
  const producer = await producerOf(world);
  world.brokers = [];
  const error = await world.fails(producer.send(message("x", { topic: "nowhere" })));
  check(error, "NO_ROUTE", /knows the topic.*create the topic/s);
  check(await world.fails(producer.route("nowhere")), "NO_ROUTE", /knows the topic/);
  await world.settled(producer.close());
}));

test("a route, and what is none", inWorld(async (world) => {
  const producer = await producerOf(world);
  const route = await world.settled(producer.route("t", { connect: true }));
  assert.deepEqual(JSON.parse(JSON.stringify(route)), {
    topic: "t",
    queues: ["a", "b"].flatMap((broker) => [0, 1].map((queueId) => ({ broker, queueId }))),
  });
  await world.pass(50);
  assert.equal(world.sockets.length, 3, "its brokers are dialled");
  const pinned = await world.settled(producer.send(message(), { queue: { broker: "b", queueId: 1 } }));
  assert.deepEqual([pinned.broker, pinned.queueId], ["b", 1]);
  check(await world.fails(producer.send(message(), { queue: { broker: "z", queueId: 1 } })), "NO_ROUTE", /chosen queue is not in the topic's route/);
  check(await world.fails(producer.route(5)), "INVALID", /topic is of type number/);
  check(await world.fails(producer.route("t", { timeoutMs: NaN })), "INVALID", /timeoutMs is NaN/);
  await world.settled(producer.close());
}));

// ---- the module

const html = () => new Response("<!doctype html>", { headers: { "content-type": "text/html" } });
for (const [name, source, text] of [
  ["missing", () => new Response("no", { status: 404 }), /cannot be fetched: .* answers 404.*serve rocketmq_bg\.wasm beside the script/s],
  ["another file", html, /is no wasm file \(content type text\/html.*serve rocketmq_bg\.wasm as application\/wasm/s],
  ["empty", () => new Response(new Uint8Array()), /is no wasm file/],
  ["cut off", () => wasm.subarray(0, 1_000), /cannot be loaded/],
  ["not to be fetched", async () => { throw new TypeError("Failed to fetch"); }, /cannot be loaded: TypeError: Failed to fetch.*serve rocketmq_bg\.wasm/s],
  ["forbidden by the page", async () => { throw new WebAssembly.CompileError("violates Content Security Policy: 'unsafe-eval'"); }, /script-src 'wasm-unsafe-eval'/],
]) {
  test(`a wasm file that is ${name}: told, and tried again by the next connect`, inWorld(async (world) => {
    let right = false;
    const { connect } = await fresh(() => (right ? new Response(wasm, { headers: { "content-type": "text/plain" } }) : source()));
    const options = { bridge: "wss://b.test", group: "g", webSocket: world.WebSocket };
    const error = await failure(connect(options));
    assert.deepEqual([error.name, error.code, error.outcome], ["RocketError", "WASM", "not-sent"]);
    assert.match(error.message, text);
    right = true;
    const producer = await connect(options);
    await world.settled(producer.send(message()));
    await world.settled(producer.close());
  }));
}

test("a connect that is given up says so, and the next one works", inWorld(async (world) => {
  let answer;
  const { connect } = await fresh(() => new Promise((resolve) => (answer = () => resolve(wasm))));
  const options = { bridge: "wss://b.test", group: "g", webSocket: world.WebSocket };
  const stop = new AbortController();
  const connecting = failure(connect(options, { signal: stop.signal }));
  await world.pass(10);
  stop.abort("enough");
  const error = await connecting;
  assert.deepEqual([error.code, error.outcome, error.cause], ["ABORTED", "not-sent", "enough"]);
  assert.equal((await failure(connect(options, { signal: stop.signal }))).code, "ABORTED");
  const next = connect(options);
  answer();
  await (await next).close();
}));
