// What the page and the worker that publishes tell each other.

/** How the page publishes. */
export interface Settings {
  /** Messages a second. */
  rate: number;
  /** Bytes of a body; what the sending code says is filled up or cut. 0: as it is. */
  size: number;
  /** Sends at a time. */
  window: number;
  /** Milliseconds a send may take in all. */
  timeoutMs: number;
  /** Attempts after the first. A producer keeps what it was made with: another one takes over. */
  retries: number;
  /** Ordering keys; 0 for messages without order. */
  lanes: number;
  /** The sending code. */
  code: string;
}

/** From the page. */
export type Order =
  | { type: "connect"; bridge: string; run: number }
  | { type: "settings"; settings: Settings }
  | { type: "go" }
  | { type: "halt" }
  | { type: "one" }
  | { type: "ledger"; bytes: ArrayBuffer; askedAt: number }
  | { type: "brokers"; names: Record<string, string> }
  | { type: "close"; deadlineMs: number };

/** From the worker. */
export type News =
  | { type: "open"; clientId: string }
  | { type: "failed"; text: string }
  | { type: "code"; error: string | null }
  | { type: "snapshot"; snapshot: Snapshot }
  | { type: "event"; event: Happening }
  | { type: "story"; story: Story }
  | { type: "cursors"; cursors: string; again: boolean }
  | { type: "closed"; report: Closed };

/** What becomes of messages, as the producer says, and as the brokers' logs say. */
export interface Totals {
  accepted: number;
  acked: number;
  /** No byte of it reached a broker. */
  notSent: number;
  /** A broker refused it. */
  rejected: number;
  unknown: number;
  pending: number;
  /** Different messages of this run in the logs. */
  stored: number;
  /** Further copies of messages that are stored. */
  duplicates: number;
  /** Those of messages whose receipt does not say that there may be more. */
  unannounced: number;
  unknownStored: number;
  /** Called rejected or not sent, and stored all the same. */
  denied: number;
  /** Acknowledged, and in no log that was read to its end afterwards. */
  lost: number;
  /** Stored behind a later message of the same key. */
  orderBreaks: number;
  /** Fell out of a log before it was read: nothing can be said of them. */
  unread: number;
}

/** A tenth of a second. */
export interface Snapshot {
  at: number;
  totals: Totals;
  /** Acknowledged a second, over the last one. */
  rate: number;
  /** By broker: acknowledged in this tenth, and percentiles of its latency in ms. */
  brokers: Record<string, { acked: number; p50: number; p99: number }>;
  /** How many were acknowledged in this tenth, by how long they took: see `stepOf`. */
  heat: number[];
  /** By target: frames sent and received in this tenth, and requests without an answer. */
  targets: Record<string, { sent: number; received: number; open: number; up: boolean }>;
  /** Bytes there is room for, and most of them. */
  room: number;
  roomMax: number;
  /** Sends that had to wait because there was no room. */
  held: number;
  avoided: string[];
}

/** Something that happened besides the ends of sends. */
export interface Happening {
  at: number;
  tone: "good" | "bad" | "plain";
  text: string;
}

/** One attempt of a message, as it went over the wire. */
export interface Leg {
  target: string;
  broker: string;
  queueId: number;
  sentAt: number;
  answeredAt: number | null;
  code: number | null;
  remark: string;
  /** Why it went there, and how it ended. */
  why: string;
  end: string;
  request: Uint8Array;
  answer: Uint8Array | null;
}

/** What became of one message. */
export interface Story {
  number: number;
  /** What the ledger calls it: `RUN.N`. */
  key: string;
  id: string;
  startedAt: number;
  endedAt: number;
  outcome: "acked" | "rejected" | "not-sent" | "unknown";
  said: string;
  legs: Leg[];
}

/** What a close said. */
export interface Closed {
  acked: number;
  notSent: number;
  rejected: number;
  unknown: number;
}

/** The property that numbers a message for the ledger: `RUN.N`. */
export const PROPERTY = "demoSeq";
export const TOPIC = "demo";
