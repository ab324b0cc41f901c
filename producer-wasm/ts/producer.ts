// The producer that applications hold.
import { Bridge } from "./bridge.js";
import { compressed, unpacked } from "./compress.js";
import { Engine, KIND } from "./engine.js";
import { RocketError } from "./errors.js";
import { batchHeadOf, bytesOf, headOf, invalid, requireOf, span, text, whole } from "./head.js";
import type { RawCheck, RawReply } from "./outputs.js";
import { watchPage } from "./page.js";
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
  /** By ordering key, the last send whose body is being compressed: those behind it wait. */
  private readonly lanes = new Map<string, Promise<unknown>>();

  constructor(memory: WebAssembly.Memory, options: ConnectOptions) {
    const { settings, limits } = settingsOf(options);
    const webSocket = options.webSocket ?? (globalThis.WebSocket as ConnectOptions["webSocket"]);
    if (typeof webSocket !== "function") {
      throw new RocketError("INVALID", "this environment has no WebSocket", {
        hint: "Node has one from version 22 on; before, give `webSocket`, for example that of package ws",
      });
    }
    this.timeoutMs = options.timeoutMs ?? NaN;
    this.compressOver = options.compressOver === undefined || options.compressOver === false
      ? Infinity
      : whole("compressOver", options.compressOver);
    this.check = options.checkTransaction;
    const bridge = new Bridge(options.bridge, options.token);
    this.engine = new Engine(memory, settings, bridge, webSocket, options, limits, (check) => void this.answer(check));
    this.unwatch = watchPage(this.engine, options.onHidden ?? "flush");
  }

  async send(message: Message, options?: SendOptions): Promise<Receipt> {
    const body = bytesOf(message.body);
    if (body.length >= this.compressOver || this.lanes.has(message.orderingKey ?? "")) {
      return this.sendCompressed(message, body, options);
    }
    return this.start<Receipt>(KIND.SEND, message, body, options, false);
  }

  trySend(message: Message, options?: SendOptions): Promise<Receipt> | null {
    try {
      return this.start<Receipt>(KIND.SEND, message, bytesOf(message.body), options, false);
    } catch (error) {
      if (error instanceof RocketError && error.code === "QUEUE_FULL") return null;
      return Promise.reject(error as Error);
    }
  }

  sendOneway(message: Message, options?: SendOptions): Promise<string> {
    return this.start<string>(KIND.ONE_WAY, message, bytesOf(message.body), options, false);
  }

  async sendBatch(topic: string, messages: readonly Omit<Message, "topic">[], options?: SendOptions): Promise<Receipt[]> {
    if (messages.length === 0) throw invalid("the batch is empty");
    const key = messages[0]?.orderingKey;
    if (messages.some((message) => message.orderingKey !== key)) {
      throw invalid("the messages of a batch have one orderingKey, or none");
    }
    // Everything is looked at before the first is handed over.
    const parts = messages.map((message) => {
      const { orderingKey: _, ...plain } = message;
      return { head: headOf({ ...plain, topic }, undefined, false), body: bytesOf(message.body) };
    });
    const head = batchHeadOf(options, key);
    const timeout = this.timeout(options);
    for (const { head, body } of parts) this.engine.addToBatch(head, body);
    return this.engine.begin<Receipt[]>(options?.signal, (core, now, ticket) => core.send_batch(now, ticket, head, timeout));
  }

  async begin(message: Message, options?: SendOptions): Promise<Transaction> {
    type Half = { transaction: number; receipt: Receipt };
    const half = await this.start<Half>(KIND.HALF, message, bytesOf(message.body), options, false);
    return this.transactionOf(half.transaction, half.receipt);
  }

  async sendInTransaction(
    message: Message,
    local: (receipt: Receipt) => Decision | Promise<Decision>,
    options?: SendOptions,
  ): Promise<{ receipt: Receipt; decision: Decision }> {
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

  async request(message: Message, options?: SendOptions): Promise<Reply> {
    const raw = await this.start<RawReply>(KIND.REQUEST, message, bytesOf(message.body), options, false);
    const { sysFlag, ...reply } = raw;
    return Object.freeze({ ...reply, body: await unpacked(reply.body, sysFlag) });
  }

  async route(topic: string, options?: { timeoutMs?: number; connect?: boolean }): Promise<Route> {
    const name = text("topic", topic);
    const timeout = options?.timeoutMs === undefined ? this.timeoutMs : span("timeoutMs", options.timeoutMs);
    const connect = options?.connect ?? false;
    const queues = await this.engine.begin<readonly Queue[]>(undefined, (core, now, ticket) => core.route(now, ticket, name, timeout, connect));
    return Object.freeze({ topic, queues });
  }

  get ready(): Promise<void> {
    return this.engine.ready();
  }

  get desiredSize(): number {
    return this.engine.room;
  }

  writable(options?: { topic?: string }): WritableStream<Message | Body> {
    const topic = options?.topic;
    const messageOf = (chunk: Message | Body): Message => {
      const bare = typeof chunk === "string" || chunk instanceof Uint8Array || chunk instanceof ArrayBuffer;
      if (!bare) return chunk;
      if (topic === undefined) throw invalid("a bare body wants the `topic` of writable()");
      return { topic, body: chunk };
    };
    return new WritableStream<Message | Body>({
      write: async (chunk, controller) => {
        await this.ready;
        this.send(messageOf(chunk)).catch((error: unknown) => controller.error(error));
      },
      close: () => this.flush(),
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

  async flush(options?: { signal?: AbortSignal }): Promise<void> {
    await Promise.allSettled(this.lanes.values());
    return this.engine.flush(options?.signal);
  }

  close(options?: { deadlineMs?: number }): Promise<CloseReport> {
    this.closed ??= this.shut(options?.deadlineMs);
    return this.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async shut(deadlineMs: number | undefined): Promise<CloseReport> {
    const deadline = deadlineMs === undefined ? CLOSE_DEADLINE : span("deadlineMs", deadlineMs);
    try {
      return await this.engine.close(deadline);
    } finally {
      this.unwatch();
    }
  }

  private start<T extends Receipt | string | RawReply | { transaction: number; receipt: Receipt }>(
    kind: number,
    message: Message,
    body: Uint8Array,
    options: SendOptions | undefined,
    packed: boolean,
  ): Promise<T> {
    const head = headOf(message, options, packed);
    const timeout = this.timeout(options);
    return this.engine.begin<T>(options?.signal, (core, now, ticket) => core.send(now, ticket, kind, head, body, timeout));
  }

  /** Compresses the body first. Messages of one ordering key wait for one another meanwhile. */
  private async sendCompressed(message: Message, body: Uint8Array, options: SendOptions | undefined): Promise<Receipt> {
    // The caller may change its array and its message after the call.
    const [kept, copy, wanted] = [body.slice(), { ...message }, { ...options }];
    headOf(copy, wanted, false);
    const begun = performance.now();
    const lane = copy.orderingKey ?? "";
    const before = copy.orderingKey === undefined ? undefined : this.lanes.get(lane);
    const packing = body.length >= this.compressOver ? compressed(kept) : Promise.resolve(undefined);
    const started = (async () => {
      const [packed] = await Promise.all([packing.catch(() => undefined), before]);
      const spent = performance.now() - begun;
      const timeoutMs = Number.isNaN(this.timeout(wanted)) ? undefined : Math.max(1, this.timeout(wanted) - spent);
      const sending = this.start<Receipt>(KIND.SEND, copy, packed ?? kept, { ...wanted, timeoutMs }, packed !== undefined);
      return { sending };
    })();
    if (copy.orderingKey !== undefined) {
      const done = started.catch(() => undefined).then(() => {
        if (this.lanes.get(lane) === done) this.lanes.delete(lane);
      });
      this.lanes.set(lane, done);
    }
    return (await started).sending;
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
