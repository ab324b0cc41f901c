// The other half of `src/outputs.rs`: reads what a call of the core left.
import { attemptsOf, codeOf, OUTCOMES, RocketError } from "./errors.js";
import type { Receipt, Reply, SendStatus, TransactionCheck } from "./types.js";

/** Numbers of ops, as `src/outputs.rs` has them. */
export const OP = {
  CONNECT: 1,
  TRANSMIT: 2,
  CLOSE: 3,
  STORED: 4,
  FAILED: 5,
  WRITTEN: 6,
  BATCH: 7,
  PREPARED: 8,
  CHECK: 9,
  REPLIED: 10,
  ROUTE: 11,
  CLOSED: 12,
  NAME: 13,
  INVALID: 14,
  CANCELLED: 15,
  FLAG: 16,
  RETRIED: 17,
  BROKER: 18,
  ROUTE_CHANGED: 19,
} as const;

const STATUSES: readonly SendStatus[] = [
  "SEND_OK",
  "FLUSH_DISK_TIMEOUT",
  "FLUSH_SLAVE_TIMEOUT",
  "SLAVE_NOT_AVAILABLE",
];

/** A cursor over numbers and the text that belongs to them. */
export class Reader {
  private at = 2;
  private from = 0;

  constructor(
    private readonly numbers: Float64Array,
    private readonly all: string,
    private readonly names: string[],
  ) {}

  get ended(): boolean {
    return this.at >= this.numbers.length;
  }

  number(): number {
    return this.numbers[this.at++] as number;
  }

  text(): string {
    const units = this.number();
    const text = this.all.slice(this.from, this.from + units);
    this.from += units;
    return text;
  }

  /** A name that crossed before, by its number. */
  name(): string {
    return this.names[this.number()] ?? "";
  }

  receipt(): Receipt {
    const status = STATUSES[this.number()] ?? "SEND_OK";
    const queueId = this.number();
    const queueOffset = this.number();
    const attempts = this.number();
    const maybeDuplicate = this.number() === 1;
    const epoch = this.number();
    const broker = this.name();
    const region = this.name();
    const messageId = this.text();
    const offsetId = this.text();
    const recallHandle = this.text();
    return Object.freeze({
      messageId,
      offsetId,
      status,
      broker,
      queueId,
      queueOffset,
      attempts,
      maybeDuplicate,
      epoch,
      region,
      recallHandle,
    });
  }

  properties(): Readonly<Record<string, string>> {
    const parts = this.text().split("\u0001");
    // Without a prototype, so that a property may have any name.
    const properties = Object.create(null) as Record<string, string>;
    for (let n = 0; n + 1 < parts.length; n += 2) properties[parts[n] as string] = parts[n + 1] as string;
    return Object.freeze(properties);
  }
}

/** The error that a send ended with. */
export function failureOf(outputs: Reader): RocketError {
  const [outcome, responseCode, , elapsedMs] = [outputs.number(), outputs.number(), outputs.number(), outputs.number()];
  const [detail, message, hint, messageId, broker] =
    [outputs.text(), outputs.text(), outputs.text(), outputs.text(), outputs.text()];
  const attempts = attemptsOf(outputs.text());
  return new RocketError(codeOf(detail), message, {
    outcome: OUTCOMES[outcome] ?? "unknown",
    detail,
    hint,
    messageId,
    broker,
    attempts,
    elapsedMs,
    ...(responseCode === -1 ? {} : { responseCode }),
  });
}

/** A reply, its body as it came. */
export interface RawReply extends Omit<Reply, "body"> {
  body: Uint8Array;
  sysFlag: number;
}

/** A question of a broker, its body as it came. */
export interface RawCheck extends TransactionCheck {
  transaction: number;
  sysFlag: number;
}

export function checkOf(outputs: Reader, bodyOf: (number: number) => Uint8Array): RawCheck {
  const [transaction, times] = [outputs.number(), outputs.number()];
  outputs.number(); // when it was made
  outputs.number(); // the application's flag
  const [sysFlag, body] = [outputs.number(), outputs.number()];
  const [id, topic, group] = [outputs.text(), outputs.text(), outputs.text()];
  const properties = outputs.properties();
  return { transaction, times, sysFlag, id, topic, group, properties, body: bodyOf(body) };
}

export function replyOf(outputs: Reader, bodyOf: (number: number) => Uint8Array): RawReply {
  outputs.number(); // when it was made
  const [flag, sysFlag, body] = [outputs.number(), outputs.number(), outputs.number()];
  const [requestId, from] = [outputs.text(), outputs.text()];
  const properties = outputs.properties();
  return { requestId, from, flag, sysFlag, properties, body: bodyOf(body) };
}
