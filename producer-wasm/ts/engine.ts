// The driver: carries bytes, time and results between the core, sockets and promises.
import { Bridge } from "./bridge.js";
import { aborted, OUTCOMES, RocketError } from "./errors.js";
import { Events } from "./events.js";
import { Link, type LinkHost } from "./link.js";
import { Core, last_panic } from "./module.js";
import { checkOf, failureOf, OP, type RawCheck, type RawReply, Reader, replyOf } from "./outputs.js";
import { type Pending, Tickets } from "./tickets.js";
import type {
  CloseReport,
  ConnectOptions,
  Decision,
  Outcome,
  Queue,
  Receipt,
  Stats,
  WebSocketLike,
} from "./types.js";

/** Numbers of ways to send, as `src/lib.rs` has them. */
export const KIND = { SEND: 0, ONE_WAY: 1, HALF: 2, REQUEST: 3, REPLY: 4 } as const;

/** What a ticket may end with. */
export type Ended = Receipt | Receipt[] | string | { transaction: number; receipt: Receipt } | RawReply | readonly Queue[];

/** Above this a browser's socket gets no more until it has written down to the lower one. */
const BUFFERED_HIGH = 1 << 20;
const BUFFERED_LOW = 256 << 10;
/** How often a socket is looked at that takes no more: no event tells when it does. */
const BLOCKED_EVERY = 20;
const WALL_CLOCK_EVERY = 1_000;
/** Timers of browsers count no further. */
const TIMER_MAX = 0x7fffffff;

export class Engine implements LinkHost {
  readonly events = new Events();
  private readonly core: Core;
  private readonly names: string[] = [];
  private readonly tickets = new Tickets<Ended>();
  private readonly links = new Map<number, Link>();
  private readonly dirty = new Set<number>();
  private readonly blocked = new Set<number>();
  private flushing = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private timerAt = Infinity;
  private blockedTimer: ReturnType<typeof setTimeout> | undefined;
  private wallAt = -Infinity;
  private poison: RocketError | undefined;
  private closing = false;
  private report: CloseReport | undefined;
  private readonly closers: ((report: CloseReport) => void)[] = [];
  private flag = -1;
  private roomWaiters: (() => void)[] = [];

  constructor(
    private readonly memory: WebAssembly.Memory,
    settings: string,
    private readonly bridge: Bridge,
    private readonly webSocket: WebSocketLike,
    private readonly options: ConnectOptions,
    private readonly limits: { bytes: number; messages: number },
    private readonly onCheck: (check: RawCheck) => void,
  ) {
    const seed = crypto.getRandomValues(new Uint32Array(2));
    try {
      this.core = new Core(settings, seed, Date.now());
    } catch (problem) {
      if (typeof problem === "string") throw new RocketError("INVALID", problem);
      throw new RocketError("WASM", `the producer cannot be made: ${String(problem)}`, { cause: problem });
    }
    // The clock of the core begins with it.
    this.origin = performance.now();
  }

  private readonly origin: number;

  now(): number {
    return performance.now() - this.origin;
  }

  // ---- what the producer asks for

  /** Begins something that ends with what its ticket gets. Throws what is known at once. */
  begin<T extends Ended>(signal: AbortSignal | undefined, start: (core: Core, now: number, ticket: number) => number): Promise<T> {
    this.refuse();
    if (signal?.aborted) throw aborted(signal, "not-sent");
    const now = this.tick();
    // Ends that come before there is a promise are known at once, and told as such.
    let early: { ended?: Ended; error?: RocketError } | undefined;
    const [ticket, entry] = this.tickets.begin(
      (ended) => (early = { ended }),
      (error) => (early = { error }),
    );
    this.enter((core) => start(core, now, ticket));
    const known = early as { ended?: Ended; error?: RocketError } | undefined;
    if (known?.error) throw known.error;
    return new Promise<T>((resolve, reject) => {
      if (known) return resolve(known.ended as T);
      entry.resolve = resolve as (ended: Ended) => void;
      entry.reject = reject;
      if (signal) {
        const abort = () => this.abort(ticket, entry, signal);
        signal.addEventListener("abort", abort, { once: true });
        entry.off = () => signal.removeEventListener("abort", abort);
      }
    });
  }

  /** Adds to the batch that is being put together. */
  addToBatch(head: string, body: Uint8Array): void {
    this.refuse();
    const problem = this.guard((core) => core.add(head, body));
    if (problem !== undefined) {
      this.guard((core) => core.drop_batch());
      throw new RocketError("INVALID", problem);
    }
  }

  dropBatch(): void {
    this.guard((core) => core.drop_batch());
  }

  endTransaction(transaction: number, decision: Decision, why: string): boolean {
    if (this.poison) return false;
    const now = this.tick();
    const number = { commit: 0, rollback: 1, unknown: 2 }[decision];
    this.enter((core) => core.end_transaction(now, transaction, number, why));
    return this.flag === 1;
  }

  /** Bytes that there is room for. */
  get room(): number {
    if (this.poison || this.closing) return 0;
    const levels = this.guard((core) => core.levels());
    const [messages = 0, bytes = 0] = levels;
    if (messages >= this.limits.messages) return 0;
    return this.limits.bytes - bytes - this.buffered;
  }

  /** Resolves when half of the room is free; rejects if there will be none. */
  ready(): Promise<void> {
    if (this.poison) return Promise.reject(this.poison);
    if (this.room > 0 || this.closing) return Promise.resolve();
    return new Promise((resolve) => this.roomWaiters.push(resolve));
  }

  get buffered(): number {
    let bytes = 0;
    for (const link of this.links.values()) bytes += link.bufferedBytes;
    return bytes;
  }

  get clientId(): string {
    return this.guard((core) => core.client_id());
  }

  stats(): Stats {
    const values = this.guard((core) => core.stats());
    const stats: Record<string, number> = {};
    Core.stats_names().split(" ").forEach((name, n) => (stats[name] = values[n] ?? 0));
    stats.bufferedBytes = this.buffered;
    stats.eventsDropped = this.events.dropped;
    return stats as unknown as Stats;
  }

  flush(signal: AbortSignal | undefined): Promise<void> {
    if (this.poison) return Promise.reject(this.poison);
    if (signal?.aborted) return Promise.reject(aborted(signal, "not-sent"));
    const now = this.tick();
    this.enter((core) => core.flush(now));
    const flushed = this.tickets.flushed();
    if (!signal) return flushed;
    return new Promise((resolve, reject) => {
      void flushed.then(resolve);
      signal.addEventListener("abort", () => reject(aborted(signal, "not-sent")), { once: true });
    });
  }

  close(deadlineMs: number): Promise<CloseReport> {
    if (this.report) return Promise.resolve(this.report);
    if (this.poison) return Promise.reject(this.poison);
    this.closing = true;
    const now = this.tick();
    const closed = new Promise<CloseReport>((resolve) => this.closers.push(resolve));
    this.enter((core) => core.close(now, deadlineMs));
    this.tellRoom(true);
    return closed;
  }

  /** Everything that waits leaves now: the page may be gone before the next turn. */
  flushNow(): void {
    this.flushing = false;
    for (const conn of [...this.dirty]) this.write(conn);
  }

  /** The way out may be open again. */
  online(): void {
    if (this.poison || this.report) return;
    const now = this.tick();
    this.enter((core) => core.online(now));
  }

  // ---- what links tell

  opened(link: Link): void {
    this.options.logger?.debug(`connected to ${link.target}`);
    this.events.put({ type: "up", target: link.target, afterMs: link.ageMs });
    const now = this.tick();
    this.enter((core) => core.connected(now, link.conn));
  }

  received(link: Link, bytes: Uint8Array): void {
    const now = this.tick();
    this.enter((core) => core.received(now, link.conn, bytes));
    if (this.blocked.size > 0) this.unblock();
  }

  leaving(link: Link): void {
    const now = this.tick();
    this.enter((core) => core.leaving(now, link.conn));
  }

  closed(link: Link, code: number, reason: string): void {
    this.down(link, code, reason);
    const now = this.tick();
    this.enter((core) => core.closed(now, link.conn, code, reason));
  }

  failed(link: Link, problem: string): void {
    this.down(link, 0, problem);
    this.events.put({ type: "hint", text: problem });
    const now = this.tick();
    this.enter((core) => core.failed(now, link.conn, problem));
  }

  private down(link: Link, code: number, reason: string): void {
    this.options.logger?.warn(`connection to ${link.target} ended: ${code || ""} ${reason}`);
    this.events.put({ type: "down", target: link.target, code, reason });
    this.forget(link.conn);
  }

  // ---- the door

  /** Reads the clock, and tells the core what the wall clock says now and then. */
  private tick(): number {
    const now = this.now();
    if (now - this.wallAt >= WALL_CLOCK_EVERY) {
      this.wallAt = now;
      this.guard((core) => core.wall_clock(now, Date.now()));
    }
    return now;
  }

  /** Changes the core, and does what it wants done. */
  private enter(visit: (core: Core) => number): void {
    if (this.poison) return;
    const count = this.guard(visit);
    // Two numbers are the wake and no text: nothing to do but to wait.
    const numbers = new Float64Array(this.memory.buffer, this.core.numbers(), count).slice();
    if (count > 2) this.perform(new Reader(numbers, numbers[1] === 0 ? "" : this.guard((core) => core.text()), this.names));
    this.wakeBy(numbers[0] ?? Infinity);
    if (this.roomWaiters.length > 0) this.tellRoom(false);
  }

  /** Any error of the module leaves it half changed: it is not used again. */
  private guard<R>(visit: (core: Core) => R): R {
    if (this.poison) throw this.poison;
    try {
      return visit(this.core);
    } catch (cause) {
      const said = lastPanic();
      throw this.fail(new RocketError("WASM", `the producer has failed: ${said || String(cause)}`, { cause, outcome: "unknown", hint: "make a new one; that is a bug" }));
    }
  }

  private fail(error: RocketError): RocketError {
    this.poison = error;
    clearTimeout(this.timer);
    clearTimeout(this.blockedTimer);
    for (const link of this.links.values()) link.close();
    this.links.clear();
    this.tickets.failAll(error);
    this.tellRoom(true);
    this.events.end();
    const nothing: CloseReport = { acked: 0, written: 0, notSent: 0, rejected: 0, unknown: 0, unknownIds: [] };
    for (const closer of this.closers.splice(0)) closer(nothing);
    return error;
  }

  private perform(outputs: Reader): void {
    while (!outputs.ended) {
      const op = outputs.number();
      switch (op) {
        case OP.STORED: {
          const ticket = outputs.number();
          this.tickets.end(ticket)?.resolve(outputs.receipt());
          break;
        }
        case OP.TRANSMIT:
          this.dirty.add(outputs.number());
          if (!this.flushing) {
            this.flushing = true;
            // Sends of one turn leave together.
            queueMicrotask(() => this.flushNow());
          }
          break;
        case OP.CONNECT:
          this.dial(outputs.number(), outputs.number(), outputs.text());
          break;
        case OP.CLOSE: {
          const conn = outputs.number();
          this.links.get(conn)?.close();
          this.forget(conn);
          break;
        }
        case OP.FAILED: {
          const ticket = outputs.number();
          this.tickets.end(ticket)?.reject(failureOf(outputs));
          break;
        }
        case OP.WRITTEN: {
          const ticket = outputs.number();
          this.tickets.end(ticket)?.resolve(outputs.text());
          break;
        }
        case OP.BATCH: {
          const ticket = outputs.number();
          const count = outputs.number();
          this.tickets.end(ticket)?.resolve(Array.from({ length: count }, () => outputs.receipt()));
          break;
        }
        case OP.PREPARED: {
          const ticket = outputs.number();
          const transaction = outputs.number();
          this.tickets.end(ticket)?.resolve({ transaction, receipt: outputs.receipt() });
          break;
        }
        case OP.CHECK:
          this.onCheck(checkOf(outputs, this.bodies));
          break;
        case OP.REPLIED: {
          const ticket = outputs.number();
          this.tickets.end(ticket)?.resolve(replyOf(outputs, this.bodies));
          break;
        }
        case OP.ROUTE: {
          const ticket = outputs.number();
          outputs.number();
          const count = outputs.number();
          const queue = (): Queue => Object.freeze({ broker: outputs.name(), queueId: outputs.number() });
          this.tickets.end(ticket)?.resolve(Object.freeze(Array.from({ length: count }, queue)));
          break;
        }
        case OP.CLOSED:
          this.ended(outputs);
          break;
        case OP.NAME: {
          const number = outputs.number();
          this.names[number] = outputs.text();
          break;
        }
        case OP.INVALID: {
          const ticket = outputs.number();
          this.tickets.end(ticket)?.reject(new RocketError("INVALID", outputs.text()));
          break;
        }
        case OP.CANCELLED:
        case OP.FLAG:
          this.flag = outputs.number();
          break;
        case OP.RETRIED: {
          const elapsedMs = outputs.number();
          const [messageId, broker, cause, message] = [outputs.text(), outputs.text(), outputs.text(), outputs.text()];
          this.events.put({ type: "retry", messageId, broker, cause, message, elapsedMs });
          break;
        }
        case OP.BROKER: {
          const usable = outputs.number() === 1;
          this.events.put({ type: "broker", broker: outputs.text(), usable });
          break;
        }
        case OP.ROUTE_CHANGED:
          this.events.put({ type: "route", topic: outputs.text(), brokers: outputs.text().split(" ").filter(Boolean) });
          break;
        default:
          throw this.fail(new RocketError("WASM", `script and wasm file are of different versions (op ${op})`, { outcome: "unknown" }));
      }
    }
  }

  private ended(outputs: Reader): void {
    const [acked, written, notSent, rejected, unknown] =
      [outputs.number(), outputs.number(), outputs.number(), outputs.number(), outputs.number()];
    const unknownIds = Object.freeze(outputs.text().split(" ").filter(Boolean));
    const report = Object.freeze({ acked, written, notSent, rejected, unknown, unknownIds });
    this.report = report;
    this.events.end();
    for (const closer of this.closers.splice(0)) closer(report);
  }

  private abort(ticket: number, entry: Pending<Ended>, signal: AbortSignal): void {
    if (!this.tickets.isOf(ticket, entry) || this.poison) return;
    const now = this.tick();
    this.enter((core) => core.cancel(now, ticket));
    const outcome: Outcome = OUTCOMES[this.flag] ?? "unknown";
    this.tickets.end(ticket)?.reject(aborted(signal, outcome));
  }

  // ---- connections

  private dial(conn: number, deadline: number, target: string): void {
    this.links.set(conn, new Link(conn, target, this.bridge, this.webSocket, this, deadline));
  }

  private forget(conn: number): void {
    this.links.delete(conn);
    this.dirty.delete(conn);
    this.blocked.delete(conn);
  }

  private write(conn: number): void {
    this.dirty.delete(conn);
    const link = this.links.get(conn);
    if (!link?.isOpen || this.poison) return;
    if (link.bufferedBytes > BUFFERED_HIGH) {
      this.blocked.add(conn);
      this.blockedTimer ??= setTimeout(() => this.unblock(), BLOCKED_EVERY);
      return;
    }
    this.enter((core) => {
      const count = core.take(conn);
      const bytes = core.frame_bytes();
      if (bytes > 0) link.write(new Uint8Array(this.memory.buffer, core.frame(), bytes));
      return count;
    });
  }

  private unblock(): void {
    clearTimeout(this.blockedTimer);
    this.blockedTimer = undefined;
    for (const conn of [...this.blocked]) {
      const buffered = this.links.get(conn)?.bufferedBytes ?? 0;
      if (buffered <= BUFFERED_LOW) {
        this.blocked.delete(conn);
        this.write(conn);
      }
    }
    if (this.blocked.size > 0) this.blockedTimer ??= setTimeout(() => this.unblock(), BLOCKED_EVERY);
    if (this.roomWaiters.length > 0) this.tellRoom(false);
  }

  private readonly bodies = (number: number) => this.guard((core) => core.body(number));

  // ---- time and room

  private wakeBy(at: number): void {
    if (this.report || (at >= this.timerAt && this.timer !== undefined)) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    this.timerAt = at;
    if (at === Infinity) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.timerAt = Infinity;
      if (this.poison) return;
      const now = this.tick();
      this.enter((core) => core.timeout(now));
    }, Math.min(Math.max(0, Math.ceil(at - this.now())), TIMER_MAX));
  }

  private tellRoom(anyway: boolean): void {
    if (this.roomWaiters.length === 0) return;
    if (!anyway && this.room < this.limits.bytes / 2) {
      // Only what sockets have taken is in the way: nothing tells when that is written.
      if (this.buffered > 0) this.blockedTimer ??= setTimeout(() => this.unblock(), BLOCKED_EVERY);
      return;
    }
    for (const waiter of this.roomWaiters.splice(0)) waiter();
  }

  private refuse(): void {
    if (this.poison) throw this.poison;
    if (this.closing) throw new RocketError("CLOSED", "the producer is closed");
  }
}

function lastPanic(): string {
  try {
    return last_panic();
  } catch {
    return "";
  }
}
