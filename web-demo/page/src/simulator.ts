// The simulator: the same core among models of brokers, in virtual time. Seed and plan are in the URL.
import type { Comparison, Lane, Opened, ReadyPlan, Result, Timeline } from "sim-wasm";
import { byId, count, h, ms, say } from "./dom.js";
import { perfetto } from "./perfetto.js";
import { SimulatorChart } from "./simulator-chart.js";
import type { Ask, Told } from "./simulate.js";

type Kind = "swarm" | "drill" | "small";
const EVENTS = 200;
/** Of longer runs a file has the beginning. */
const EVENTS_SAVED = 100_000;
/** What is shown to whoever asks for nothing: two of three brokers lose power. */
const FIRST = "two of three lose power/rotation";
type Unnumbered<A> = A extends Ask ? Omit<A, "id"> : never;

export class Simulator {
  private worker: Worker | undefined;
  private asked = 0;
  private readonly waiting = new Map<number, { resolve: (told: Told) => void }>();
  private readonly seed = h("input", { id: "seed", testid: "sim-seed", type: "text", value: "7", spellcheck: "false", autocomplete: "off" });
  private readonly kind = h("select", { id: "kind", testid: "sim-kind" }, ...["swarm", "drill", "small"].map((kind) => h("option", { value: kind }, kind)));
  private readonly plans = h("select", { id: "plan", testid: "sim-plan" }, h("option", { value: "" }, "from the seed"));
  private readonly out = h("div", { class: "sim-out", testid: "sim-out", "aria-live": "polite" });
  private readonly hash = h("output", { class: "hash", testid: "sim-hash" }, "\u2013");
  private readonly speed = h("span", { class: "note", testid: "sim-speed" }, "");
  private readonly chart = new SimulatorChart();
  private readonly legend = legend();
  private ready: ReadyPlan[] = [];
  /** The plan to run, as JSON. */
  private plan = "";
  private expected: string | undefined;

  constructor() {
    const root = byId("simulator");
    const run = h("button", { type: "button", class: "primary", testid: "sim-run", onclick: () => void this.run() }, "Run");
    const compare = h("button", { type: "button", class: "quiet", testid: "sim-compare", onclick: () => void this.compare() }, "Compare with Java\u2019s rules");
    const next = h("button", { type: "button", class: "quiet", testid: "sim-next", onclick: () => void this.another() }, "Another seed");
    const file = h("input", { type: "file", class: "visually-hidden", id: "sim-file", testid: "sim-file", accept: ".json,.txt,.log,.html" });
    file.addEventListener("change", () => void this.take(file.files?.[0]));
    root.append(
      h("div", { class: "sim-head" },
        h("h2", { id: "simulator-title" }, "The same core, in virtual time"),
        h("p", { class: "lede" }, "Minutes of outages in a fraction of a second: the same producer, among models of brokers and links that obey a plan. A seed is the whole run; the same seed has the same trace hash here and in ", h("code", {}, "cargo run -p sim -- run"), ".")),
      h("div", { class: "sim-bar" },
        field("seed", "Seed", this.seed), field("kind", "Kind", this.kind), field("plan", "Ready plan", this.plans),
        h("div", { class: "sim-buttons" }, run, compare, next, h("label", { class: "quiet file", for: "sim-file" }, "Open a failed run"), file)),
      h("div", { class: "sim-result" }, h("span", { class: "note" }, "trace hash"), this.hash, this.speed),
      this.chart.box,
      this.legend,
      this.out,
    );
    this.seed.addEventListener("keydown", (event) => {
      if (event.key === "Enter") void this.run();
    });
    this.seed.addEventListener("input", () => this.plans.value = "");
    root.addEventListener("dragover", (event) => event.preventDefault());
    root.addEventListener("drop", (event) => {
      event.preventDefault();
      void this.take(event.dataTransfer?.files[0]);
    });
    addEventListener("hashchange", () => {
      this.follow();
      if (this.ready.length > 0 && /seed|plan/.test(location.hash)) void this.run();
    });
    // The module is loaded when somebody comes near it.
    const near = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        near.disconnect();
        void this.begin();
      }
    }, { rootMargin: "300px" });
    near.observe(root);
  }

  /** Colours are other ones. */
  repaint(): void {
    this.chart.repaint();
  }

  private async begin(): Promise<void> {
    try {
      this.ready = JSON.parse(await this.text({ what: "plans" })) as ReadyPlan[];
    } catch (error) {
      this.fail(error);
      return;
    }
    for (const group of ["ordering", "failover"] as const) {
      const options = this.ready.flatMap((plan) => (plan.group === group ? plan.ways.map((way) => h("option", { value: `${plan.name}/${way.name}` }, plan.ways.length > 1 ? `${plan.name} (${way.name})` : plan.name)) : []));
      this.plans.append(h("optgroup", { label: group }, ...options));
    }
    const asked = /seed|plan/.test(location.hash);
    this.follow();
    if (asked) await this.run();
    else {
      this.plans.value = FIRST;
      await this.compare(false);
    }
  }

  /** What the URL says: `#seed=7&kind=swarm`, or `#plan=busy/rotation`. */
  private follow(): void {
    const said = new URLSearchParams(location.hash.slice(1));
    if (said.has("seed")) this.seed.value = said.get("seed") ?? "7";
    if (said.has("kind")) this.kind.value = said.get("kind") ?? "swarm";
    this.plans.value = said.get("plan") ?? "";
  }

  /** The ready plan that is chosen, and the way of it. */
  private chosen(): [ReadyPlan | undefined, ReadyPlan["ways"][number] | undefined] {
    const plan = this.ready.find((one) => one.ways.some((way) => `${one.name}/${way.name}` === this.plans.value));
    return [plan, plan?.ways.find((way) => `${plan.name}/${way.name}` === this.plans.value)];
  }

  private async choose(note = true): Promise<string> {
    if (this.plans.value === "opened") return this.plan;
    const [plan, way] = this.chosen();
    if (plan !== undefined) {
      if (note) history.replaceState(null, "", `#plan=${encodeURIComponent(this.plans.value)}`);
      return JSON.stringify(way?.plan);
    }
    const [seed, kind] = [this.seed.value.trim(), this.kind.value as Kind];
    if (note) history.replaceState(null, "", `#seed=${encodeURIComponent(seed)}&kind=${kind}`);
    return this.text({ what: "plan", seed, kind });
  }

  private async run(): Promise<void> {
    try {
      this.plan = await this.choose();
      const told = await this.ask({ what: "run", text: this.plan });
      const result = JSON.parse(told.text ?? "") as Result;
      this.show(result, told.tookMs);
      const events = JSON.parse(await this.text({ what: "events", text: this.plan, from: 0, limit: EVENTS })) as Timeline;
      this.out.replaceChildren(...this.about(), figures([["this producer", result]]), violations(result), lanes(events, () => void this.save()));
    } catch (error) {
      this.fail(error);
    }
  }

  /** A file of the run for Perfetto. */
  private async save(): Promise<void> {
    try {
      const run = JSON.parse(await this.text({ what: "events", text: this.plan, from: 0, limit: EVENTS_SAVED })) as Timeline;
      const href = URL.createObjectURL(new Blob([perfetto(run)], { type: "application/json" }));
      h("a", { href, download: `${run.hash}.trace.json` }).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
    } catch (error) {
      this.fail(error);
    }
  }

  /** `note`: whether the URL shall say what is shown. */
  private async compare(note = true): Promise<void> {
    try {
      this.plan = await this.choose(note);
      const told = await this.ask({ what: "compare", text: this.plan });
      const { ours, java } = JSON.parse(told.text ?? "") as Comparison;
      this.show(ours, told.tookMs / 2, java);
      this.out.replaceChildren(...this.about(), figures([["this producer", ours], ["Config::java()", java]]), violations(ours));
    } catch (error) {
      this.fail(error);
    }
  }

  private async another(): Promise<void> {
    this.plans.value = "";
    this.seed.value = String(crypto.getRandomValues(new Uint16Array(1))[0]);
    await this.run();
  }

  private async take(file: File | undefined): Promise<void> {
    if (file === undefined) return;
    try {
      const opened = JSON.parse(await this.text({ what: "open", text: await file.text() })) as Opened;
      this.plan = JSON.stringify(opened.plan);
      this.expected = opened.hash;
      if (!this.plans.querySelector("[value=opened]")) this.plans.append(h("option", { value: "opened" }, file.name));
      this.plans.value = "opened";
      await this.run();
    } catch (error) {
      this.fail(error);
    }
  }

  private show(result: Result, tookMs: number, java?: Result): void {
    say(this.hash, result.hash);
    const seconds = result.simulated_us / 1e6;
    const same = this.plans.value === "opened" && this.expected !== undefined ? (this.expected === result.hash ? "; the same as in the file" : `; the file says ${this.expected}`) : "";
    say(this.speed, `${seconds.toFixed(1)} s of the cluster in ${tookMs.toFixed(0)} ms, ${count((seconds * 1_000) / tookMs)} times as fast${same}`);
    this.chart.show(result, java);
    this.legend.classList.toggle("compared", java !== undefined);
  }

  private about(): Node[] {
    const [plan] = this.chosen();
    if (plan === undefined) return [];
    return [h("div", { class: "sim-about" }, h("h3", {}, plan.name), h("p", {}, plan.what), plan.why === undefined ? null : h("p", {}, plan.why.replaceAll("`", "")), plan.remedy === undefined ? null : h("p", { class: "remedy" }, plan.remedy.replaceAll("`", "")))];
  }

  private async text(ask: Unnumbered<Ask>): Promise<string> {
    return (await this.ask(ask)).text ?? "";
  }

  private async ask(ask: Unnumbered<Ask>): Promise<Told> {
    this.worker ??= this.start();
    const id = (this.asked += 1);
    const told = await new Promise<Told>((resolve) => {
      this.waiting.set(id, { resolve });
      this.worker?.postMessage({ ...ask, id });
    });
    if (told.error !== undefined) throw new Error(told.error);
    return told;
  }

  private start(): Worker {
    const worker = new Worker("simulate.js", { type: "module", name: "simulator" });
    worker.onmessage = (event: MessageEvent<Told>) => {
      this.waiting.get(event.data.id)?.resolve(event.data);
      this.waiting.delete(event.data.id);
    };
    worker.onerror = (event) => {
      const error = event.message || "the simulator could not be loaded";
      for (const [id, { resolve }] of this.waiting) resolve({ id, error, tookMs: 0 });
      this.waiting.clear();
    };
    return worker;
  }

  private fail(error: unknown): void {
    this.out.replaceChildren(h("p", { class: "code-error", role: "alert" }, error instanceof Error ? error.message : String(error)));
  }
}

function legend(): HTMLElement {
  const entry = (kind: string, text: string): HTMLElement => h("li", { class: kind }, h("i", {}), text);
  return h("ul", { class: "legend sim-legend" }, entry("asked", "asked for"), entry("acked", "acknowledged"), entry("failed", "failed"), entry("java", "Config::java() (failed: dashed)"), entry("fault", "a fault of the plan"));
}

function field(id: string, title: string, input: HTMLElement): HTMLElement {
  return h("div", { class: "field" }, h("label", { for: id }, title), input);
}

const ROWS: [string, (result: Result) => string, ((result: Result) => boolean)?][] = [
  ["sends asked for", (result) => count(result.ledger.asked)],
  ["acknowledged", (result) => count(result.ledger.acked)],
  ["written one-way", (result) => count(result.ledger.written)],
  ["rejected", (result) => count(result.ledger.rejected)],
  ["never sent", (result) => count(result.ledger.not_sent)],
  ["unknown", (result) => count(result.ledger.unknown)],
  ["lost", (result) => count(result.ledger.lost), (result) => result.ledger.lost > 0],
  ["further copies", (result) => count(result.ledger.duplicates)],
  ["copies unannounced", (result) => count(result.ledger.duplicates_unannounced), (result) => result.ledger.duplicates_unannounced > 0],
  ["overtaken by a later one of their key", (result) => count(result.ledger.order.reduce((sum, one) => sum + one.overtaken, 0))],
  ["requests to brokers", (result) => count(result.requests)],
  ["p50", (result) => ms(result.all.p50_us / 1_000)],
  ["p99", (result) => ms(result.all.p99_us / 1_000)],
  ["longest", (result) => ms(result.all.longest_us / 1_000)],
];

function figures(columns: [string, Result][]): HTMLElement {
  const head = h("tr", {}, h("td", {}), ...columns.map(([name]) => h("th", { scope: "col" }, name)));
  const rows = ROWS.map(([name, show, wrong]) => h("tr", {}, h("th", { scope: "row" }, name), ...columns.map(([, result]) => h("td", { class: wrong?.(result) ? "bad" : undefined }, show(result)))));
  return h("table", { class: "figures", testid: "sim-figures" }, h("thead", {}, head), h("tbody", {}, ...rows));
}

function violations(result: Result): HTMLElement {
  const broken = result.violations.map((one) => h("li", { class: "bad" }, h("b", {}, one.name), ` ${one.what}`));
  const held = result.invariants.filter((one) => one.held).length;
  return h("div", { class: "invariants", testid: "sim-invariants" }, h("h3", {}, `${held} of ${result.invariants.length} invariants hold`), h("ul", {}, ...broken), h("ul", { class: "held" }, ...result.invariants.map((one) => h("li", { class: one.held ? "" : "bad", title: one.sentence }, one.name))));
}

function lanes(run: Timeline, save: () => void): HTMLElement {
  const rows = run.events.map((event) => h("li", { "data-kind": event.kind }, h("time", {}, `${(event.t / 1e6).toFixed(4)} s`), h("b", {}, event.host === undefined ? "" : (run.hosts[event.host] ?? "")), h("span", {}, words(event, run))));
  const button = h("button", { type: "button", class: "quiet small", testid: "sim-save", title: "a trace to open at ui.perfetto.dev", onclick: save }, "Save for Perfetto");
  return h("div", { class: "sim-events" }, h("div", { class: "panel-head" }, h("h3", {}, `The first ${count(run.events.length)} of ${count(run.total)} events`), button), h("ol", { tabindex: "0", "aria-label": "Events" }, ...rows));
}

function words(event: Lane, run: Timeline): string {
  const fault = (at: number): string => `${run.faults[at]?.kind.replaceAll("_", " ")} at ${run.faults[at]?.target}`;
  switch (event.kind) {
    case "asked":
      return `send ${event.ticket} is asked for (${event.mode}${event.key === undefined ? "" : `, key ${event.key}`})`;
    case "ended":
      return `send ${event.ticket} is ${event.outcome.replace("_", " ")} after ${ms(event.took / 1_000)}${event.error === undefined ? "" : `: ${event.error}`}`;
    case "dial":
      return `dials ${run.hosts[event.to]}${event.how === undefined ? "" : `: ${event.how}`}`;
    case "frame":
      return `${event.name} to ${run.hosts[event.to]}${event.because === undefined ? "" : `, because ${event.because}`}${event.remark ? `: ${event.remark}` : ""}`;
    case "garbage":
      return `bytes that are no frame, to ${run.hosts[event.to]}`;
    case "closed":
      return `connection with ${run.hosts[event.peer]} ends: ${event.why}`;
    case "fault_begins":
      return `fault begins: ${fault(event.fault)}`;
    case "fault_ends":
      return `fault ends: ${fault(event.fault)}`;
    case "healed":
      return "the cluster heals";
  }
}

