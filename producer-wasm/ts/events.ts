// What happens, for those who look on: bounded, the oldest go first.
import type { ProducerEvent } from "./types.js";

const WAITING_MAX = 1_024;

export class Events {
  /** Events that were not fetched in time, by all who look on. */
  dropped = 0;
  private readonly lookers = new Set<Looker>();
  private over = false;

  put(event: ProducerEvent): void {
    for (const looker of this.lookers) this.dropped += looker.put(event);
  }

  end(): void {
    this.over = true;
    for (const looker of this.lookers) looker.finish();
  }

  look(signal: AbortSignal | undefined): AsyncIterableIterator<ProducerEvent> {
    const leave = () => void looker.return();
    const looker = new Looker(() => {
      this.lookers.delete(looker);
      signal?.removeEventListener("abort", leave);
    });
    if (this.over || signal?.aborted) {
      looker.end();
    } else {
      this.lookers.add(looker);
      signal?.addEventListener("abort", leave, { once: true });
    }
    return looker;
  }
}

class Looker implements AsyncIterableIterator<ProducerEvent> {
  private readonly queue: ProducerEvent[] = [];
  private readonly takers: ((result: IteratorResult<ProducerEvent>) => void)[] = [];
  private over = false;

  constructor(private readonly leave: () => void) {}

  /** Takes an event; returns how many were dropped for it. */
  put(event: ProducerEvent): number {
    const taker = this.takers.shift();
    if (taker) {
      taker({ value: event, done: false });
      return 0;
    }
    this.queue.push(event);
    if (this.queue.length <= WAITING_MAX) return 0;
    this.queue.shift();
    return 1;
  }

  /** Nothing more happens: what waits can still be fetched. */
  finish(): void {
    this.leave();
    this.end();
  }

  end(): void {
    this.over = true;
    for (const taker of this.takers.splice(0)) taker({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<ProducerEvent>> {
    const value = this.queue.shift();
    if (value !== undefined) return Promise.resolve({ value, done: false });
    if (this.over) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.takers.push(resolve));
  }

  return(): Promise<IteratorResult<ProducerEvent>> {
    this.leave();
    this.end();
    this.queue.length = 0;
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
