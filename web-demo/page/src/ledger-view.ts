// Believed against stored: what the producer was told, beside what the brokers' logs hold.
import { byId, count, h, say } from "./dom.js";
import type { Totals } from "./messages.js";

type Name = keyof Totals;

const BELIEVED: [Name, string][] = [
  ["acked", "acknowledged"],
  ["rejected", "rejected by a broker"],
  ["notSent", "never sent"],
  ["unknown", "unknown"],
  ["pending", "on their way"],
];
const STORED: [Name, string, string][] = [
  ["stored", "messages in the logs", ""],
  ["lost", "acknowledged, in no log", "bad"],
  ["unknownStored", "unknown, but stored", ""],
  ["duplicates", "further copies", ""],
  ["unannounced", "of them not announced by a receipt", "bad"],
  ["denied", "called rejected or never sent, but stored", "bad"],
  ["orderBreaks", "behind a later message of their key", "bad"],
  ["unread", "dropped from a log before they were read", "warn"],
];

export class Ledger {
  private readonly cells = new Map<Name, HTMLElement>();
  private readonly rows = new Map<Name, HTMLElement>();
  private readonly bar = new Map<Name, HTMLElement>();
  private readonly sum = h("b", { testid: "ledger-accepted" }, "0");
  private readonly verdict = h("p", { class: "verdict", testid: "ledger-verdict", role: "status" }, "balanced");

  constructor() {
    const bar = h("div", { class: "bar", "aria-hidden": "true" });
    for (const [name] of BELIEVED) {
      const part = h("i", { class: `bar-${name}` });
      this.bar.set(name, part);
      bar.append(part);
    }
    byId("ledger").append(
      h("div", { class: "panel-head" }, h("h2", { id: "ledger-title" }, "Ledger"), this.verdict),
      h("div", { class: "columns" },
        h("div", {}, h("h3", {}, "Believed ", h("span", {}, "by this page")), h("p", { class: "sum" }, this.sum, " accepted ="), bar, h("dl", {}, ...BELIEVED.flatMap(([name, text]) => this.row(name, text, "")))),
        h("div", {}, h("h3", {}, "Stored ", h("span", {}, "read from the brokers\u2019 logs")), h("dl", { class: "stored" }, ...STORED.flatMap(([name, text, tone]) => this.row(name, text, tone)))),
      ),
    );
  }

  show(totals: Totals, balances: boolean): void {
    for (const [name, cell] of this.cells) {
      say(cell, count(totals[name]));
      this.rows.get(name)!.classList.toggle("zero", totals[name] === 0);
    }
    say(this.sum, count(totals.accepted));
    for (const [name, part] of this.bar) part.style.flexGrow = String(totals[name]);
    const wrong = problem(totals, balances);
    say(this.verdict, wrong ?? "balanced");
    this.verdict.classList.toggle("wrong", wrong !== undefined);
  }

  private row(name: Name, text: string, tone: string): HTMLElement[] {
    const cell = h("dd", { testid: `ledger-${name}` }, "0");
    const term = h("dt", {}, text);
    const row = h("div", { class: `row ${tone} zero`, "data-name": name }, term, cell);
    this.cells.set(name, cell);
    this.rows.set(name, row);
    return [row];
  }
}

/** What is wrong with the figures, if anything is. */
export function problem(totals: Totals, balances: boolean): string | undefined {
  if (!balances) return "the sum does not come out";
  if (totals.lost > 0) return `${count(totals.lost)} lost`;
  if (totals.denied > 0) return "stored against what was said";
  if (totals.unannounced > 0) return "copies that no receipt announced";
  if (totals.orderBreaks > 0) return "order broken";
  return undefined;
}

export function balances(totals: Totals): boolean {
  return totals.accepted === totals.acked + totals.rejected + totals.notSent + totals.unknown + totals.pending;
}
