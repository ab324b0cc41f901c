// A WebSocket that is listened to: what goes over the wire, for the topology and the timelines.
import { Cutter, codeOf, decode, opaqueOf } from "./frames.js";

/** A request and its answer. */
export interface Exchange {
  target: string;
  code: number;
  sentAt: number;
  answeredAt: number | null;
  request: Uint8Array;
  answer: Uint8Array | null;
  /** Its connection ended before it was answered. */
  cut: boolean;
}

/** Traffic of a target. */
export interface Traffic {
  sent: number;
  received: number;
  open: number;
  up: boolean;
}

/** Exchanges that are kept for those who ask. */
const KEPT_MAX = 6_000;
const SENDS = new Set([310, 320]);

export class Tap {
  readonly traffic = new Map<string, Traffic>();
  private readonly kept: Exchange[] = [];
  private next = 0;

  /** Traffic since the last time, by target. */
  take(): Record<string, Traffic> {
    const all: Record<string, Traffic> = {};
    for (const [target, traffic] of this.traffic) {
      all[target] = { ...traffic };
      traffic.sent = 0;
      traffic.received = 0;
    }
    return all;
  }

  /** The sends whose properties hold this text, oldest first. */
  find(property: string): Exchange[] {
    const needle = new TextEncoder().encode(property);
    const found = this.kept.filter((one) => includes(one.request, needle));
    return found.sort((a, b) => a.sentAt - b.sentAt);
  }

  keep(exchange: Exchange): void {
    this.kept[this.next] = exchange;
    this.next = (this.next + 1) % KEPT_MAX;
  }

  of(target: string): Traffic {
    let traffic = this.traffic.get(target);
    if (traffic === undefined) this.traffic.set(target, (traffic = { sent: 0, received: 0, open: 0, up: false }));
    return traffic;
  }

  /** The class to give to a producer. */
  webSocket(): typeof WebSocket {
    const tap = this;
    return class extends WebSocket {
      constructor(url: string | URL, protocols?: string | string[]) {
        super(url, protocols);
        listen(this, tap, String(url).replace(/^.*\/v1\/connect\//, ""));
      }
    };
  }
}

function listen(socket: WebSocket, tap: Tap, target: string): void {
  const traffic = tap.of(target);
  const asked = new Map<number, Exchange>();
  const [up, down] = [new Cutter(), new Cutter()];
  const send = socket.send.bind(socket);
  socket.send = (data) => {
    send(data);
    const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : undefined;
    if (bytes === undefined) return;
    // The producer writes into these bytes again once the call is over.
    for (const frame of up.push(bytes.slice())) {
      const code = codeOf(frame);
      const exchange = { target, code, sentAt: performance.now(), answeredAt: null, request: frame, answer: null, cut: false };
      asked.set(opaqueOf(frame), exchange);
      if (SENDS.has(code)) tap.keep(exchange);
      traffic.sent += 1;
      traffic.open += 1;
    }
  };
  socket.addEventListener("message", (event: MessageEvent) => {
    if (!(event.data instanceof ArrayBuffer)) {
      if (typeof event.data === "string" && event.data.includes('"hello"')) traffic.up = true;
      return;
    }
    for (const frame of down.push(new Uint8Array(event.data))) {
      traffic.received += 1;
      const opaque = opaqueOf(frame);
      const exchange = asked.get(opaque);
      if (exchange === undefined) continue;
      asked.delete(opaque);
      exchange.answeredAt = performance.now();
      exchange.answer = frame.slice();
      traffic.open -= 1;
    }
  });
  socket.addEventListener("close", () => {
    for (const exchange of asked.values()) exchange.cut = true;
    traffic.open -= asked.size;
    asked.clear();
    traffic.up = false;
  });
}

function includes(bytes: Uint8Array, needle: Uint8Array): boolean {
  let at = bytes.indexOf(needle[0]!);
  while (at >= 0) {
    let same = 1;
    while (same < needle.length && bytes[at + same] === needle[same]) same += 1;
    // Numbers end with the property: 1.2 is not 1.23.
    if (same === needle.length && (bytes[at + same] ?? 2) === 2) return true;
    at = bytes.indexOf(needle[0]!, at + 1);
  }
  return false;
}

/** The queue of a send. */
export function queueOf(request: Uint8Array): number {
  const field = decode(request)?.fields.find(([name]) => name === "e" || name === "queueId");
  return field === undefined ? -1 : Number(field[1]);
}
