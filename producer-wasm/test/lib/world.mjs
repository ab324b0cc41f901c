// A world without clocks and networks: a bridge, a name server and brokers behind fake WebSockets, all
// on virtual time and one seed. What happens between two events is what the package does.
import { batchOf, Frames, frameOf, propertiesOf, routeBody } from "./wire.mjs";

const real = { setTimeout, clearTimeout, setImmediate, performance: performance.now, Date: Date.now, fetch: globalThis.fetch };
const turn = () => new Promise((resolve) => real.setImmediate(resolve));

/** Random numbers of a seed. */
export function dice(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return { next, below, chance: (p) => next() < p, pick: (list) => list[below(list.length)] };
}

export class World {
  now = 0;
  #events = [];
  #number = 0;
  #cancelled = new Set();
  /** Every message that a broker has stored: { broker, topic, queueId, body, properties, sysFlag, at }. */
  stored = [];
  /** Every request that came, with its broker's address. */
  requests = [];
  sockets = [];
  /** Messages sent into sockets that were closing or closed. */
  dropped = 0;
  /** What `fetch` is asked for, and answers: an object, or an error. */
  diagnoses = [];
  diagnosis = new Error("fetch failed");
  /** What the test decides; each may be replaced. */
  on = {
    /** A socket wants to open: `{}`, `{ refuse: true }`, `{ close: [code, reason] }`, `{ never: true }`, `{ hello: {…} }`. */
    connect: () => ({}),
    /** A request came: what to do with it, see `#answer`. */
    request: () => ({}),
  };
  brokers = [
    { name: "a", address: "10.0.0.1:10911" },
    { name: "b", address: "10.0.0.2:10911" },
  ];
  queues = 2;
  topics = undefined;

  constructor(seed = 1) {
    this.dice = dice(seed);
    const world = this;
    this.WebSocket = class extends FakeSocket {
      constructor(url, protocols) {
        super(world, url, protocols);
      }
    };
  }

  // ---- time

  at(ms, event) {
    const entry = { at: this.now + Math.max(0, ms), number: ++this.#number, event };
    this.#events.push(entry);
    return entry.number;
  }

  /** Puts this world in the place of clocks and `fetch`; `restore` ends that. */
  install() {
    globalThis.setTimeout = (callback, ms = 0, ...rest) => this.at(Math.max(1, ms), () => callback(...rest));
    globalThis.clearTimeout = (number) => {
      if (typeof number === "number") this.#events = this.#events.filter((entry) => entry.number !== number);
      else real.clearTimeout(number);
    };
    performance.now = () => this.now;
    crypto.getRandomValues = (array) => array.map(() => this.dice.below(2 ** 32));
    Date.now = () => 1_700_000_000_000 + Math.floor(this.now);
    globalThis.fetch = async (url, init) => {
      this.diagnoses.push({ url: String(url), init });
      if (this.diagnosis instanceof Error) throw this.diagnosis;
      return new Response(typeof this.diagnosis === "string" ? this.diagnosis : JSON.stringify(this.diagnosis));
    };
    return this;
  }

  restore() {
    Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout, fetch: real.fetch });
    delete crypto.getRandomValues;
    performance.now = real.performance;
    Date.now = real.Date;
  }

  /** Timers and packets that are still to come. */
  get pending() {
    return this.#events.length;
  }

  async #step() {
    await turn();
    let first = 0;
    for (let n = 1; n < this.#events.length; n++) {
      const [a, b] = [this.#events[n], this.#events[first]];
      if (a.at < b.at || (a.at === b.at && a.number < b.number)) first = n;
    }
    const [entry] = this.#events.splice(first, 1);
    if (!entry) return false;
    this.now = Math.max(this.now, entry.at);
    entry.event();
    return true;
  }

  /** Lets time pass, by `ms`. */
  async pass(ms) {
    let over = false;
    this.at(ms, () => (over = true));
    while (!over && (await this.#step()));
    await turn();
  }

  /** Lets time pass until the promise has settled, and gives that. */
  async settled(promise, most = 120_000) {
    let ended;
    promise.then(
      (value) => (ended = { value }),
      (error) => (ended = { error }),
    );
    const end = this.now + most;
    for (let idle = 0; ; ) {
      await turn();
      if (ended) break;
      if (this.now > end) throw new Error(`not settled after ${most} ms`);
      if (await this.#step()) idle = 0;
      else if (++idle > 1_000) throw new Error("nothing happens any more, and it is not settled");
    }
    if (ended.error) throw ended.error;
    return ended.value;
  }

  /** The error of a promise that must fail. */
  async fails(promise, most) {
    const failed = promise.then(
      (value) => ({ value }),
      (error) => ({ error }),
    );
    const { error, value } = await this.settled(failed, most);
    if (!error) throw new Error(`it did not fail: ${JSON.stringify(value)}`);
    return error;
  }

  /** Waits in real time for work that other threads do, such as compression. */
  async work(promise, most = 5_000) {
    let ended;
    const both = promise.then(
      (value) => (ended = { value }),
      (error) => (ended = { error }),
    );
    void both;
    const end = real.performance.call(performance) + most;
    while (!ended) {
      await new Promise((resolve) => real.setTimeout(resolve, 1));
      if (real.performance.call(performance) > end) throw new Error("it takes too long");
      await this.pass(1);
    }
    if (ended.error) throw ended.error;
    return ended.value;
  }

  // ---- brokers

  has(body) {
    return this.stored.some((message) => message.text === body);
  }

  /** Requests of sends: SEND_MESSAGE_V2 and batches. */
  get sends() {
    return this.requests.filter(({ code }) => code === 310 || code === 320);
  }

  /** What a request does: `how` may say `{ drop, late, code, remark, reset, mute, half, store }`. */
  answer(socket, request) {
    const oneWay = (request.flag & 2) !== 0;
    const how = this.on.request(request, socket) ?? {};
    if (how.drop) return socket.end(how.drop[0], how.drop[1]);
    const reply = this.#replyTo(socket, request, how);
    if (how.reset) return socket.end(how.reset[0], how.reset[1]);
    if (oneWay || how.mute || !reply) return;
    let bytes = frameOf({ opaque: request.opaque, ...reply });
    if (how.half) bytes = bytes.subarray(0, Math.floor(bytes.length / 2));
    this.at(how.late ?? 0, () => {
      socket.deliver(bytes);
      if (how.half) socket.end(4510, "connection reset");
    });
  }

  #replyTo(socket, request, how) {
    const { code, fields } = request;
    if (code === 105) {
      if (how.code) return { code: how.code, remark: how.remark };
      if (this.topics && !this.topics.includes(fields.topic) && fields.topic !== "TBW102") {
        return { code: 17, remark: `No topic route info in name server for the topic: ${fields.topic}` };
      }
      return { code: 0, body: routeBody(this.brokers, this.queues) };
    }
    if (code !== 310 && code !== 320) return { code: how.code ?? 0 };
    if (how.code !== undefined && ![0, 10, 11, 12].includes(how.code)) return { code: how.code, remark: how.remark ?? "no" };
    const message = this.#store(socket, request);
    const hex = (value, digits) => value.toString(16).toUpperCase().padStart(digits, "0");
    const fieldsOut = {
      msgId: `0A00000100002A9F${hex(message.offset, 16)}`,
      queueId: fields.e,
      queueOffset: String(message.queueOffset),
      MSG_REGION: "DefaultRegion",
      TRACE_ON: "true",
      ...(message.properties.UNIQ_KEY && { transactionId: message.properties.UNIQ_KEY }),
    };
    return { code: how.code ?? 0, fields: fieldsOut };
  }

  #store(socket, { code, fields, body }) {
    const broker = this.brokers.find(({ address }) => socket.target === address)?.name;
    const common = { broker, topic: fields.b, queueId: Number(fields.e), sysFlag: Number(fields.f), at: this.now };
    const parts = code === 320 ? batchOf(body) : [{ body, properties: propertiesOf(fields.i ?? "") }];
    let first;
    for (const part of parts) {
      const queueOffset = this.stored.filter((m) => m.broker === broker && m.topic === common.topic && m.queueId === common.queueId).length;
      const message = { ...common, ...part, text: part.body.toString(), offset: this.stored.length * 1_000, queueOffset };
      this.stored.push(message);
      first ??= message;
    }
    return first;
  }

  /** Open connections to a broker. */
  open(target) {
    return this.sockets.filter((socket) => socket.target === target && socket.readyState === 1);
  }
}

/** A WebSocket whose other end is the world's bridge. */
class FakeSocket {
  static CONNECTING = 0;
  static OPEN = 1;
  readyState = 0;
  bufferedAmount = 0;
  binaryType = "blob";
  protocol = "";
  texts = [];
  /** Once true, what is sent stays in the browser's buffer. */
  stalled = false;
  #frames = new Frames();
  #outAt = 0;
  #inAt = 0;

  constructor(world, url, protocols) {
    Object.assign(this, { world, url: String(url), protocols: [protocols].flat() });
    const path = new URL(url).pathname;
    this.target = path.slice(path.lastIndexOf("/") + 1);
    this.at = world.now;
    world.sockets.push(this);
    world.at(world.dice.below(5), () => this.#open());
  }

  #open() {
    if (this.readyState !== 0) return;
    const how = this.world.on.connect(this) ?? {};
    if (how.never) return;
    if (how.refuse) {
      this.readyState = 3;
      this.onerror?.({ type: "error" });
      this.onclose?.({ type: "close", code: 1006, reason: "" });
      return;
    }
    this.readyState = 1;
    this.protocol = how.protocol ?? "rmq-tcp.v1";
    this.onopen?.({ type: "open" });
    if (how.close) return this.end(...how.close);
    this.say({ v: 1, hello: this.target, maxFrame: 4_259_840, pingMs: 20_000, ...how.hello });
    how.then?.(this);
  }

  send(data) {
    if (this.readyState === 0) throw new Error("InvalidStateError");
    if (this.readyState !== 1) {
      // It drops the bytes, and a browser writes a warning into the console of the page.
      this.world.dropped += 1;
      return;
    }
    if (typeof data === "string") return void this.texts.push(JSON.parse(data));
    // As browsers do: the bytes are copied at once.
    const bytes = Buffer.from(data.slice());
    this.bufferedAmount += bytes.length;
    if (this.stalled) return;
    this.#outAt = Math.max(this.#outAt, this.world.now + this.world.dice.below(4));
    this.world.at(this.#outAt - this.world.now, () => {
      this.bufferedAmount -= bytes.length;
      if (this.readyState === 3 && !this.flushes) return;
      for (const request of this.#frames.add(bytes)) {
        this.world.requests.push({ ...request, target: this.target, at: this.world.now });
        this.world.answer(this, request);
      }
    });
  }

  close(code = 1000) {
    if (this.readyState >= 2) return;
    // What was sent before is written first.
    this.flushes = true;
    this.readyState = 2;
    this.closedWith = code;
    if (this.stalled) return;
    this.world.at(Math.max(1, this.#outAt - this.world.now), () => this.#over(code, ""));
  }

  /** The bridge closes it. The page is told when the connection has ended, which is a while later. */
  end(code, reason = "", whileMs = this.world.dice.below(4)) {
    this.#inAt = Math.max(this.#inAt, this.world.now);
    this.world.at(this.#inAt - this.world.now, () => {
      if (this.readyState < 2) this.readyState = 2;
      this.world.at(whileMs, () => this.#over(code, reason));
    });
  }

  #over(code, reason) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ type: "close", code, reason });
  }

  /** A control message to the page. */
  say(object) {
    this.#later(JSON.stringify(object));
  }

  /** Bytes to the page, in pieces. */
  deliver(bytes) {
    for (let at = 0; at < bytes.length; ) {
      const size = this.world.dice.chance(0.3) ? 1 + this.world.dice.below(bytes.length - at) : bytes.length - at;
      const piece = bytes.subarray(at, at + size);
      this.#later(piece.buffer.slice(piece.byteOffset, piece.byteOffset + piece.byteLength));
      at += size;
    }
  }

  #later(data) {
    this.#inAt = Math.max(this.#inAt, this.world.now + this.world.dice.below(4));
    this.world.at(this.#inAt - this.world.now, () => {
      if (this.readyState < 2) this.onmessage?.({ type: "message", data });
    });
  }
}
