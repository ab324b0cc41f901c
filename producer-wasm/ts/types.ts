// The public types of rocketmq-web. What is written here is the contract.

/** Whether a message whose send failed may be stored. */
export type Outcome =
  /** No byte of it reached a broker: sending it again makes no duplicate. */
  | "not-sent"
  /** Every broker that got it said that it did not store it: sending it again makes no duplicate. */
  | "rejected"
  /** A broker may have stored it. Send it again only under the same `messageId`, or not at all. */
  | "unknown";

/** A body: bytes, or text that is sent as UTF-8. It is copied at the call. */
export type Body = Uint8Array | ArrayBuffer | string;

/** A message. It is read at the call and never changed. */
export interface Message {
  topic: string;
  body: Body;
  /** Consumers filter by it. */
  tag?: string;
  /** By these the message can be found at the broker. Without blanks. */
  keys?: readonly string[];
  /** Anything else consumers should know. */
  properties?: Readonly<Record<string, string>>;
  /** Messages of one key keep their order; see {@link SendOptions.order}. */
  orderingKey?: string;
  /** Delivered after the delay of this level, 1 to 18 (1 s to 2 h by default). */
  delayLevel?: number;
  /** Delivered so many milliseconds after the broker got it (brokers since 5.0). */
  delayMs?: number;
  /** Delivered at this time (brokers since 5.0). */
  deliverAt?: Date | number;
  /** Consumers get higher ones first (5.4.0, topics made for it). */
  priority?: number;
  /** A number for the application. */
  flag?: number;
}

/** How well a stored message is kept. */
export type SendStatus =
  | "SEND_OK"
  | "FLUSH_DISK_TIMEOUT"
  | "FLUSH_SLAVE_TIMEOUT"
  | "SLAVE_NOT_AVAILABLE";

/** What one send asks for. */
export interface SendOptions {
  /** Gives the send up: it ends with code `ABORTED`, and its outcome says what is known by then. */
  signal?: AbortSignal | undefined;
  /** From the call to the receipt: queueing, route, dial, every attempt. Default: `timeoutMs` of the producer. */
  timeoutMs?: number | undefined;
  /**
   * What gives way when the queue of `orderingKey` cannot be used. `"strict"` (default): messages
   * wait or fail, none overtakes another. `"available"`: the key moves to another queue, and the
   * receipt's `epoch` tells which messages may be out of order.
   */
  order?: "strict" | "available" | undefined;
  /** This queue and no other, one attempt. */
  queue?: { broker: string; queueId: number } | undefined;
  /** The queue that Java's `SelectMessageQueueByHash` takes for this text, one attempt. */
  hashKey?: string | undefined;
  /** Repeat a send whose outcome was unknown, so that consumers can recognise the duplicate. */
  messageId?: string | undefined;
  /** What a receipt must promise. Default: that of the producer. */
  require?: Require | undefined;
}

/** What a receipt must promise to be one: stored at all, on disk, on a slave, or both. */
export type Require = "stored" | "flushed" | "replicated" | "ok";

/** A broker said that it stored the message. Frozen, and plain data. */
export interface Receipt {
  readonly messageId: string;
  /** The broker's id of the message; empty for batches and brokers that send none. */
  readonly offsetId: string;
  readonly status: SendStatus;
  readonly broker: string;
  readonly queueId: number;
  readonly queueOffset: number;
  /** Attempts made, this one included. */
  readonly attempts: number;
  /** An earlier attempt may have stored it too, under the same id. */
  readonly maybeDuplicate: boolean;
  /** Two messages of one key are in order if their epochs are equal (`order: "available"`). */
  readonly epoch: number;
  readonly region: string;
  /** By this a delayed message can be recalled; empty for others. */
  readonly recallHandle: string;
}

/** Stable reasons of errors, for programs. */
export type ErrorCode =
  /** Its signal was aborted. */
  | "ABORTED"
  /** Its time was up. */
  | "TIMEOUT"
  /** `maxPendingMessages` or `maxPendingBytes` are in hand: await `ready`. */
  | "QUEUE_FULL"
  /** The body is longer than `maxMessageBytes`. */
  | "TOO_LARGE"
  /** The message, an option or a setting is wrong. */
  | "INVALID"
  /** The topic is not there, or no queue of it can be used. */
  | "NO_ROUTE"
  /** The broker answered with an error, or could not be reached. */
  | "BROKER"
  /** The bridge could not be reached, or refused. */
  | "BRIDGE"
  /** The bridge, or the broker, does not accept the token, or does not permit this. */
  | "UNAUTHORIZED"
  /** An earlier message of the ordering key ended unknown, so this one would overtake it. */
  | "ORDER_BROKEN"
  /** The request is stored, but no reply came in time. */
  | "NO_REPLY"
  /** The producer is closed. */
  | "CLOSED"
  /** The wasm module could not be loaded, or has failed: make a new producer. */
  | "WASM";

/** One attempt of a send that failed. */
export interface Attempt {
  readonly broker: string;
  readonly address: string;
  readonly queueId: number | null;
  /** Why this queue, in a word. */
  readonly reason: string;
  readonly phase: string;
  readonly elapsedMs: number;
  readonly outcome: Outcome;
  readonly cause: string;
  readonly message: string;
}

/** A queue that can be written. */
export interface Queue {
  readonly broker: string;
  readonly queueId: number;
}

/** A topic's queues, in the order of Java's clients. */
export interface Route {
  readonly topic: string;
  readonly queues: readonly Queue[];
}

/** What a close left. `acked + written + notSent + rejected + unknown` is what was in hand. */
export interface CloseReport {
  readonly acked: number;
  readonly written: number;
  readonly notSent: number;
  readonly rejected: number;
  readonly unknown: number;
  /** Ids of those unknown, 1,000 at most. */
  readonly unknownIds: readonly string[];
}

/** How a transaction ends. */
export type Decision = "commit" | "rollback" | "unknown";

/** An open transaction: its message is stored, and nobody sees it before it is committed. */
export interface Transaction {
  readonly id: string;
  readonly receipt: Receipt;
  /** False if the broker cannot be told now; it will ask. */
  commit(): boolean;
  rollback(why?: string): boolean;
  /** Leaves it to the broker's question ({@link ConnectOptions.checkTransaction}). */
  leaveOpen(): boolean;
  /** Rolls back what was not ended. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A broker's question how a transaction has ended. */
export interface TransactionCheck {
  readonly id: string;
  readonly topic: string;
  readonly group: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** How often it was asked, this time included. */
  readonly times: number;
}

/** What another client answered to a request. */
export interface Reply {
  readonly requestId: string;
  readonly body: Uint8Array;
  readonly flag: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly from: string;
}

/** Counters since the start, and levels. */
export interface Stats {
  readonly accepted: number;
  readonly stored: number;
  readonly written: number;
  readonly notSent: number;
  readonly rejected: number;
  readonly unknown: number;
  readonly cancelled: number;
  readonly attempts: number;
  readonly retries: number;
  readonly retriesRefused: number;
  readonly lateResponses: number;
  readonly connects: number;
  readonly connectionFailures: number;
  readonly routeRequests: number;
  readonly routeChanges: number;
  readonly ejections: number;
  readonly heartbeats: number;
  readonly inHand: number;
  readonly bytesInHand: number;
  readonly requestsInFlight: number;
  readonly outBytes: number;
  /** Bytes that browser sockets have taken and not written (`WebSocket.bufferedAmount`). */
  readonly bufferedBytes: number;
  /** Events that nobody fetched in time. */
  readonly eventsDropped: number;
}

/** What happens besides the ends of sends. */
export type ProducerEvent =
  /** A connection through the bridge is open. */
  | { readonly type: "up"; readonly target: string; readonly afterMs: number }
  /** A connection ended, or could not be made. */
  | { readonly type: "down"; readonly target: string; readonly code: number; readonly reason: string }
  /** The queues of a topic are other ones. */
  | { readonly type: "route"; readonly topic: string; readonly brokers: readonly string[] }
  /** An attempt failed, another follows. */
  | {
      readonly type: "retry";
      readonly messageId: string;
      readonly broker: string;
      readonly cause: string;
      readonly message: string;
      readonly elapsedMs: number;
    }
  /** A broker is avoided from now on, or is not any more. */
  | { readonly type: "broker"; readonly broker: string; readonly usable: boolean }
  /** What a person should know. */
  | { readonly type: "hint"; readonly text: string };

/** The part of `WebSocket` that is used. */
export type WebSocketLike = new (url: string, protocols?: string | string[]) => WebSocket;

/** What a producer is made from. */
export interface ConnectOptions {
  /** The bridge: `wss://bridge.example/`. It has the name servers and finds the brokers. */
  bridge: string | URL;
  /** Producer group: what people see at the broker, and who is asked about transactions. */
  group: string;
  /**
   * The token, or where it comes from: asked before the first connection, before each one after a
   * pause, and before the token ends. It never goes into a URL.
   */
  token?: string | ((why: "first" | "reconnect" | "expiring") => string | Promise<string>) | undefined;
  /** Most sends in hand. Default 4,096. */
  maxPendingMessages?: number | undefined;
  /** Most bytes in hand, counted twice the body and 512 each. Default 4 MiB. One message always fits. */
  maxPendingBytes?: number | undefined;
  /** Longest body. Default 4 MiB, as brokers have it. */
  maxMessageBytes?: number | undefined;
  /** Longest time for a send, everything included. Default 3,000. */
  timeoutMs?: number | undefined;
  /** Longest time for one attempt. Default 1,000. */
  attemptTimeoutMs?: number | undefined;
  /** Attempts after the first that may reach a broker. Default 2. */
  retries?: number | undefined;
  /** Whether to try again when an attempt may have stored the message. Default `"retry"`. */
  onUnknown?: "retry" | "stop" | undefined;
  /** What a receipt must promise. Default `"stored"`. */
  require?: Require | undefined;
  /** Bodies from this length on are compressed (zlib) where the browser can. Default `false`. */
  compressOver?: number | false | undefined;
  /** Namespace of old: a prefix of topics and group. */
  namespace?: string | undefined;
  /** Pauses between dials of one target, doubled from the first to the longest. Default 250 and 5,000. */
  reconnect?: { minMs?: number | undefined; maxMs?: number | undefined } | undefined;
  /** What to do when the page is hidden. Default `"flush"`: write out what waits. */
  onHidden?: "flush" | "keep" | undefined;
  /** Asked by brokers about transactions that were not ended. Without it they ask others of the group. */
  checkTransaction?: ((check: TransactionCheck) => Decision | Promise<Decision>) | undefined;
  /** The `WebSocket` to use, where there is no global one (Node before 22) or another is wanted. */
  webSocket?: WebSocketLike | undefined;
  /** Gets a line now and then; never a token or a body. */
  logger?: Pick<Console, "debug" | "warn"> | null | undefined;
}

/** A producer. */
export interface Producer {
  /** Sends a message; settles once, with a receipt or a {@link RocketError}. */
  send(message: Message, options?: SendOptions): Promise<Receipt>;
  /** The same if there is room now; `null` if not, and nothing was taken. */
  trySend(message: Message, options?: SendOptions): Promise<Receipt> | null;
  /** Several messages of one topic in one request: stored all or none. A receipt each. */
  sendBatch(topic: string, messages: readonly Omit<Message, "topic">[], options?: SendOptions): Promise<Receipt[]>;
  /** Hands a message to a connection; no broker answers. Throws if it cannot be taken. Resolves to its id once it was written. */
  sendOneway(message: Message, options?: SendOptions): Promise<string>;
  /** Sends the message of a transaction. */
  begin(message: Message, options?: SendOptions): Promise<Transaction>;
  /** Sends a message, runs `local`, and ends the transaction as it says; an error rolls back. */
  sendInTransaction(message: Message, local: (receipt: Receipt) => Decision | Promise<Decision>, options?: SendOptions): Promise<{ receipt: Receipt; decision: Decision }>;
  /** Sends a message and waits for the consumer's reply, both within `timeoutMs`. */
  request(message: Message, options?: SendOptions): Promise<Reply>;
  /** The topic's queues. With `connect`, its brokers are dialled, so that the first send finds them. */
  route(topic: string, options?: { timeoutMs?: number; connect?: boolean }): Promise<Route>;
  /** Resolves when there is room. */
  readonly ready: Promise<void>;
  /** Bytes that there is room for; 0 or less means wait. */
  readonly desiredSize: number;
  /** A stream with back-pressure; errors of its sends error it. `topic` serves for bare bodies. */
  writable(options?: { topic?: string }): WritableStream<Message | Body>;
  /** What happens, from now on. At most 1,024 wait; the oldest are dropped and counted. */
  events(options?: { signal?: AbortSignal }): AsyncIterableIterator<ProducerEvent>;
  stats(): Stats;
  /** The id that brokers know it by. */
  readonly clientId: string;
  /** Resolves when every send that was accepted before has ended. */
  flush(options?: { signal?: AbortSignal }): Promise<void>;
  /** Takes no more, finishes what is in hand within `deadlineMs` (5,000), and says how that went. Again: the same. */
  close(options?: { deadlineMs?: number }): Promise<CloseReport>;
  [Symbol.asyncDispose](): Promise<void>;
}

declare global {
  interface SymbolConstructor {
    readonly asyncDispose: unique symbol;
  }
}
