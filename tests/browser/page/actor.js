// Makes producers, sends by them, and writes down what it was told of each message: lines of a
// ledger, `[name, state, broker, queue, offset, maybe duplicate]`. A message's name is the first
// word of its body.
import { echoPings, echoRate, pings, rate } from "./rates.js";

const wasm = { memory: undefined };
// The size of the module's memory is nobody's business but a test's.
for (const name of ["instantiate", "instantiateStreaming"]) {
  const made = WebAssembly[name].bind(WebAssembly);
  WebAssembly[name] = async (...args) => {
    const result = await made(...args);
    wasm.memory ??= (result.instance ?? result).exports.memory;
    return result;
  };
}

const { connect, RocketError } = await import("/dist/web.js");

export class Actor {
  producers = new Map();
  jobs = new Map();
  wrong = [];

  constructor() {
    globalThis.addEventListener("unhandledrejection", (event) => this.wrong.push(`rejection: ${event.reason}`));
    globalThis.addEventListener("error", (event) => this.wrong.push(`error: ${event.message}`));
    globalThis.addEventListener("securitypolicyviolation", (event) =>
      this.wrong.push(`CSP: ${event.violatedDirective} ${event.blockedURI}`));
  }

  call(method, args) {
    return this[method](...args);
  }

  complaints() {
    return this.wrong;
  }

  async open(name, { token, check, ...options }) {
    if (token === "failing") {
      options.token = () => Promise.reject(new Error("the login has ended"));
    } else if (token !== undefined) {
      options.token = async (why) => (await fetch(`/token?why=${why}&seconds=${token}`)).text();
    }
    if (check !== undefined) options.checkTransaction = () => check;
    const producer = await connect(options);
    this.producers.set(name, producer);
    const ups = [];
    this.producers.get(name).seen = { ups, all: [] };
    void (async () => {
      for await (const event of producer.events()) {
        producer.seen.all.push(event.type);
        if (event.type === "up") ups.push(performance.timeOrigin + performance.now());
      }
    })();
  }

  /** Sends one message, and says how that ended. */
  async one(name, message, options) {
    try {
      return { receipt: await this.producers.get(name).send(message, options) };
    } catch (error) {
      return { error: described(error) };
    }
  }

  /** Sends `count` messages, `window` at a time, and waits for all. */
  async load(name, job) {
    this.start("load", name, job);
    return this.finish("load", false);
  }

  /** The same until it is told to finish. */
  start(id, name, { topic, prefix, count = Infinity, window = 64, size = 40, lanes = 0, options }) {
    const producer = this.producers.get(name);
    const job = { begun: 0, stopped: false, lines: [], errors: [], kinds: {}, ackedAt: [], slowest: 0 };
    const sender = async () => {
      while (!job.stopped && job.begun < count) {
        const n = job.begun++;
        const lane = lanes > 0 ? n % lanes : undefined;
        const called = lane === undefined ? `${prefix}/${n}` : `${prefix}-${lane}/${Math.floor(n / lanes)}`;
        const key = lane === undefined ? {} : { orderingKey: String(lane) };
        const begun = performance.now();
        try {
          job.lines.push(acked(called, await producer.send({ topic, body: padded(called, size), ...key }, options)));
          job.ackedAt.push(performance.timeOrigin + performance.now());
        } catch (error) {
          job.lines.push(failed(called, error));
          if (job.errors.length < 10) job.errors.push(described(error));
          const kind = `${error.code} ${error.outcome}`;
          job.kinds[kind] ??= { count: 0, message: error.message };
          job.kinds[kind].count += 1;
        }
        job.slowest = Math.max(job.slowest, performance.now() - begun);
      }
    };
    job.done = Promise.all(Array.from({ length: window }, sender));
    this.jobs.set(id, job);
  }

  acked(id) {
    return this.jobs.get(id).ackedAt.length;
  }

  async finish(id, stop = true) {
    const job = this.jobs.get(id);
    job.stopped = stop;
    await job.done;
    this.jobs.delete(id);
    const { lines, errors, kinds, ackedAt, slowest } = job;
    return { lines, errors, kinds, slowest, begun: job.begun, lastAckedAt: ackedAt.at(-1), ackedAt: ackedAt.filter((_, n) => n % 16 === 0) };
  }

  async batches(name, { topic, prefix, batches, each }) {
    const producer = this.producers.get(name);
    const lines = [];
    await Promise.all(Array.from({ length: batches }, async (_, batch) => {
      const names = Array.from({ length: each }, (_, n) => `${prefix}/${batch}.${n}`);
      const receipts = await producer.sendBatch(topic, names.map((called) => ({ body: padded(called, 40), tag: "t" })));
      names.forEach((called, n) => lines.push(acked(called, receipts[n])));
    }));
    return lines;
  }

  /** Transactions that end as `decision` says; consumers see them or not. */
  async transactions(name, { topic, prefix, count, decision }) {
    const producer = this.producers.get(name);
    const state = decision === "commit" ? "acked" : "not-sent";
    return Promise.all(Array.from({ length: count }, async (_, n) => {
      const called = `${prefix}/${n}`;
      const ended = await producer.sendInTransaction({ topic, body: padded(called, 40) }, () => decision);
      if (ended.decision !== decision) throw new Error(`ended by ${ended.decision}`);
      return [called, state];
    }));
  }

  /** Brings `bytes` out by a stream of `size` each, as fast as it lets. */
  startStream(id, name, { topic, prefix, count, size }) {
    const producer = this.producers.get(name);
    const job = { begun: 0, over: 0 };
    const writer = producer.writable({ topic }).getWriter();
    job.done = (async () => {
      for (let n = 0; n < count; n += 1) {
        await writer.ready;
        job.begun += 1;
        writer.write(padded(`${prefix}/${n}`, size)).catch((error) => (job.error ??= described(error)));
      }
      await writer.close();
    })().catch((error) => (job.error ??= described(error)));
    this.jobs.set(id, job);
  }

  begun(id) {
    return this.jobs.get(id).begun;
  }

  async finishStream(id) {
    const job = this.jobs.get(id);
    await job.done;
    return { begun: job.begun, error: job.error };
  }

  rate = (name, job) => rate(this.producers.get(name), job);
  pings = (name, job) => pings(this.producers.get(name), job);
  echoRate = echoRate;
  echoPings = echoPings;

  /** What the page's producer holds, in bytes. */
  level(name) {
    const { bytesInHand, inHand, bufferedBytes, outBytes } = this.producers.get(name).stats();
    return { wasm: wasm.memory.buffer.byteLength, bytesInHand, inHand, bufferedBytes, outBytes, room: this.producers.get(name).desiredSize };
  }

  stats(name) {
    return this.producers.get(name).stats();
  }

  seen(name) {
    return this.producers.get(name).seen;
  }

  close(name, options) {
    return this.producers.get(name).close(options);
  }

  /** When the page goes, says what it had been told by then. */
  beaconAtEnd(id, name) {
    globalThis.addEventListener("pagehide", () => {
      const job = this.jobs.get(id);
      job.stopped = true;
      const { lines, begun } = job;
      navigator.sendBeacon("/beacon", JSON.stringify({ lines: lines.slice(-1_000), acked: lines.length, begun, stats: this.stats(name) }));
    });
  }

  /** As a browser does that hides a page, without hiding it. */
  hide(hidden) {
    Object.defineProperty(document, "visibilityState", { configurable: true, get: () => (hidden ? "hidden" : "visible") });
    document.dispatchEvent(new Event("visibilitychange"));
  }
}

function acked(called, receipt) {
  return [called, "acked", receipt.broker, receipt.queueId, receipt.queueOffset, receipt.maybeDuplicate];
}

function failed(called, error) {
  if (!(error instanceof RocketError)) throw error;
  return [called, error.outcome];
}

function described(error) {
  const { name, code, outcome, message, hint } = error;
  return { name, code, outcome, message, hint };
}

const encoder = new TextEncoder();

function padded(name, size) {
  const bytes = new Uint8Array(Math.max(size, name.length)).fill(0x78);
  encoder.encodeInto(name + " ", bytes);
  if (bytes.length === name.length) encoder.encodeInto(name, bytes);
  return bytes;
}
