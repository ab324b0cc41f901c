// The ledger: what the producer was told of each message, beside what the brokers' logs hold.
//
// A byte a message, so that ten million of them are 10 MB. Nothing here trusts the producer's own
// counters: each promise is booked when it is made and when it settles, and each stored copy when a
// log is read.
import type { Totals } from "./messages.js";

/** What is believed of a message; 0 is nothing yet. */
export const enum Belief {
  Pending = 1,
  Acked = 2,
  Rejected = 3,
  NotSent = 4,
  Unknown = 5,
}

const BELIEF = 0x07;
/** Its receipt says that there may be more copies. */
const ANNOUNCED = 0x08;
/** Copies seen, 0 to 3. */
const COPIES = 0x30;
const ONE_COPY = 0x10;
const LOST = 0x40;

const RECORD_BYTES = 16;

export class Book {
  readonly totals: Totals = {
    accepted: 0, acked: 0, notSent: 0, rejected: 0, unknown: 0, pending: 0,
    stored: 0, duplicates: 0, unannounced: 0, unknownStored: 0, denied: 0, lost: 0, orderBreaks: 0, unread: 0,
  };
  /** Where each broker's log was read to. */
  cursors: bigint[] = [];
  private state = new Uint8Array(1 << 16);
  /** Acknowledged and not seen in a log yet, with the times. */
  private unseen: number[] = [];
  private unseenAt: number[] = [];
  /** By queue and lane, the highest number stored. */
  private readonly highest = new Map<number, Map<number, number>>();
  /** Lanes of the numbers from so on: they change while the run goes on. */
  private readonly lanes: { from: number; lanes: number }[] = [];

  constructor(private readonly run: number) {}

  /** From this number on messages have so many ordering keys. */
  setLanes(from: number, lanes: number): void {
    this.lanes.push({ from, lanes });
    if (this.lanes.length > 64) this.lanes.shift();
    this.highest.clear();
  }

  /** A send was accepted. */
  accept(number: number): void {
    if (number >= this.state.length) {
      const grown = new Uint8Array(this.state.length * 2);
      grown.set(this.state);
      this.state = grown;
    }
    this.state[number] = Belief.Pending;
    this.totals.accepted += 1;
    this.totals.pending += 1;
  }

  /** A send has ended, at `now` in ms of the page. */
  settle(number: number, belief: Belief, announced: boolean, now: number): void {
    const state = this.state[number]!;
    if ((state & BELIEF) !== Belief.Pending) throw new Error(`message ${number} ended twice`);
    const copies = (state & COPIES) >> 4;
    this.state[number] = (state & ~BELIEF) | belief | (announced ? ANNOUNCED : 0);
    const totals = this.totals;
    totals.pending -= 1;
    if (belief === Belief.Acked) {
      totals.acked += 1;
      if (copies === 0) {
        this.unseen.push(number);
        this.unseenAt.push(now);
      }
      if (copies > 1 && !announced) totals.unannounced += copies - 1;
    } else if (belief === Belief.Unknown) {
      totals.unknown += 1;
      if (copies > 0) totals.unknownStored += 1;
    } else {
      if (belief === Belief.Rejected) totals.rejected += 1;
      else totals.notSent += 1;
      if (copies > 0) totals.denied += 1;
    }
  }

  /** Whether every message that was accepted is accounted for. */
  balances(): boolean {
    const { accepted, acked, notSent, rejected, unknown, pending } = this.totals;
    return accepted === acked + notSent + rejected + unknown + pending;
  }

  /** Books what the logs hold since the last time; the answer was asked for at `askedAt`. Returns whether there is more at once. */
  read(bytes: ArrayBuffer, askedAt: number): boolean {
    const view = new DataView(bytes);
    const brokers = view.getUint32(0, true);
    const count = view.getUint32(4, true);
    let missed = 0;
    const next: bigint[] = [];
    let again = false;
    for (let broker = 0; broker < brokers; broker += 1) {
      next.push(view.getBigUint64(8 + 8 * broker, true));
      missed += Number(view.getBigUint64(8 + 8 * (brokers + broker), true));
      const read = next[broker]! - (this.cursors[broker] ?? 0n);
      again ||= read >= 4096n;
    }
    const first = this.cursors.length === 0;
    this.cursors = next;
    const start = 8 + 16 * brokers;
    for (let record = 0; record < count; record += 1) {
      const at = start + RECORD_BYTES * record;
      if (view.getUint32(at, true) !== this.run) continue;
      const queue = (view.getUint8(at + 8) << 16) | view.getUint16(at + 10, true);
      this.stored(view.getUint32(at + 4, true), queue);
    }
    // What was dropped before this run began is nobody's loss.
    if (missed > 0 && !first) {
      this.totals.unread += missed;
      this.forgive(askedAt);
    } else if (!again) {
      this.miss(askedAt);
    }
    return again;
  }

  /** The cursors as the server reads them. */
  cursorText(): string {
    return this.cursors.join(",");
  }

  private stored(number: number, queue: number): void {
    const state = this.state[number] ?? 0;
    if (state === 0) return;
    const copies = (state & COPIES) >> 4;
    if (copies < 3) this.state[number] = state + ONE_COPY;
    const totals = this.totals;
    const belief = state & BELIEF;
    if (copies > 0) {
      totals.duplicates += 1;
      if (belief === Belief.Acked && (state & ANNOUNCED) === 0) totals.unannounced += 1;
      return;
    }
    totals.stored += 1;
    if (belief === Belief.Unknown) totals.unknownStored += 1;
    if (belief === Belief.Rejected || belief === Belief.NotSent) totals.denied += 1;
    if ((state & LOST) !== 0) {
      totals.lost -= 1;
      this.state[number]! &= ~LOST;
    }
    this.order(number, queue);
  }

  /** Whether a first copy stands behind a later message of its lane. */
  private order(number: number, queue: number): void {
    const period = this.lanes.findLast((one) => one.from <= number);
    if (period === undefined || period.lanes === 0 || number < this.lanes.at(-1)!.from) return;
    let lanes = this.highest.get(queue);
    if (lanes === undefined) this.highest.set(queue, (lanes = new Map()));
    const lane = number % period.lanes;
    const before = lanes.get(lane) ?? -1;
    if (number < before) this.totals.orderBreaks += 1;
    else lanes.set(lane, number);
  }

  /** What was acknowledged before the logs were asked, and is in none of them, is lost. */
  private miss(askedAt: number): void {
    this.sweep(askedAt, (number) => {
      this.totals.lost += 1;
      this.state[number]! |= LOST;
    });
  }

  private forgive(askedAt: number): void {
    this.sweep(askedAt, () => {});
  }

  private sweep(askedAt: number, judge: (number: number) => void): void {
    let kept = 0;
    for (let at = 0; at < this.unseen.length; at += 1) {
      const number = this.unseen[at]!;
      if ((this.state[number]! & COPIES) !== 0) continue;
      if (this.unseenAt[at]! < askedAt) {
        judge(number);
        continue;
      }
      this.unseen[kept] = number;
      this.unseenAt[kept] = this.unseenAt[at]!;
      kept += 1;
    }
    this.unseen.length = kept;
    this.unseenAt.length = kept;
  }
}
