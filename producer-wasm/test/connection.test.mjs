// How connections end, what is said of it, tokens, and when it is tried again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inWorld, producerOf } from "./lib/harness.mjs";
import { failure } from "./lib/util.mjs";

const message = (body = "hello", more = {}) => ({ topic: "t", body, ...more });

test("the URL and the subprotocols are those of rmq-tcp.v1", inWorld(async (world) => {
  const producer = await producerOf(world, { bridge: "https://bridge.test/mq/", token: "s3cret/+é" });
  await world.settled(producer.send(message()));
  const [first, second] = world.sockets;
  assert.equal(first.url, "wss://bridge.test/mq/v1/connect/ns");
  assert.match(second.url, /^wss:\/\/bridge\.test\/mq\/v1\/connect\/10\.0\.0\.[12]:10911$/);
  const bearer = `bearer.${Buffer.from("s3cret/+é").toString("base64url")}`;
  assert.deepEqual(first.protocols, ["rmq-tcp.v1", bearer]);
  assert.ok(!world.sockets.some(({ url }) => url.includes("s3cret")));
  await world.settled(producer.close());
}));

for (const [code, reason, expected] of [
  [1001, "", "not-sent"],
  [1012, "restart", "not-sent"],
  [1013, "retry-after=700", "not-sent"],
  [4003, "not in the route", "not-sent"],
  [4502, "connection refused", "not-sent"],
  [4504, "timeout", "not-sent"],
]) {
  test(`a bridge that closes with ${code} before it is open: tried again, nothing is lost`, inWorld(async (world) => {
    let times = 0;
    world.on.connect = (socket) => (socket.target !== "ns" && times++ < 2 ? { close: [code, reason] } : {});
    const producer = await producerOf(world, { timeoutMs: 20_000 });
    const events = producer.events();
    await world.settled(producer.send(message()));
    assert.ok(times >= 2 && world.has("hello"));
    const seen = [];
    void producer.close();
    await world.pass(6_000);
    for await (const event of events) seen.push(event);
    const down = seen.find((event) => event.type === "down" && event.code === code);
    assert.ok(down, JSON.stringify(seen));
    assert.equal(down.reason, reason);
  }));
  test(`only ${code}: the send fails and says why`, inWorld(async (world) => {
    world.on.connect = () => ({ close: [code, reason] });
    const producer = await producerOf(world, { timeoutMs: 2_000 });
    const error = await world.fails(producer.send(message()));
    assert.equal(error.outcome, expected);
    assert.ok(["BRIDGE", "TIMEOUT", "BROKER"].includes(error.code), error.code);
    assert.match(`${error.message} ${error.attempts.map(({ message }) => message)}`, /bridge|refused|timed out|timeout|no answer/i);
    await world.settled(producer.close());
  }));
}

test("retry-after is kept: nobody dials before", inWorld(async (world) => {
  world.on.connect = (socket) => (socket.target === "ns" ? { close: [1013, "retry-after=1500"] } : {});
  const producer = await producerOf(world, { timeoutMs: 10_000, reconnect: { minMs: 10, maxMs: 20 } });
  const sending = failure(producer.send(message()));
  await world.pass(5_000);
  const dials = world.sockets.map(({ at }) => at);
  assert.ok(dials.length >= 2 && dials.length <= 4, `${dials}`);
  for (let n = 1; n < dials.length; n++) assert.ok(dials[n] - dials[n - 1] >= 1_400, `${dials}`);
  await world.settled(producer.close({ deadlineMs: 0 }));
  await world.settled(sending);
}));

test("pauses between dials grow to the longest, and are not the same for all", inWorld(async (world) => {
  const firsts = new Set();
  for (let n = 0; n < 3; n++) {
    const from = world.sockets.length;
    world.on.connect = () => ({ close: [4502, ""] });
    const producer = await producerOf(world, { timeoutMs: 30_000, reconnect: { minMs: 100, maxMs: 1_000 } });
    const sending = failure(producer.send(message()));
    await world.pass(12_000);
    const dials = world.sockets.slice(from).map(({ at }) => at);
    const pauses = dials.slice(1).map((at, n) => at - dials[n]);
    assert.ok(pauses.length >= 8 && pauses.length <= 60, `${pauses}`);
    assert.ok(Math.max(...pauses) <= 1_400, `${pauses}`);
    firsts.add(pauses.slice(0, 4).map(Math.round).join());
    await world.settled(producer.close({ deadlineMs: 0 }));
    await world.settled(sending);
  }
  assert.ok(firsts.size > 1, "jitter");
}));

test("a broker's connection that breaks after the frame left: unknown if it may not be sent again", inWorld(async (world) => {
  const producer = await producerOf(world, { onUnknown: "stop" });
  for (const code of [1006, 4510, 4511]) {
    world.on.request = ({ code: request }) => (request === 310 ? { reset: [code, ""] } : {});
    const error = await world.fails(producer.send(message(`m${code}`)));
    assert.deepEqual([error.code, error.outcome, error.retryable], ["BROKER", "unknown", false]);
    assert.ok(world.has(`m${code}`));
    await world.pass(2_000);
  }
  await world.settled(producer.close());
}));

test("a bridge that greets wrongly is no bridge", inWorld(async (world) => {
  for (const connect of [() => ({ protocol: "" }), () => ({ hello: { hello: undefined } })]) {
    world.on.connect = connect;
    const producer = await producerOf(world, { timeoutMs: 500 });
    const events = producer.events();
    await world.fails(producer.send(message()));
    const seen = [];
    void producer.close({ deadlineMs: 0 });
    for await (const event of events) seen.push(event.text ?? "");
    assert.match(seen.join(), /does not speak rmq-tcp\.v1|does not begin with its greeting/);
    await world.pass(1_000);
  }
}));

for (const [name, page, options, diagnosis, expected, code] of [
  ["an https page and a ws bridge", { protocol: "https:", origin: "https://shop.test" }, { bridge: "ws://bridge.test" }, {}, /page is https and the bridge .* use wss/, "BRIDGE"],
  ["a refused origin", { protocol: "https:", origin: "https://shop.test" }, {}, { origin: false }, /does not allow pages of https:\/\/shop\.test/, "BRIDGE"],
  ["an expired token", undefined, { token: "old" }, { origin: true, token: "expired" }, /refuses the token: expired/, "UNAUTHORIZED"],
  ["no token", undefined, {}, { origin: true, token: "not-told", target: "not-told" }, /wants a token/, "UNAUTHORIZED"],
  ["too much to do", undefined, {}, { origin: true, retryAfterMs: 10 }, /too much to do/, "BRIDGE"],
  ["no name server", undefined, {}, { origin: true, token: "ok", dial: "refused" }, /cannot reach its name servers \(refused\)/, "BRIDGE"],
  ["a bridge that is not there", undefined, {}, new Error("fetch failed"), /cannot be reached: it is not running or not at this address/, "BRIDGE"],
  ["a bridge that a page cannot reach", { protocol: "http:", origin: "http://shop.test" }, { bridge: "ws://127.0.0.1:1" }, new Error("fetch failed"), /connect-src, or it does not know this origin, or the browser wants the user's permission/, "BRIDGE"],
  ["another server", undefined, {}, "<html>", /cannot be reached|as a bridge/, "BRIDGE"],
  ["another server with JSON", undefined, {}, "null", /not as a bridge does/, "BRIDGE"],
  ["something in between", undefined, {}, { origin: true, token: "ok" }, /something in between/, "BRIDGE"],
  ["an address that is none", undefined, { bridge: "wss://bridge.test:1" }, new Error("x"), /cannot be reached/, "BRIDGE"],
]) {
  test(`explains: ${name}`, inWorld(async (world) => {
    world.on.connect = () => ({ refuse: true });
    world.diagnosis = diagnosis;
    if (page) Object.defineProperty(globalThis, "location", { value: page, configurable: true });
    try {
      const producer = await producerOf(world, { timeoutMs: 1_500, ...options });
      const events = producer.events();
      const error = await world.fails(producer.send(message()));
      assert.match(error.message, expected);
      assert.deepEqual([error.code, error.outcome], [code, "not-sent"]);
      assert.doesNotMatch(error.hint, /9876/, "a page has no name servers to look after");
      const seen = [];
      void producer.close({ deadlineMs: 0 });
      for await (const event of events) if (event.type === "hint") seen.push(event.text);
      assert.match(seen.join("\n"), expected);
      assert.ok(world.diagnoses.length <= 2, "a diagnosis lasts");
      await world.pass(1_000);
    } finally {
      delete globalThis.location;
    }
  }));
}

test("offline is said without asking anybody", inWorld(async (world) => {
  world.on.connect = () => ({ refuse: true });
  Object.defineProperty(globalThis, "navigator", { value: { onLine: false }, configurable: true });
  try {
    const producer = await producerOf(world, { timeoutMs: 500 });
    const error = await world.fails(producer.send(message()));
    assert.match(error.message, /the browser is offline/);
    assert.equal(world.diagnoses.length, 0);
    await world.settled(producer.close({ deadlineMs: 0 }));
  } finally {
    delete globalThis.navigator;
  }
}));

test("a WebSocket that throws is explained too", inWorld(async (world) => {
  world.diagnosis = { origin: true };
  const webSocket = class {
    constructor() {
      throw new Error("SecurityError: insecure");
    }
  };
  const producer = await producerOf(world, { webSocket, timeoutMs: 500 });
  assert.match((await world.fails(producer.send(message()))).message, /SecurityError: insecure/);
  await world.settled(producer.close({ deadlineMs: 0 }));
}));

test("tokens: asked before each connection with why, renewed at 75 %, and failures are told", inWorld(async (world) => {
  const whys = [];
  world.on.connect = () => ({ hello: { expiresInMs: 10_000 } });
  const producer = await producerOf(world, { token: async (why) => (whys.push([why, Math.round(world.now / 1_000)]), `t${whys.length}`) });
  await world.settled(producer.send(message("1")));
  assert.deepEqual(whys.map(([why]) => why), ["first", ...whys.slice(1).map(() => "reconnect")]);
  const connections = whys.length;
  assert.equal(connections, world.sockets.length);
  await world.pass(8_000);
  const renewals = whys.slice(connections);
  assert.deepEqual([...new Set(renewals.map(([why]) => why))], ["expiring"]);
  assert.ok(renewals.every(([, at]) => at === 7 || at === 8), JSON.stringify(renewals));
  for (const socket of world.sockets) assert.match(socket.texts[0].token, /^t\d+$/);
  // The bridge ends a connection whose token is over: the next one asks anew, nothing is lost.
  for (const socket of world.sockets) if (socket.readyState === 1) socket.end(4001, "expired");
  await world.settled(producer.send(message("2")));
  assert.equal(whys.at(-1)[0], "reconnect");
  await world.settled(producer.close());
  assert.equal((await world.pass(30_000), world.pending), 0);
}));

for (const [name, token] of [
  ["throws", () => { throw new Error("no login"); }],
  ["rejects", async () => { throw new Error("no login"); }],
  ["gives nothing", async () => undefined],
  ["gives no text", () => 5],
]) {
  test(`a token provider that ${name}`, inWorld(async (world) => {
    const producer = await producerOf(world, { timeoutMs: 800, token });
    const error = await world.fails(producer.send(message()));
    assert.deepEqual([error.code, error.outcome], ["UNAUTHORIZED", "not-sent"]);
    assert.match(error.message, /no token: (no login|.*gave no token)/);
    await world.settled(producer.close({ deadlineMs: 0 }));
  }));
}

test("a token that is good for the name servers and for no broker", inWorld(async (world) => {
  world.on.connect = (socket) => (socket.target === "ns" ? {} : { close: [4001, "expired"] });
  const producer = await producerOf(world, { timeoutMs: 1_000, token: "t" });
  const error = await world.fails(producer.send(message()));
  assert.deepEqual([error.code, error.detail, error.outcome], ["UNAUTHORIZED", "token_refused", "not-sent"]);
  await world.settled(producer.close({ deadlineMs: 0 }));
}));

test("a token provider that never answers costs no more than the dial", inWorld(async (world) => {
  const producer = await producerOf(world, { timeoutMs: 6_000, token: () => new Promise(() => undefined) });
  const error = await world.fails(producer.send(message()));
  assert.equal(error.outcome, "not-sent");
  await world.settled(producer.close({ deadlineMs: 0 }));
}));

test("a socket that is closing takes no more bytes, and is left when it does not end", inWorld(async (world) => {
  const producer = await producerOf(world);
  await world.settled(producer.send(message("1")));
  const [old] = world.sockets.filter(({ target }) => target !== "ns");
  old.end(1001, "", 60_000);
  await world.pass(10);
  assert.equal(old.readyState, 2);
  const begun = world.now;
  const sent = [];
  for (let n = 0; n < 20; n++) {
    sent.push(producer.send(message(`2-${n}`)));
    await world.pass(100);
  }
  await world.settled(Promise.all(sent));
  const late = world.stored.filter(({ broker, at }) => at > begun + 1_300 && broker === world.brokers.find(({ address }) => address === old.target).name);
  assert.ok(late.length > 0, "its broker is in use again");
  assert.equal(world.dropped, 0);
  await world.settled(producer.close());
}));

test("a connection that is to end soon is left in time", inWorld(async (world) => {
  const producer = await producerOf(world);
  await world.settled(producer.send(message("1")));
  for (const socket of world.sockets) if (socket.target !== "ns") socket.say({ draining: true });
  await world.pass(100);
  await world.settled(producer.send(message("2")));
  const first = world.sockets.find(({ target }) => target !== "ns");
  assert.ok(first.readyState >= 2, "it was closed by us");
  assert.equal(first.closedWith, 1000);
  await world.settled(producer.close());
}));
