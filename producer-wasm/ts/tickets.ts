// Who waits for which send, and when all that were accepted before a moment have ended.
import type { RocketError } from "./errors.js";

/** Who waits for the end of one send. */
export interface Pending<E> {
  resolve(ended: E): void;
  reject(error: RocketError): void;
  readonly era: number;
  off: (() => void) | undefined;
}

/** Small numbers that are used again, each for one who waits. */
export class Tickets<E> {
  private readonly places: (Pending<E> | undefined)[] = [];
  private readonly free: number[] = [];
  // Sends of one era have ended when its count is gone; a flush begins a new one.
  private era = 0;
  private readonly eras = new Map<number, number>();
  private flushers: { era: number; done: () => void }[] = [];

  begin(resolve: (ended: E) => void, reject: (error: RocketError) => void): [number, Pending<E>] {
    const ticket = this.free.pop() ?? this.places.length;
    const entry = { resolve, reject, era: this.era, off: undefined };
    this.places[ticket] = entry;
    this.eras.set(this.era, (this.eras.get(this.era) ?? 0) + 1);
    return [ticket, entry];
  }

  isOf(ticket: number, entry: Pending<E>): boolean {
    return this.places[ticket] === entry;
  }

  /** Takes a ticket back; whoever waits is to be told by the caller. */
  end(ticket: number): Pending<E> | undefined {
    const entry = this.places[ticket];
    if (!entry) return undefined;
    this.places[ticket] = undefined;
    this.free.push(ticket);
    entry.off?.();
    const left = (this.eras.get(entry.era) ?? 1) - 1;
    if (left > 0) {
      this.eras.set(entry.era, left);
    } else {
      this.eras.delete(entry.era);
      if (this.flushers.length > 0) this.tellFlushers();
    }
    return entry;
  }

  /** Resolves when all that are waited for now have ended. */
  flushed(): Promise<void> {
    if (this.eras.size === 0) return Promise.resolve();
    const era = this.era++;
    return new Promise((done) => this.flushers.push({ era, done }));
  }

  /** Nobody will be told otherwise. */
  failAll(error: RocketError): void {
    for (const entry of this.places.splice(0)) {
      entry?.off?.();
      entry?.reject(error);
    }
    this.free.length = 0;
    this.eras.clear();
    for (const flusher of this.flushers.splice(0)) flusher.done();
  }

  private tellFlushers(): void {
    let oldest = Infinity;
    for (const era of this.eras.keys()) oldest = Math.min(oldest, era);
    const done = this.flushers.filter((flusher) => flusher.era < oldest);
    this.flushers = this.flushers.filter((flusher) => flusher.era >= oldest);
    for (const flusher of done) flusher.done();
  }
}
