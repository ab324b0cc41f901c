// The wasm module traps: whatever was under way is unknown, and nothing of it is used again.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inside, inWorld, producerOf, RocketError } from "./lib/harness.mjs";
import { failure } from "./lib/util.mjs";

/** Names of the module's functions by number. */
const symbols = Object.fromEntries(
  readFileSync(new URL("../pkg/producer_wasm.symbols", import.meta.url), "utf8").trim().split("\n").map((line) => line.split(/:(.*)/)),
);

const message = (body = "hello", more = {}) => ({ topic: "t", body, ...more });

/** The next call of a method of the core panics. */
function panicIn(method) {
  const { Core, panic_for_test } = inside;
  const right = Core.prototype[method];
  Core.prototype[method] = function () {
    Core.prototype[method] = right;
    panic_for_test();
  };
}

for (const method of ["received", "timeout", "take", "connected", "closed", "send"]) {
  test(`a panic in ${method}: all that waits is told, once, and nothing hangs`, inWorld(async (world) => {
    const producer = await producerOf(world, { maxPendingMessages: 2 });
    if (method !== "connected") await world.settled(producer.send(message("warm")));
    if (method === "closed") world.on.request = () => ({ drop: [4510, "reset"] });
    if (method === "timeout") world.on.request = () => ({ mute: true });
    const looking = (async () => {
      for await (const _ of producer.events());
    })();
    if (method === "send") {
      const pending = failure(producer.send(message("1")));
      panicIn(method);
      assert.equal((await failure(producer.send(message("2")))).code, "WASM");
      assert.deepEqual([(await pending).code, (await pending).outcome], ["WASM", "unknown"]);
    } else {
      panicIn(method);
      const pending = [failure(producer.send(message("1"))), failure(producer.send(message("2")))];
      const ready = failure(producer.ready);
      const flush = failure(producer.flush());
      for (const error of await world.settled(Promise.all([...pending, flush, ready]))) {
        assert.ok(error instanceof RocketError);
        assert.deepEqual([error.code, error.outcome], ["WASM", "unknown"]);
        const [, place] = /unreachable in functions (\d+) .*make a new one/s.exec(error.message);
        assert.match(symbols[place], /panic/);
      }
    }
    await world.settled(looking);
    for (const call of [() => producer.send(message()), () => producer.flush(), () => producer.ready, () => producer.route("t")]) {
      assert.equal((await failure(call())).code, "WASM");
    }
    assert.throws(() => producer.sendOneway(message()), { code: "WASM" });
    assert.throws(() => producer.stats(), { code: "WASM" });
    assert.equal(producer.desiredSize, 0);
    // It can be closed as always; the report says what there is to say.
    const report = await producer.close();
    assert.ok(report.unknown <= 2 && report.acked === 0);
    await world.pass(2_000);
    assert.equal(world.pending, 0, "no timer goes on");
    assert.ok(world.sockets.every(({ readyState }) => readyState >= 2), "no socket is left open");
    // The module serves the next producer.
    world.on.request = () => ({});
    const next = await producerOf(world);
    await world.settled(next.send(message("next")));
    assert.ok(world.has("next"));
    await world.settled(next.close());
  }));
}

test("an application that throws where it is called back does no harm", inWorld(async (world) => {
  const loud = () => {
    throw new Error("from the application");
  };
  const producer = await producerOf(world, { logger: { debug: loud, warn: loud }, checkTransaction: loud });
  await world.settled(producer.send(message("1")));
  for (const socket of world.sockets) socket.end(1006);
  await world.pass(500);
  await world.settled(producer.send(message("2")));
  assert.equal(world.stored.length, 2);
  await world.settled(producer.close());
}));

test("an application may send from where it is called back", inWorld(async (world) => {
  let producer;
  const sent = [];
  const again = () => void (producer && sent.length < 20 && sent.push(producer.send(message(`from ${sent.length}`))));
  producer = await producerOf(world, {
    logger: { debug: again, warn: again },
    token: () => (again(), "token"),
  });
  await world.settled(producer.send(message("1")));
  await world.pass(1_000);
  await world.settled(Promise.all(sent));
  assert.ok(sent.length > 2);
  assert.equal(world.stored.length, sent.length + 1);
  await world.settled(producer.close());
}));
