// How much room there is for sends, and who waits for more of it.
import { RocketError } from "./errors.js";

/** Above this a browser's socket gets no more until it has written down to the lower one. */
export const BUFFERED_HIGH = 1 << 20;
export const BUFFERED_LOW = 256 << 10;

interface Waiter {
  readonly bytes: number;
  resolve(): void;
  reject(error: RocketError): void;
}

/** What a send of this body counts, about: the core also counts names and properties. */
export function bytesCounted(body: number): number {
  return 2 * body + 512;
}

export class Room {
  private waiters: Waiter[] = [];
  /** Sends that the core does not know of yet: their bodies are being compressed, or wait for such. */
  private heldMessages = 0;
  private heldBytes = 0;

  constructor(
    private readonly limits: { bytes: number; messages: number },
    /** Sends that the core has in hand, and their bytes. */
    private readonly levels: () => ArrayLike<number>,
    /** Bytes that sockets have taken and not written. */
    private readonly buffered: () => number,
  ) {}

  get isWaitedFor(): boolean {
    return this.waiters.length > 0;
  }

  /** Bytes that there is room for. */
  get bytes(): number {
    const [messages = 0, bytes = 0] = Array.from(this.levels());
    if (messages + this.heldMessages >= this.limits.messages) return 0;
    return this.limits.bytes - bytes - this.heldBytes - this.buffered();
  }

  /**
   * Throws if a send of so many bytes is too much. The core counts its own; here is what it does not
   * see: sends that are held, and what sockets keep of sends that have ended.
   */
  refuse(need: number): void {
    const buffered = this.buffered();
    if (this.heldMessages === 0 && buffered <= BUFFERED_HIGH) return;
    const [messages = 0, bytes = 0] = Array.from(this.levels());
    const isFull = this.heldMessages > 0 &&
      (messages + this.heldMessages >= this.limits.messages || bytes + this.heldBytes + need > this.limits.bytes);
    const stalled = buffered > BUFFERED_HIGH && bytes + this.heldBytes + buffered + need > this.limits.bytes + BUFFERED_HIGH;
    if (isFull || stalled) {
      const why = stalled ? `connections hold ${buffered} bytes that they cannot write` : "maxPendingMessages or maxPendingBytes are in hand";
      throw new RocketError("QUEUE_FULL", why, { detail: "full", hint: "await `ready`, or send less" });
    }
  }

  /** Takes room for a send that the core does not know of yet. Returns how to give it back. */
  hold(need: number): () => void {
    const [messages = 0, bytes = 0] = Array.from(this.levels());
    const none = messages + this.heldMessages === 0;
    if (!none && (messages + this.heldMessages >= this.limits.messages || bytes + this.heldBytes + need > this.limits.bytes)) {
      throw new RocketError("QUEUE_FULL", "maxPendingMessages or maxPendingBytes are in hand", { detail: "full", hint: "await `ready`, or send less" });
    }
    this.refuse(none ? 0 : need);
    this.heldMessages += 1;
    this.heldBytes += need;
    return () => {
      this.heldMessages -= 1;
      this.heldBytes -= need;
    };
  }

  /** Resolves when so many bytes are free, or all. */
  wait(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => this.waiters.push({ bytes, resolve, reject }));
  }

  /** Tells those who wait for no more than there is. */
  tell(): void {
    const { bytes } = this;
    const most = this.limits.bytes;
    const told = this.waiters.filter((waiter) => bytes > 0 && bytes >= Math.min(waiter.bytes, most));
    if (told.length === 0) return;
    this.waiters = this.waiters.filter((waiter) => !told.includes(waiter));
    for (const waiter of told) waiter.resolve();
  }

  /** There will be no more room: those who wait are let go, or told why. */
  end(error?: RocketError): void {
    for (const waiter of this.waiters.splice(0)) error ? waiter.reject(error) : waiter.resolve();
  }

  /** What a wait for plenty waits for. */
  get half(): number {
    return this.limits.bytes / 2;
  }
}
