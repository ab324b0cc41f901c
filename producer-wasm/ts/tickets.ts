// Who waits for which send, and when all that were accepted before a moment have ended.
import type { RocketError } from "./errors.js";

/** Who waits for the end of one send. */
export interface Pending<E> {
  resolve(ended: E): void;
  reject(error: RocketError): void;
  readonly era: number;
  off: (() => void) | undefined;
}

interface Flusher {
  readonly era: number;
  done(): void;
  fail(error: RocketError): void;
}

/** Small numbers that are used again, each for one who waits. */
export class Tickets<E> {
  private readonly places: (Pending<E> | undefined)[] = [];
  private readonly free: number[] = [];
  // Sends of one era have ended when its count is gone; a flush begins a new one.
  private era = 0;
  private readonly eras = new Map<number, number>();
  private flushers: Flusher[] = [];

  /** How many wait. */
  get size(): number {
    return this.places.length - this.free.length;
  }

  begin(resolve: (ended: E) => void, reject: (error: RocketError) => void): [number, Pending<E>] {
    const ticket = this.free.pop() ?? this.places.length;
    const entry = { resolve, reject, era: this.era, off: undefined };
    this.places[ticket] = entry;
    this.count(this.era);
    return [ticket, entry];
  }

  isOf(ticket: number, entry: Pending<E>): boolean {
    return this.places[ticket] === entry;
  }

  /** Tells whoever waits that it has ended well; nobody may wait any more. */
  resolve(ticket: number, ended: E): void {
    const entry = this.take(ticket);
    entry?.resolve(ended);
    if (entry) this.uncount(entry.era);
  }

  /** Tells whoever waits that it has failed. */
  reject(ticket: number, error: RocketError): void {
    const entry = this.take(ticket);
    entry?.reject(error);
    if (entry) this.uncount(entry.era);
  }

  /** A flush from now on waits for this promise too. */
  hold<T>(promise: Promise<T>): Promise<T> {
    const era = this.era;
    this.count(era);
    const done = () => this.uncount(era);
    promise.then(done, done);
    return promise;
  }

  /** Resolves when all that are waited for now have ended; rejects if they all fail at once. */
  flushed(): Promise<void> {
    if (this.eras.size === 0) return Promise.resolve();
    const era = this.era++;
    return new Promise((done, fail) => this.flushers.push({ era, done, fail }));
  }

  /** Nobody will be told otherwise. */
  failAll(error: RocketError): void {
    for (const entry of this.places.splice(0)) {
      entry?.off?.();
      entry?.reject(error);
    }
    this.free.length = 0;
    this.eras.clear();
    for (const flusher of this.flushers.splice(0)) flusher.fail(error);
  }

  private take(ticket: number): Pending<E> | undefined {
    const entry = this.places[ticket];
    if (!entry) return undefined;
    this.places[ticket] = undefined;
    this.free.push(ticket);
    entry.off?.();
    return entry;
  }

  private count(era: number): void {
    this.eras.set(era, (this.eras.get(era) ?? 0) + 1);
  }

  /** After whoever waited was told, so that those who flush hear of it later. */
  private uncount(era: number): void {
    const left = (this.eras.get(era) ?? 0) - 1;
    if (left > 0) {
      this.eras.set(era, left);
    } else if (this.eras.delete(era) && this.flushers.length > 0) {
      this.tellFlushers();
    }
  }

  private tellFlushers(): void {
    let oldest = Infinity;
    for (const era of this.eras.keys()) oldest = Math.min(oldest, era);
    const done = this.flushers.filter((flusher) => flusher.era < oldest);
    this.flushers = this.flushers.filter((flusher) => flusher.era >= oldest);
    for (const flusher of done) flusher.done();
  }
}
