// The story of one message: its attempts as they went over the wire, and why each went where it did.
import { codeName, decode } from "./frames.js";
import type { Leg, Story } from "./messages.js";
import { queueOf, type Exchange } from "./tap.js";

/** How a send ended. `notes` are a line a failed attempt: `reason|what happened`. */
export interface Ending {
  id: string;
  startedAt: number;
  endedAt: number;
  outcome: Story["outcome"];
  said: string;
  notes: string[];
}

export function tell(
  number: number,
  key: string,
  exchanges: Exchange[],
  ending: Ending,
  names: Record<string, string>,
  ordered: boolean,
): Story {
  const legs = exchanges.map((exchange, at) => leg(exchange, at, exchanges, ending.notes, names, ordered));
  return {
    number,
    key,
    id: ending.id,
    startedAt: ending.startedAt,
    endedAt: ending.endedAt,
    outcome: ending.outcome,
    said: ending.said,
    legs,
  };
}

function leg(
  exchange: Exchange,
  at: number,
  all: Exchange[],
  notes: string[],
  names: Record<string, string>,
  ordered: boolean,
): Leg {
  const broker = names[exchange.target] ?? exchange.target;
  const answer = exchange.answer === null ? undefined : decode(exchange.answer);
  const [reason, failure] = split(notes[at]);
  return {
    target: exchange.target,
    broker,
    queueId: queueOf(exchange.request),
    sentAt: exchange.sentAt,
    answeredAt: exchange.answeredAt,
    code: answer?.code ?? null,
    remark: answer?.remark ?? "",
    why: reason || why(at, all, names, ordered),
    end: end(exchange, answer?.code, failure),
    request: exchange.request.slice(),
    answer: exchange.answer,
  };
}

function split(note: string | undefined): [string, string] {
  const at = note?.indexOf("|") ?? -1;
  return note === undefined || at < 0 ? ["", note ?? ""] : [note.slice(0, at), note.slice(at + 1)];
}

/** What the wire shows of the choice, where the producer has not said it itself. */
function why(at: number, all: Exchange[], names: Record<string, string>, ordered: boolean): string {
  const here = names[all[at]!.target] ?? all[at]!.target;
  if (at === 0) return ordered ? "the queue that this ordering key keeps" : "next in rotation among the queues that are usable";
  const before = names[all[at - 1]!.target] ?? all[at - 1]!.target;
  return before === here ? `again at ${here}` : `another broker than ${before}, which has just failed it`;
}

function end(exchange: Exchange, code: number | undefined, failure: string): string {
  if (code !== undefined) {
    const took = (exchange.answeredAt! - exchange.sentAt).toFixed(1);
    return code === 0 ? `stored, answered after ${took} ms` : `${codeName(code, true)} after ${took} ms`;
  }
  if (failure !== "") return failure;
  return exchange.cut ? "the connection ended without an answer" : "no answer yet";
}
