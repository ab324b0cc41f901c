// Whatever answers, resets, closes, aborts and tokens come in whatever order: each promise settles
// once, and what it says is what the brokers have stored.
import assert from "node:assert/strict";
import { test } from "node:test";
import { propertiesOf, replyTo } from "./lib/wire.mjs";
import { inWorld, producerOf, RocketError } from "./lib/harness.mjs";

const SEEDS = Number(process.env.SEEDS ?? 200);
const FIRST = Number(process.env.SEED ?? 1);

/** How one request goes, by chance. */
function fault(world, how) {
  const { dice } = world;
  return (request, socket) => {
    if (request.code === 310 && request.fields.i.includes("REPLY_TO_CLIENT") && dice.chance(0.7)) {
      const reply = replyTo(propertiesOf(request.fields.i), "pong");
      world.at(dice.below(200), () => socket.deliver(reply));
    }
    if (request.code !== 310 && request.code !== 320) {
      if (dice.chance(how / 3)) return dice.pick([{ drop: [4510, "reset"] }, { mute: true }, { late: 50 }]);
      return {};
    }
    if (!dice.chance(how)) return dice.chance(0.3) ? { late: dice.below(30) } : {};
    return dice.pick([
      { code: 2, remark: "[PCBUSY_CLEAN_QUEUE]" },
      { code: 13, remark: "illegal" },
      { code: 14, remark: "service not available" },
      { code: 10 },
      { code: 12 },
      { drop: [4510, "connection reset"] },
      { drop: [1006, ""] },
      { reset: [4511, "closed"] },
      { reset: [1006, ""] },
      { reset: [1012, "restart"] },
      { mute: true },
      { late: 1_500 },
      { late: 4_000 },
      { half: true },
    ]);
  };
}

function door(world, how) {
  const { dice } = world;
  return () => {
    if (!dice.chance(how)) return dice.chance(0.2) ? { then: (socket) => world.at(dice.below(800), () => socket.say({ draining: true })) } : {};
    return dice.pick([
      { refuse: true },
      { never: true },
      { close: [4502, "refused"] },
      { close: [4504, "timeout"] },
      { close: [1013, "retry-after=200"] },
      { close: [4001, "expired"] },
      { protocol: "" },
      { hello: { expiresInMs: 300 } },
    ]);
  };
}

class Book {
  entries = [];

  constructor(world) {
    this.world = world;
  }

  /** Notes a promise and what becomes of it. */
  note(kind, bodies, promise, extra = {}) {
    const entry = { kind, bodies, settled: 0, ...extra };
    this.entries.push(entry);
    const end = (how) => (value) => {
      entry.settled += 1;
      entry[how] = value;
      entry.at = this.world.now;
    };
    promise.then(end("value"), end("error"));
    return entry;
  }

  get open() {
    return this.entries.filter(({ settled }) => settled === 0);
  }
}

async function scenario(world, seed) {
  const { dice } = world;
  const how = dice.pick([0, 0.1, 0.3, 0.6]);
  world.on.request = fault(world, how);
  world.on.connect = door(world, how / 2);
  world.diagnosis = dice.pick([new Error("no"), { origin: true, token: "ok" }, "null", "<html>"]);
  const producer = await producerOf(world, {
    maxPendingMessages: dice.pick([1, 8, 64, 4_096]),
    maxPendingBytes: dice.pick([2_000, 50_000, 4 << 20]),
    timeoutMs: dice.pick([300, 1_000, 3_000]),
    attemptTimeoutMs: dice.pick([undefined, 100, 1_000]),
    retries: dice.pick([0, 2, 5]),
    onUnknown: dice.pick(["retry", "stop"]),
    require: dice.pick(["stored", "ok"]),
    token: dice.pick([undefined, "secret", async () => "t", () => {
      if (dice.chance(0.2)) throw new Error("no token today");
      return "t";
    }]),
  });
  const book = new Book(world);
  const flushes = [];
  let number = 0;
  const total = 40 + dice.below(160);
  for (let n = 0; n < total; n++) {
    const body = `m-${seed}-${++number}`;
    const controller = dice.chance(0.15) ? new AbortController() : undefined;
    const options = { signal: controller?.signal };
    const message = { topic: dice.pick(["t", "u"]), body };
    if (dice.chance(0.3)) message.orderingKey = dice.pick(["x", "y"]);
    const kind = dice.below(12);
    if (kind < 6) {
      book.note("send", [body], producer.send(message, options), { lane: message.orderingKey });
    } else if (kind === 6) {
      const sending = producer.trySend(message, options);
      if (sending) book.note("send", [body], sending, { lane: message.orderingKey });
    } else if (kind === 7) {
      try {
        book.note("oneway", [body], producer.sendOneway(message, options), { lane: message.orderingKey });
      } catch (error) {
        assert.ok(error instanceof RocketError);
        assert.equal(error.outcome, "not-sent");
        book.note("oneway", [body], Promise.reject(error));
      }
    } else if (kind === 8) {
      const bodies = [body, `m-${seed}-${++number}`];
      book.note("batch", bodies, producer.sendBatch("t", bodies.map((body) => ({ body })), options));
    } else if (kind === 9) {
      book.note("begin", [body], producer.begin(message, options), { lane: message.orderingKey });
    } else if (kind === 10) {
      delete message.orderingKey;
      book.note("request", [body], producer.request(message, options));
    } else {
      const before = book.open;
      const flush = { before, at: undefined, done: false };
      flushes.push(flush);
      // What was settled by then is looked at when it says so.
      void producer.flush().then(() => {
        flush.at = world.now;
        flush.left = before.filter(({ settled }) => settled === 0).length;
      });
    }
    if (controller) world.at(dice.below(60), () => controller.abort());
    if (dice.chance(0.3)) await world.pass(dice.below(40));
    if (dice.chance(0.02)) {
      for (const socket of world.sockets) if (socket.readyState === 1) socket.end(dice.pick([1006, 1001, 4009, 4511]));
    }
  }
  if (dice.chance(0.5)) await world.pass(dice.below(2_000));
  // What was refused at the call is not in hand.
  await new Promise((resolve) => setImmediate(resolve));
  const inHand = book.open;
  const report = await world.settled(producer.close({ deadlineMs: dice.pick([0, 100, 5_000]) }));
  await world.pass(10_000);
  return { book, flushes, report, inHand, producer };
}

function judge(world, { book, flushes, report, inHand }) {
  for (const entry of book.entries) {
    assert.equal(entry.settled, 1, `${entry.bodies} settled ${entry.settled} times`);
    const stored = entry.bodies.map((body) => world.has(body));
    if (entry.error) {
      const { error } = entry;
      assert.ok(error instanceof RocketError, String(error?.stack ?? error));
      assert.ok(error.message.length > 10 && error.code, error.message);
      if (error.outcome !== "unknown") assert.ok(!stored.includes(true), `${error.outcome}, but stored: ${entry.bodies} (${error.message})`);
    } else if (entry.kind !== "oneway" && entry.kind !== "request") {
      assert.ok(!stored.includes(false), `a receipt for what is not stored: ${entry.bodies}`);
    }
  }
  for (const flush of flushes) {
    assert.notEqual(flush.at, undefined, "a flush that never ends");
    assert.equal(flush.left, 0, "a flush that ends too early");
    const last = Math.max(0, ...flush.before.map(({ at }) => at));
    if (flush.before.length > 0) assert.equal(flush.at, last, "a flush that ends too late");
  }
  // Aborts take sends out of the report, so they are counted apart.
  const gone = inHand.filter(({ error }) => error?.code === "ABORTED").length;
  const { acked, written, notSent, rejected, unknown } = report;
  const sum = acked + written + notSent + rejected + unknown;
  // One that was aborted after it left is in hand for as long as its ordering key waits for its answer.
  const kept = book.entries.filter(({ error, lane }) => lane && error?.code === "ABORTED" && error.outcome === "unknown").length;
  // A request that is stored and waits for its reply is no send any more.
  const asked = inHand.filter(({ kind }) => kind === "request").length;
  assert.ok(sum >= inHand.length - gone - asked && sum <= inHand.length - gone + kept + asked, `the report sums up: ${sum}, ${inHand.length} - ${gone} + ${kept}`);
  if (kept > 0 || asked > 0) return;
  assert.equal(acked, inHand.filter(({ kind, value }) => value && kind !== "oneway").length);
  for (const [outcome, count] of [["not-sent", notSent], ["rejected", rejected], ["unknown", unknown]]) {
    assert.equal(inHand.filter(({ error }) => error?.code !== "ABORTED" && error?.outcome === outcome).length, count, outcome);
  }
}

test(`settles once, and says what is so: ${SEEDS} seeds`, async () => {
  let sends = 0;
  const outcomes = {};
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    await inWorld(async (world) => {
      try {
        const run = await scenario(world, seed);
        judge(world, run);
        sends += run.book.entries.length;
        for (const { value, error } of run.book.entries) {
          const how = value ? "stored" : `${error.code} ${error.outcome}`;
          outcomes[how] = (outcomes[how] ?? 0) + 1;
        }
        assert.equal(world.pending, 0, "timers are left");
      } catch (error) {
        error.message = `seed ${seed}: ${error.message}`;
        throw error;
      }
    }, seed)();
  }
  // A run that never sees a failure proves nothing.
  if (SEEDS >= 60) for (const how of ["stored", "ABORTED not-sent", "ABORTED unknown", "QUEUE_FULL not-sent", "TIMEOUT unknown"]) assert.ok(outcomes[how] > 0, how);
  console.log(`${sends} sends: ${JSON.stringify(outcomes)}`);
});
