// The producer that applications hold.
import { Bridge } from "./bridge.js";
import { compressed, unpacked } from "./compress.js";
import { type Ended, Engine, KIND } from "./engine.js";
import { aborted, RocketError } from "./errors.js";
import { batchHeadOf, bytesOf, headOf, invalid, kindOf, messageOf, requireOf, sendOptions, span, text, whole } from "./head.js";
import type { RawCheck, RawReply } from "./outputs.js";
import { watchPage } from "./page.js";
import { bytesCounted } from "./room.js";
import type {
  Body,
  CloseReport,
  ConnectOptions,
  Decision,
  Message,
  Producer,
  ProducerEvent,
  Queue,
  Receipt,
  Reply,
  Route,
  SendOptions,
  Stats,
  Transaction,
} from "./types.js";

const DECISIONS: readonly Decision[] = ["commit", "rollback", "unknown"];
/** Most questions of brokers that are worked on at a time; others will be asked again. */
const CHECKS_MAX = 16;
const CLOSE_DEADLINE = 5_000;
const SEND_TIMEOUT = 3_000;
/** Bytes of a body that is written at once. */
const LARGE = 16 << 10;

/** Makes a producer from what `connect` was given. */
export function makeProducer(memory: WebAssembly.Memory, options: ConnectOptions): Producer {
  return new WebProducer(memory, options);
}

class WebProducer implements Producer {
  private readonly engine: Engine;
  private readonly timeoutMs: number;
  private readonly compressOver: number;
  private readonly check: ConnectOptions["checkTransaction"];
  private checks = 0;
  private readonly unwatch: () => void;
  private closed: Promise<CloseReport> | undefined;
  /** By topic and ordering key, the last send that has not begun: those behind it wait for it. */
  private readonly lanes = new Map<string, Promise<unknown>>();
  /** Sends that have not begun. */
  private readonly packing = new Set<Promise<unknown>>();

  constructor(memory: WebAssembly.Memory, options: ConnectOptions) {
    const { settings, limits } = settingsOf(options);
    const webSocket = options.webSocket ?? (globalThis.WebSocket as ConnectOptions["webSocket"]);
    if (typeof webSocket !== "function") {
      throw new RocketError("INVALID", "this environment has no WebSocket", {
        hint: "Node has one from version 22 on; before, give `webSocket`, for example that of package ws",
      });
    }
    this.timeoutMs = options.timeoutMs ?? SEND_TIMEOUT;
    this.compressOver = options.compressOver === undefined || options.compressOver === false
      ? Infinity
      : whole("compressOver", options.compressOver);
    this.check = options.checkTransaction;
    const bridge = new Bridge(options.bridge, options.token);
    this.engine = new Engine(memory, settings, bridge, webSocket, options, limits, (check) => {
      // Whoever gets no answer asks again.
      this.answer(check).catch(() => undefined);
    });
    this.unwatch = watchPage(this.engine, options.onHidden ?? "flush");
  }

  send(message: Message, options?: SendOptions): Promise<Receipt> {
    return promised(() => this.launch<Receipt>(KIND.SEND, message, options, true));
  }

  trySend(message: Message, options?: SendOptions): Promise<Receipt> | null {
    try {
      return this.launch<Receipt>(KIND.SEND, message, options, true);
    } catch (error) {
      if (error instanceof RocketError && error.code === "QUEUE_FULL") return null;
      return Promise.reject(error as Error);
    }
  }

  sendOneway(message: Message, options?: SendOptions): Promise<string> {
    const written = this.launch<string>(KIND.ONE_WAY, message, options, false);
    // Most look at nothing but whether it throws.
    written.catch(() => undefined);
    return written;
  }

  sendBatch(topic: string, messages: readonly Omit<Message, "topic">[], options?: SendOptions): Promise<Receipt[]> {
    return promised(() => this.launchBatch(topic, messages, options));
  }

  private launchBatch(topic: string, messages: readonly Omit<Message, "topic">[], given: SendOptions | undefined): Promise<Receipt[]> {
    if (!Array.isArray(messages)) throw invalid(`the batch is ${kindOf(messages)}; wanted: an array of messages`);
    if (messages.length === 0) throw invalid("the batch is empty");
    const options = sendOptions(given);
    const key = (messageOf(messages[0]) as Message).orderingKey;
    if (messages.some((message: Message) => messageOf(message).orderingKey !== key)) {
      throw invalid("the messages of a batch have one orderingKey, or none");
    }
    const lane = laneOf(topic, key);
    const waits = lane !== undefined && this.lanes.has(lane);
    // Everything is looked at before the first is handed over.
    const parts = messages.map((message: Message) => {
      const { orderingKey: _, ...plain } = message;
      const body = bytesOf(message.body);
      return { head: headOf({ ...plain, topic }, undefined, false), body: waits ? body.slice() : body };
    });
    const head = batchHeadOf(options, key);
    const bytes = parts.reduce((bytes, part) => bytes + counted(part.head, part.body), 0);
    const start = (left: number, wasHeld: boolean): Promise<Receipt[]> => {
      try {
        for (const { head, body } of parts) this.engine.addToBatch(head, body);
        return this.engine.begin<Receipt[]>(options?.signal, bytes, (core, now, ticket) => core.send_batch(now, ticket, head, left), wasHeld);
      } catch (error) {
        // Or it would go with the next one.
        this.engine.dropBatch();
        throw error;
      }
    };
    const timeout = this.timeout(options);
    this.engine.refuse();
    return waits ? this.later(lane, bytes, timeout, undefined, (left) => start(left, true)) : start(timeout, false);
  }

  begin(message: Message, options?: SendOptions): Promise<Transaction> {
    type Half = { transaction: number; receipt: Receipt };
    return promised(() => {
      const half = this.launch<Half>(KIND.HALF, message, options, false);
      return this.engine.track(half.then(({ transaction, receipt }) => this.transactionOf(transaction, receipt)));
    });
  }

  async sendInTransaction(
    message: Message,
    local: (receipt: Receipt) => Decision | Promise<Decision>,
    options?: SendOptions,
  ): Promise<{ receipt: Receipt; decision: Decision }> {
    if (typeof local !== "function") throw invalid(`what the transaction runs is ${kindOf(local)}; wanted: a function`);
    const transaction = await this.begin(message, options);
    const { receipt } = transaction;
    let decision: Decision;
    try {
      decision = decisionOf(await local(receipt));
    } catch (error) {
      transaction.rollback(String(error));
      throw error;
    }
    if (decision === "commit") transaction.commit();
    else if (decision === "rollback") transaction.rollback();
    else transaction.leaveOpen();
    return { receipt, decision };
  }

  request(message: Message, options?: SendOptions): Promise<Reply> {
    const whole = async ({ sysFlag, ...reply }: RawReply) => Object.freeze({ ...reply, body: await unpacked(reply.body, sysFlag) });
    return promised(() => this.engine.track(this.launch<RawReply>(KIND.REQUEST, message, options, false).then(whole)));
  }

  async route(topic: string, options?: { timeoutMs?: number; connect?: boolean }): Promise<Route> {
    const name = text("topic", topic);
    const timeout = options?.timeoutMs === undefined ? this.timeoutMs : span("timeoutMs", options.timeoutMs);
    const connect = options?.connect ?? false;
    const queues = await this.engine.begin<readonly Queue[]>(undefined, 0, (core, now, ticket) => core.route(now, ticket, name, timeout, connect));
    return Object.freeze({ topic, queues });
  }

  get ready(): Promise<void> {
    return this.engine.ready();
  }

  get desiredSize(): number {
    return this.engine.desiredSize;
  }

  writable(options?: { topic?: string }): WritableStream<Message | Body> {
    const topic = options?.topic;
    const asMessage = (chunk: Message | Body): Message => {
      const bare = typeof chunk === "string" || chunk instanceof Uint8Array || chunk instanceof ArrayBuffer;
      if (!bare) return chunk;
      if (topic === undefined) throw invalid("a bare body wants the `topic` of writable()");
      return { topic, body: chunk };
    };
    const open = new Set<Promise<unknown>>();
    return new WritableStream<Message | Body>({
      write: async (chunk, controller) => {
        const message = asMessage(chunk);
        await this.ready;
        let sending: Promise<Receipt> | null;
        // There is room, but maybe not for this one.
        while ((sending = this.trySend(message)) === null) await this.engine.roomFor(bytesCounted(bytesOf(message.body).length));
        const ended = sending.catch((error: unknown) => {
          controller.error(error);
          throw error;
        });
        open.add(ended);
        ended.then(() => open.delete(ended), () => undefined);
      },
      close: async () => {
        // A stream that is closing does not hear of errors otherwise.
        await Promise.all(open);
      },
    });
  }

  events(options?: { signal?: AbortSignal }): AsyncIterableIterator<ProducerEvent> {
    return this.engine.events.look(options?.signal);
  }

  stats(): Stats {
    return this.engine.stats();
  }

  get clientId(): string {
    return this.engine.clientId;
  }

  flush(options?: { signal?: AbortSignal }): Promise<void> {
    return this.engine.flush(options?.signal);
  }

  close(options?: { deadlineMs?: number }): Promise<CloseReport> {
    if (this.closed) return this.closed;
    let deadline: number;
    try {
      deadline = options?.deadlineMs === undefined ? CLOSE_DEADLINE : span("deadlineMs", options.deadlineMs);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.closed = this.shut(deadline);
    return this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async shut(deadline: number): Promise<CloseReport> {
    const end = performance.now() + deadline;
    this.engine.stop();
    this.unwatch();
    // Bodies that are being compressed are in hand, though the core does not know of them.
    if (deadline > 0) await Promise.allSettled(this.packing);
    return this.engine.close(Math.max(0, end - performance.now()));
  }

  /** Begins a send, once its body is compressed and those before it in its lane have begun. Throws what is known at once. */
  private launch<T extends Ended>(kind: number, message: Message, given: SendOptions | undefined, mayPack: boolean): Promise<T> {
    messageOf(message);
    const options = sendOptions(given);
    const body = bytesOf(message.body);
    const head = headOf(message, options, false);
    const timeout = this.timeout(options);
    const signal = options?.signal;
    const packs = mayPack && body.length >= this.compressOver;
    const lane = laneOf(message.topic, message.orderingKey);
    // What is compressed is counted once more.
    const bytes = counted(head, body) + (packs ? body.length : 0);
    if (!packs && (lane === undefined || !this.lanes.has(lane))) {
      const sending = this.engine.begin<T>(signal, bytes, (core, now, ticket) => core.send(now, ticket, kind, head, body, timeout));
      // Nothing is gained by writing large ones together, and waiting they would be there twice.
      if (body.length >= LARGE) this.engine.flushNow();
      return sending;
    }
    if (signal?.aborted) throw aborted(signal, "not-sent");
    // The caller may change its array and its message after the call.
    const kept = body.slice();
    const packedHead = packs ? headOf(message, options, true) : head;
    return this.later<T>(lane, bytes, timeout, packs ? compressed(kept) : undefined, (left, packed) =>
      this.engine.begin<T>(
        signal,
        bytes,
        (core, now, ticket) => core.send(now, ticket, kind, packed ? packedHead : head, packed ?? kept, left),
        true,
      ),
    );
  }

  /** Begins something later: when its body is compressed, and what is before it in its lane has begun. */
  private later<T extends Ended>(
    lane: string | undefined,
    bytes: number,
    timeout: number,
    packing: Promise<Uint8Array | undefined> | undefined,
    start: (left: number, packed: Uint8Array | undefined) => Promise<T>,
  ): Promise<T> {
    const release = this.engine.hold(bytes);
    const called = performance.now();
    const before = lane === undefined ? undefined : this.lanes.get(lane);
    const begun = (async () => {
      const packed = await packing?.catch(() => undefined);
      await before;
      release();
      // Within, so that it is not waited for.
      return { ended: start(Math.max(1, timeout - (performance.now() - called)), packed) };
    })();
    const done = begun.then(
      () => undefined,
      () => undefined,
    ).then(() => {
      this.packing.delete(done);
      if (lane !== undefined && this.lanes.get(lane) === done) this.lanes.delete(lane);
    });
    this.packing.add(done);
    if (lane !== undefined) this.lanes.set(lane, done);
    return this.engine.track(begun.then(({ ended }) => ended));
  }

  private timeout(options: SendOptions | undefined): number {
    const ms = options?.timeoutMs;
    if (ms === undefined) return this.timeoutMs;
    if (span("timeoutMs", ms) === 0) throw invalid("timeoutMs is 0; wanted: more");
    return ms;
  }

  private transactionOf(number: number, receipt: Receipt): Transaction {
    let open = true;
    const end = (decision: Decision, why = ""): boolean => {
      if (!open) return false;
      open = false;
      return this.engine.endTransaction(number, decision, why);
    };
    return Object.freeze({
      id: receipt.messageId,
      receipt,
      commit: () => end("commit"),
      rollback: (why?: string) => end("rollback", why),
      leaveOpen: () => end("unknown"),
      [Symbol.asyncDispose]: async () => void end("rollback", "it was not ended"),
    });
  }

  /** A broker asks. Whoever gets no answer asks again, so errors are no answer. */
  private async answer(raw: RawCheck): Promise<void> {
    const { transaction, sysFlag, ...check } = raw;
    let decision: Decision = "unknown";
    if (this.check && this.checks < CHECKS_MAX) {
      this.checks += 1;
      try {
        const body = await unpacked(check.body, sysFlag);
        decision = decisionOf(await this.check(Object.freeze({ ...check, body })));
      } catch (error) {
        this.engine.events.put({ type: "hint", text: `checkTransaction failed: ${String(error)}` });
      } finally {
        this.checks -= 1;
      }
    }
    this.engine.endTransaction(transaction, decision, "");
  }
}

/** What is thrown at once as a promise. An async function would do so too, but settle some turns later than its promise. */
function promised<T>(start: () => Promise<T>): Promise<T> {
  try {
    return start();
  } catch (error) {
    return Promise.reject(error as Error);
  }
}

/** What a message counts, about. */
function counted(head: string, body: Uint8Array): number {
  return bytesCounted(body.length) + 2 * head.length;
}

/** Keys are of a topic. */
function laneOf(topic: string, key: string | undefined): string | undefined {
  return key === undefined ? undefined : `${topic}\u0001${key}`;
}

function decisionOf(decision: Decision): Decision {
  if (DECISIONS.includes(decision)) return decision;
  throw invalid(`the decision is ${JSON.stringify(decision)}; wanted: "commit", "rollback" or "unknown"`);
}

/** The settings as `src/settings.rs` reads them. */
function settingsOf(options: ConnectOptions): { settings: string; limits: { bytes: number; messages: number } } {
  if (typeof options !== "object" || options === null) throw invalid("connect wants { bridge, group }");
  const known = new Set<string>(OPTIONS);
  const unknown = Object.keys(options).find((name) => !known.has(name));
  if (unknown !== undefined) throw invalid(`there is no option ${JSON.stringify(unknown)}; there are: ${OPTIONS.join(", ")}`);
  if (options.onHidden !== undefined && options.onHidden !== "flush" && options.onHidden !== "keep") {
    throw invalid(`onHidden is ${JSON.stringify(options.onHidden)}; wanted: "flush" or "keep"`);
  }
  if (options.checkTransaction !== undefined && typeof options.checkTransaction !== "function") {
    throw invalid(`checkTransaction is ${kindOf(options.checkTransaction)}; wanted: a function`);
  }
  const messages = whole("maxPendingMessages", options.maxPendingMessages ?? 4_096);
  const bytes = whole("maxPendingBytes", options.maxPendingBytes ?? 4 << 20);
  const set: [string, string | number][] = [
    ["group", text("group", options.group)],
    ["pendingMessages", messages],
    ["pendingBytes", bytes],
  ];
  const add = (name: string, value: number | undefined, convert: (value: number) => number) => {
    if (value !== undefined) set.push([name, convert(value)]);
  };
  const milliseconds = (name: string) => (value: number) => Math.max(1, Math.round(span(name, value)));
  add("timeout", options.timeoutMs, milliseconds("timeoutMs"));
  add("attemptTimeout", options.attemptTimeoutMs, milliseconds("attemptTimeoutMs"));
  add("attempts", options.retries, (retries) => whole("retries", retries) + 1);
  add("messageBytes", options.maxMessageBytes, (value) => whole("maxMessageBytes", value));
  add("redialFirst", options.reconnect?.minMs, milliseconds("reconnect.minMs"));
  add("redialLongest", options.reconnect?.maxMs, milliseconds("reconnect.maxMs"));
  if (options.onUnknown !== undefined) set.push(["onUnknown", text("onUnknown", options.onUnknown)]);
  if (options.require !== undefined) set.push(["require", requireOf(options.require)]);
  if (options.namespace !== undefined) set.push(["namespace", text("namespace", options.namespace)]);
  const settings = set.map(([name, value]) => `${name}\u0001${value}\u0001`).join("");
  return { settings, limits: { bytes, messages } };
}

const OPTIONS: readonly (keyof ConnectOptions)[] = [
  "bridge",
  "group",
  "token",
  "maxPendingMessages",
  "maxPendingBytes",
  "maxMessageBytes",
  "timeoutMs",
  "attemptTimeoutMs",
  "retries",
  "onUnknown",
  "require",
  "compressOver",
  "namespace",
  "reconnect",
  "onHidden",
  "checkTransaction",
  "webSocket",
  "logger",
];
