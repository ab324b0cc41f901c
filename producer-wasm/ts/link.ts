// One connection of the core: a WebSocket through the bridge. Decides nothing about the protocol:
// it brings bytes, says when it is open, and how it ended.
import type { Bridge } from "./bridge.js";
import { PROTOCOL } from "./bridge.js";
import type { WebSocketLike } from "./types.js";

/** What a link tells, and asks. */
export interface LinkHost {
  now(): number;
  opened(link: Link): void;
  received(link: Link, bytes: Uint8Array): void;
  leaving(link: Link): void;
  /** It ended with a code of the bridge. */
  closed(link: Link, code: number, reason: string): void;
  /** It was never made, or broke without a code; `isToken`: for want of a token that the bridge takes. */
  failed(link: Link, problem: string, isToken: boolean): void;
}

/** Of the time that a token is good, the part after which the next one is fetched. */
const RENEW_AFTER = 0.75;
const RENEW_AFTER_MIN = 1_000;
/** Timers of browsers count no further. */
const RENEW_AFTER_MAX = 0x7fffffff;
/** Most bytes of a message that we send. */
const MESSAGE_BYTES = 64 << 10;
/** A message that is longer ends the connection: nothing that the bridge sends is. */
const RECEIVED_BYTES_MAX = 1 << 20;
/** `WebSocket.OPEN`, which other implementations need not have. */
const OPEN = 1;

export class Link {
  private socket: WebSocket | undefined;
  private token: string | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private over = false;
  private gone = false;
  private readonly begun: number;
  isOpen = false;

  constructor(
    readonly conn: number,
    readonly target: string,
    private readonly bridge: Bridge,
    private readonly webSocket: WebSocketLike,
    private readonly host: LinkHost,
    deadline: number,
  ) {
    this.begun = host.now();
    this.timer = setTimeout(() => this.fail("no answer in time"), Math.max(0, deadline - this.begun));
    void this.dial();
  }

  get ageMs(): number {
    return this.host.now() - this.begun;
  }

  /** Bytes that the browser has taken and not written; also after a close, until it has ended. */
  get bufferedBytes(): number {
    return this.gone ? 0 : (this.socket?.bufferedAmount ?? 0);
  }

  /** Hands bytes to the browser, which copies them. */
  write(bytes: Uint8Array): void {
    // Closing: its close event is on the way, with the reason. The bytes are as lost as those before
    // them, and a browser that gets them says so on the console of the page. Should the event never
    // come, the core misses its answers and leaves the connection.
    if (this.socket?.readyState !== OPEN) return;
    // A view of the module's memory, which a browser's `send` copies before it returns. Another
    // implementation may do so later, such as package ws while it compresses.
    const own = this.webSocket === globalThis.WebSocket ? bytes : bytes.slice();
    try {
      if (own.length <= MESSAGE_BYTES) return this.socket.send(own as Uint8Array<ArrayBuffer>);
      for (let from = 0; from < own.length; from += MESSAGE_BYTES) {
        this.socket.send(own.subarray(from, from + MESSAGE_BYTES) as Uint8Array<ArrayBuffer>);
      }
    } catch (error) {
      // Not now: the core is at work.
      queueMicrotask(() => this.fail(`the WebSocket takes no bytes: ${String(error)}`));
    }
  }

  /** Ends it from our side, after what was written; nobody is told. */
  close(): void {
    if (this.over) return;
    this.end();
    try {
      this.socket?.close(1000);
    } catch {
      // A socket that is not open yet may refuse; it is dropped all the same.
    }
  }

  private async dial(): Promise<void> {
    // The core is at work, and the application's token provider may come back to it.
    await undefined;
    if (this.over) return;
    try {
      this.token = await this.bridge.token();
    } catch (error) {
      return this.fail(`no token: ${error instanceof Error ? error.message : String(error)}`, true);
    }
    if (this.over) return;
    try {
      this.socket = new this.webSocket(this.bridge.url(this.target), this.bridge.protocols(this.token));
    } catch (error) {
      // A bad URL, or a browser that forbids ws: from https: at once.
      return this.broken(String(error));
    }
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (event: MessageEvent) => this.message(event.data);
    this.socket.onclose = (event: CloseEvent) => this.ended(event.code, event.reason);
    // What follows is a close event, which says no more.
    this.socket.onerror = () => undefined;
  }

  private message(data: unknown): void {
    if (this.over) return;
    if (data instanceof ArrayBuffer) {
      if (!this.isOpen) return this.fail("the bridge does not begin with its greeting");
      if (data.byteLength > RECEIVED_BYTES_MAX) return this.fail("the bridge sent a message that is too long");
      return this.host.received(this, new Uint8Array(data));
    }
    const said = parse(data);
    if (!this.isOpen) {
      if (said.hello === undefined) return this.fail("the bridge does not begin with its greeting");
      if (this.socket?.protocol !== PROTOCOL) return this.fail(`the bridge does not speak ${PROTOCOL}`);
      clearTimeout(this.timer);
      this.isOpen = true;
      this.host.opened(this);
    }
    if (typeof said.expiresInMs === "number" && this.bridge.hasToken) this.renewIn(said.expiresInMs * RENEW_AFTER);
    if (said.draining === true) this.host.leaving(this);
  }

  /** Brings the bridge the next token in time. One that cannot be had is not asked for again: the bridge ends the connection, and the next one asks. */
  private renewIn(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const renewed = this.bridge.token("expiring").then((token) => {
        if (this.over || token === undefined) return;
        this.token = token;
        if (this.socket?.readyState === OPEN) this.socket.send(JSON.stringify({ token }));
      });
      renewed.catch(() => undefined);
    }, Math.min(Math.max(ms, RENEW_AFTER_MIN), RENEW_AFTER_MAX));
  }

  private ended(code: number, reason: string): void {
    this.gone = true;
    if (this.over) return;
    if (!this.isOpen && code === 1006) return void this.broken("");
    this.end();
    this.host.closed(this, code, reason);
  }

  /** It was never open, and the browser does not say why. */
  private broken(problem: string): void {
    void this.bridge.explain(this.token, this.host.now()).then(({ text, isToken }) => {
      this.fail(problem === "" ? text : `${text} (${problem})`, isToken);
    });
  }

  private fail(problem: string, isToken = false): void {
    if (this.over) return;
    this.close();
    this.host.failed(this, problem, isToken);
  }

  private end(): void {
    this.over = true;
    this.isOpen = false;
    clearTimeout(this.timer);
  }
}

function parse(data: unknown): Record<string, unknown> {
  try {
    const said: unknown = JSON.parse(String(data));
    return typeof said === "object" && said !== null ? (said as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
