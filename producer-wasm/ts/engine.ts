// The driver: carries bytes, time and results between the core, sockets and promises.
import type { Bridge } from "./bridge.js";
import { aborted, OUTCOMES, RocketError } from "./errors.js";
import { Events } from "./events.js";
import { Link, type LinkHost } from "./link.js";
import { Core } from "./module.js";
import { type RawCheck, Reader } from "./outputs.js";
import { type Ended, type Orders, Performer } from "./perform.js";
import { BUFFERED_HIGH, BUFFERED_LOW, Room } from "./room.js";
import { type Pending, Tickets } from "./tickets.js";
import type { CloseReport, ConnectOptions, Decision, Outcome, Stats, WebSocketLike } from "./types.js";

export type { Ended } from "./perform.js";

/** Numbers of ways to send, as `src/lib.rs` has them. */
export const KIND = { SEND: 0, ONE_WAY: 1, HALF: 2, REQUEST: 3, REPLY: 4 } as const;

/** How often a socket is looked at that takes no more: no event tells when it does. */
const BLOCKED_EVERY = 20;
const WALL_CLOCK_EVERY = 1_000;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
/** Timers of browsers count no further. */
const TIMER_MAX = 0x7fffffff;

export class Engine implements LinkHost {
  readonly events = new Events();
  private readonly core: Core;
  private readonly tickets = new Tickets<Ended>();
  private readonly performer: Performer;
  private readonly room: Room;
  private readonly links = new Map<number, Link>();
  /** Closed ones whose bytes the browser still has. */
  private readonly lingering = new Set<Link>();
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
  private readonly origin: number;

  constructor(
    private readonly memory: WebAssembly.Memory,
    settings: string,
    private readonly bridge: Bridge,
    private readonly webSocket: WebSocketLike,
    private readonly options: ConnectOptions,
    limits: { bytes: number; messages: number },
    private readonly onCheck: (check: RawCheck) => void,
  ) {
    const [seed = 0, more = 0] = crypto.getRandomValues(new Uint32Array(2));
    let problem: string;
    try {
      this.core = new Core(settings, seed, more, Date.now());
      problem = this.text(this.core);
    } catch (cause) {
      throw new RocketError("WASM", `the producer cannot be made: ${String(cause)}${placeOf(cause)}`, { cause });
    }
    if (problem !== "") {
      this.core.free();
      throw new RocketError("INVALID", problem);
    }
    // The clock of the core begins with it.
    this.origin = performance.now();
    this.room = new Room(limits, () => this.guard((core) => [core.in_hand(), core.bytes_in_hand()]), () => this.buffered);
    this.performer = new Performer(this.tickets, this.events, this.orders());
  }

  now(): number {
    return performance.now() - this.origin;
  }

  // ---- what the producer asks for

  /**
   * Begins something that counts so many bytes and ends with what its ticket gets. Throws what is
   * known at once. What was held is begun even while the producer is closing.
   */
  begin<T extends Ended>(
    signal: AbortSignal | undefined,
    bytes: number,
    start: (core: Core, now: number, ticket: number) => number,
    wasHeld = false,
  ): Promise<T> {
    if (wasHeld) {
      if (this.poison) throw this.poison;
    } else {
      this.refuse();
    }
    if (signal?.aborted) throw aborted(signal, "not-sent");
    if (!wasHeld) this.room.refuse(bytes);
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

  /** Takes room for what is begun later; returns how to give it back. */
  hold(bytes: number): () => void {
    this.refuse();
    const release = this.room.hold(bytes);
    return () => {
      release();
      if (!this.poison && this.room.isWaitedFor) this.tellRoom();
    };
  }

  /** A flush from now on waits for this promise too. */
  track<T>(promise: Promise<T>): Promise<T> {
    return this.tickets.hold(promise);
  }

  /** Throws if nothing may be begun. */
  refuse(): void {
    if (this.poison) throw this.poison;
    if (this.closing) throw new RocketError("CLOSED", "the producer is closed", { detail: "closed" });
  }

  /** Adds to the batch that is being put together. */
  addToBatch(head: string, body: Uint8Array): void {
    const problem = this.guard((core) => (core.add(head, body), this.text(core)));
    if (problem !== "") throw new RocketError("INVALID", problem);
  }

  dropBatch(): void {
    if (!this.poison) this.guard((core) => core.drop_batch());
  }

  endTransaction(transaction: number, decision: Decision, why: string): boolean {
    if (this.poison) return false;
    const now = this.tick();
    const number = { commit: 0, rollback: 1, unknown: 2 }[decision];
    this.enter((core) => core.end_transaction(now, transaction, number, why));
    return this.performer.flag === 1;
  }

  get desiredSize(): number {
    return this.poison || this.closing ? 0 : this.room.bytes;
  }

  /** Resolves when half of the room is free, if none is now; rejects if there will be none. */
  ready(): Promise<void> {
    if (this.poison) return Promise.reject(this.poison);
    if (this.closing || this.room.bytes > 0) return Promise.resolve();
    return this.wait(this.room.half);
  }

  /** Resolves when so many bytes more may fit: later than now, for now they did not. */
  async roomFor(bytes: number): Promise<void> {
    if (this.poison) throw this.poison;
    if (this.room.bytes >= bytes) return new Promise((resolve) => setTimeout(resolve, BLOCKED_EVERY));
    if (!this.closing) await this.wait(bytes);
  }

  private wait(bytes: number): Promise<void> {
    const waited = this.room.wait(bytes);
    this.tellRoom();
    return waited;
  }

  get buffered(): number {
    let bytes = 0;
    for (const link of this.links.values()) bytes += link.bufferedBytes;
    for (const link of this.lingering) {
      if (link.bufferedBytes === 0) this.lingering.delete(link);
      else bytes += link.bufferedBytes;
    }
    return bytes;
  }

  get clientId(): string {
    return this.guard((core) => (core.client_id(), this.text(core)));
  }

  stats(): Stats {
    const stats: Record<string, number> = {};
    this.guard((core) => {
      const count = core.stats();
      const values = new Float64Array(this.memory.buffer, core.numbers(), count);
      this.text(core).trim().split(" ").forEach((name, n) => (stats[name] = values[n] ?? 0));
    });
    stats.bufferedBytes = this.buffered;
    stats.eventsDropped = this.events.dropped;
    return stats as unknown as Stats;
  }

  flush(signal: AbortSignal | undefined): Promise<void> {
    if (this.poison) return Promise.reject(this.poison);
    if (signal?.aborted) return Promise.reject(aborted(signal, "not-sent", "flush"));
    this.react((core, now) => core.flush(now));
    if (this.poison) return Promise.reject(this.poison);
    const flushed = this.tickets.flushed();
    if (!signal) return flushed;
    return new Promise((resolve, reject) => {
      const abort = () => reject(aborted(signal, "not-sent", "flush"));
      signal.addEventListener("abort", abort, { once: true });
      const off = () => signal.removeEventListener("abort", abort);
      flushed.then(
        () => (off(), resolve()),
        (error: unknown) => (off(), reject(error)),
      );
    });
  }

  /** Takes no more but what is held. */
  stop(): void {
    this.closing = true;
    this.room.end();
  }

  close(deadlineMs: number): Promise<CloseReport> {
    if (this.report) return Promise.resolve(this.report);
    this.stop();
    const closed = new Promise<CloseReport>((resolve) => this.closers.push(resolve));
    this.react((core, now) => core.close(now, deadlineMs));
    return closed;
  }

  /** Everything that waits leaves now: the page may be gone before the next turn. */
  flushNow(): void {
    this.flushing = false;
    for (const conn of [...this.dirty]) this.write(conn);
  }

  /** The way out may be open again. */
  online(): void {
    if (!this.report) this.react((core, now) => core.online(now));
  }

  // ---- what links tell

  opened(link: Link): void {
    this.log("debug", `connected to ${link.target}`);
    this.events.put({ type: "up", target: link.target, afterMs: link.ageMs });
    this.react((core, now) => core.connected(now, link.conn));
  }

  received(link: Link, bytes: Uint8Array): void {
    this.react((core, now) => core.received(now, link.conn, bytes));
    if (this.blocked.size > 0) this.unblock();
  }

  leaving(link: Link): void {
    this.react((core, now) => core.leaving(now, link.conn));
  }

  closed(link: Link, code: number, reason: string): void {
    this.down(link, code, reason);
    this.react((core, now) => core.closed(now, link.conn, code, reason));
  }

  failed(link: Link, problem: string, isToken: boolean): void {
    this.down(link, 0, problem);
    this.events.put({ type: "hint", text: problem });
    this.react((core, now) => core.failed(now, link.conn, problem, isToken));
  }

  private down(link: Link, code: number, reason: string): void {
    this.log("warn", `connection to ${link.target} ended: ${code || ""} ${reason}`);
    this.events.put({ type: "down", target: link.target, code, reason });
    this.forget(link.conn);
  }

  /** What an application's logger throws is not ours. */
  private log(level: "debug" | "warn", text: string): void {
    try {
      this.options.logger?.[level](text);
    } catch {
      // A log that cannot be written is no reason to lose a connection.
    }
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

  /** Something came from outside. If the module fails over it, `fail` tells all whom it concerns. */
  private react(visit: (core: Core, now: number) => number): void {
    if (this.poison) return;
    try {
      const now = this.tick();
      this.enter((core) => visit(core, now));
    } catch (error) {
      if (error !== this.poison) throw error;
    }
  }

  /** Changes the core, and does what it wants done. */
  private enter(visit: (core: Core) => number): void {
    if (this.poison) return;
    this.guard((core) => {
      const count = visit(core);
      const numbers = new Float64Array(this.memory.buffer, core.numbers(), count);
      const [wake = Infinity, textBytes = 0] = [numbers[0], numbers[1]];
      // Two numbers are the wake and no text: nothing to do but to wait. What is done changes them.
      if (count > 2) this.performer.perform(new Reader(numbers.slice(), this.text(core, textBytes), this.performer.names));
      this.wakeBy(wake);
    });
    if (this.room.isWaitedFor) this.tellRoom();
  }

  /** The text that the last call left. */
  private text(core: Core, bytes = core.text_bytes()): string {
    return bytes === 0 ? "" : decoder.decode(new Uint8Array(this.memory.buffer, core.text(), bytes));
  }

  /** Any error of the module leaves it half changed: it is not used again. */
  private guard<R>(visit: (core: Core) => R): R {
    if (this.poison) throw this.poison;
    try {
      return visit(this.core);
    } catch (cause) {
      if (this.poison) throw this.poison;
      if (cause instanceof RocketError) throw this.fail(cause);
      throw this.fail(new RocketError("WASM", `the producer has failed: ${String(cause)}${placeOf(cause)}`, { cause, outcome: "unknown", hint: "make a new one; that is a bug" }));
    }
  }

  private fail(error: RocketError): RocketError {
    this.poison = error;
    this.report ??= Object.freeze({ acked: 0, written: 0, notSent: 0, rejected: 0, unknown: this.tickets.size, unknownIds: Object.freeze([]) });
    this.tickets.failAll(error);
    this.room.end(error);
    this.rest();
    return error;
  }

  /** Nothing is done any more. */
  private rest(): void {
    clearTimeout(this.timer);
    clearTimeout(this.blockedTimer);
    this.timer = this.blockedTimer = undefined;
    for (const link of this.links.values()) link.close();
    this.links.clear();
    this.lingering.clear();
    this.dirty.clear();
    this.blocked.clear();
    this.events.end();
    const { report } = this;
    if (report) for (const closer of this.closers.splice(0)) closer(report);
  }

  private orders(): Orders {
    return {
      dial: (conn, deadline, target) => {
        this.links.set(conn, new Link(conn, target, this.bridge, this.webSocket, this, deadline));
      },
      transmit: (conn) => {
        this.dirty.add(conn);
        if (this.flushing) return;
        this.flushing = true;
        // Sends of one turn leave together.
        queueMicrotask(() => this.flushNow());
      },
      drop: (conn) => {
        this.links.get(conn)?.close();
        this.forget(conn);
      },
      // What answers belongs to the application, and may come back to us.
      asked: (check) => queueMicrotask(() => this.onCheck(check)),
      ended: (report) => {
        this.report = report;
        this.rest();
      },
      body: (number) => new Uint8Array(this.memory.buffer, this.core.body(number), this.core.body_bytes(number)).slice(),
    };
  }

  private abort(ticket: number, entry: Pending<Ended>, signal: AbortSignal): void {
    if (!this.tickets.isOf(ticket, entry) || this.poison) return;
    this.react((core, now) => core.cancel(now, ticket));
    const outcome: Outcome = OUTCOMES[this.performer.flag] ?? "unknown";
    if (this.tickets.isOf(ticket, entry)) this.tickets.reject(ticket, aborted(signal, outcome));
  }

  // ---- connections

  private forget(conn: number): void {
    const link = this.links.get(conn);
    if (link && link.bufferedBytes > 0) this.lingering.add(link);
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
    this.react((core) => {
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
    if (this.poison) return;
    if (this.blocked.size > 0) this.blockedTimer ??= setTimeout(() => this.unblock(), BLOCKED_EVERY);
    if (this.room.isWaitedFor) this.tellRoom();
  }

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
      this.react((core, now) => core.timeout(now));
    }, Math.min(Math.max(0, Math.ceil(at - this.now())), TIMER_MAX));
  }

  private tellRoom(): void {
    this.room.tell();
    // It may be that only what sockets have taken is in the way: nothing tells when that is written.
    if (this.room.isWaitedFor && this.buffered > 0) this.blockedTimer ??= setTimeout(() => this.unblock(), BLOCKED_EVERY);
  }
}

/** Functions that a trap came through, the innermost first. The package's `rocketmq_bg.symbols` names them. */
function placeOf(cause: unknown): string {
  const stack = cause instanceof Error ? String(cause.stack) : "";
  const functions = Array.from(stack.matchAll(/wasm-function\[(\d+)\]/g), ([, number]) => number);
  return functions.length > 0 ? ` in functions ${functions.slice(0, 6).join(" ")} of rocketmq_bg.wasm` : "";
}
