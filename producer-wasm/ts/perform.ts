// Does what the core wants done: reads its outputs and tells whom they concern. Calls nothing of an
// application, for that could come back into the core in the middle of them.
import { RocketError } from "./errors.js";
import type { Events } from "./events.js";
import { checkOf, failureOf, OP, type RawCheck, type RawReply, type Reader, replyOf } from "./outputs.js";
import type { Tickets } from "./tickets.js";
import type { CloseReport, Queue, Receipt } from "./types.js";

/** What a ticket may end with. */
export type Ended = Receipt | Receipt[] | string | { transaction: number; receipt: Receipt } | RawReply | readonly Queue[];

/** What needs more than a ticket. */
export interface Orders {
  dial(conn: number, deadline: number, target: string): void;
  transmit(conn: number): void;
  drop(conn: number): void;
  asked(check: RawCheck): void;
  ended(report: CloseReport): void;
  body(number: number): Uint8Array;
}

export class Performer {
  /** What the last call said of itself: see `CANCELLED` and `FLAG`. */
  flag = -1;
  readonly names: string[] = [];

  constructor(
    private readonly tickets: Tickets<Ended>,
    private readonly events: Events,
    private readonly orders: Orders,
  ) {}

  perform(outputs: Reader): void {
    const bodies = (number: number) => this.orders.body(number);
    while (!outputs.ended) {
      const op = outputs.number();
      switch (op) {
        case OP.STORED: {
          const ticket = outputs.number();
          this.tickets.resolve(ticket, outputs.receipt());
          break;
        }
        case OP.TRANSMIT:
          this.orders.transmit(outputs.number());
          break;
        case OP.CONNECT:
          this.orders.dial(outputs.number(), outputs.number(), outputs.text());
          break;
        case OP.CLOSE:
          this.orders.drop(outputs.number());
          break;
        case OP.FAILED: {
          const ticket = outputs.number();
          this.tickets.reject(ticket, failureOf(outputs));
          break;
        }
        case OP.WRITTEN: {
          const ticket = outputs.number();
          this.tickets.resolve(ticket, outputs.text());
          break;
        }
        case OP.BATCH: {
          const ticket = outputs.number();
          const count = outputs.number();
          this.tickets.resolve(ticket, Array.from({ length: count }, () => outputs.receipt()));
          break;
        }
        case OP.PREPARED: {
          const ticket = outputs.number();
          const transaction = outputs.number();
          this.tickets.resolve(ticket, { transaction, receipt: outputs.receipt() });
          break;
        }
        case OP.CHECK:
          this.orders.asked(checkOf(outputs, bodies));
          break;
        case OP.REPLIED: {
          const ticket = outputs.number();
          this.tickets.resolve(ticket, replyOf(outputs, bodies));
          break;
        }
        case OP.ROUTE: {
          const ticket = outputs.number();
          outputs.number(); // whether the topic is ordered
          const count = outputs.number();
          const queue = (): Queue => Object.freeze({ broker: outputs.name(), queueId: outputs.number() });
          this.tickets.resolve(ticket, Object.freeze(Array.from({ length: count }, queue)));
          break;
        }
        case OP.CLOSED:
          this.orders.ended(reportOf(outputs));
          break;
        case OP.NAME: {
          const number = outputs.number();
          this.names[number] = outputs.text();
          break;
        }
        case OP.INVALID: {
          const ticket = outputs.number();
          this.tickets.reject(ticket, new RocketError("INVALID", outputs.text()));
          break;
        }
        case OP.CANCELLED:
        case OP.FLAG:
          this.flag = outputs.number();
          break;
        case OP.RETRIED: {
          const elapsedMs = outputs.number();
          const [messageId, broker, cause, message] = [outputs.text(), outputs.text(), outputs.text(), outputs.text()];
          this.events.put({ type: "retry", messageId, broker, cause, message, elapsedMs });
          break;
        }
        case OP.BROKER: {
          const usable = outputs.number() === 1;
          this.events.put({ type: "broker", broker: outputs.text(), usable });
          break;
        }
        case OP.ROUTE_CHANGED:
          this.events.put({ type: "route", topic: outputs.text(), brokers: outputs.text().split(" ").filter(Boolean) });
          break;
        default:
          throw new RocketError("WASM", `script and wasm file are of different versions (op ${op})`, { outcome: "unknown" });
      }
    }
  }
}

function reportOf(outputs: Reader): CloseReport {
  const [acked, written, notSent, rejected, unknown] =
    [outputs.number(), outputs.number(), outputs.number(), outputs.number(), outputs.number()];
  const unknownIds = Object.freeze(outputs.text().split(" ").filter(Boolean));
  return Object.freeze({ acked, written, notSent, rejected, unknown, unknownIds });
}
