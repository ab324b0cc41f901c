// The live half of the page: a worker that publishes, and everything that shows what it does.
import { ailment, ledger, state as askState, type State } from "./backend.js";
import { Latency } from "./chart.js";
import { byId, count, say } from "./dom.js";
import { balances, Ledger, problem } from "./ledger-view.js";
import type { Closed, News, Order, Settings, Snapshot } from "./messages.js";
import { Publish } from "./publish.js";
import { Scenes, type Stage } from "./scenes.js";
import { Timeline } from "./timeline.js";
import { Topology } from "./topology.js";

const LEDGER_MS = 200;
const STATE_MS = 500;
/** What a visitor sees without doing anything. */
const FIRST_RATE = 500;

export class Live {
  private readonly worker = new Worker("worker.js", { type: "module", name: "producer" });
  private readonly topology = new Topology((state) => this.show(state));
  private readonly latency = new Latency();
  private readonly timeline = new Timeline();
  private readonly publish: Publish;
  private names: Record<string, string> = {};
  private snapshot: Snapshot | undefined;
  private waiting: ((snapshot: Snapshot) => void)[] = [];
  private opened: (() => void)[] = [];
  private closed: ((report: Closed) => void)[] = [];
  private cursors = "";
  private again = false;
  private booked: (() => void) | undefined;
  private renewed = Promise.resolve();

  constructor(state: State) {
    this.publish = new Publish({
      settings: (settings) => this.order({ type: "settings", settings: { ...settings } }),
      going: (going) => this.order({ type: going ? "go" : "halt" }),
      one: () => this.order({ type: "one" }),
      renew: () => void (this.renewed = this.renewed.then(() => this.renew())),
    });
    const ledgerView = new Ledger();
    this.timeline.tellEventsIn(byId("ledger"));
    new Scenes(this.stage());
    this.worker.onmessage = (event: MessageEvent<News>) => this.hear(event.data, ledgerView);
    this.worker.onerror = (event) => this.fail(event.message || "the worker could not be started");
    this.show(state);
    this.order({ type: "settings", settings: { ...this.publish.settings } });
    void this.start();
  }

  /** Colours are other ones. */
  repaint(): void {
    this.topology.repaint();
    this.latency.repaint();
  }

  private async start(): Promise<void> {
    await this.open();
    this.publish.set({ rate: FIRST_RATE });
    this.publish.setGoing(true);
    void this.read();
    setInterval(() => void this.look(), STATE_MS);
  }

  private open(): Promise<void> {
    const run = crypto.getRandomValues(new Uint32Array(1))[0]! || 1;
    this.timeline.clear();
    this.order({ type: "connect", bridge: new URL("/", location.href).href.replace(/^http/, "ws"), run });
    return new Promise((resolve) => this.opened.push(resolve));
  }

  /** Another producer takes over, with a ledger of its own. */
  private async renew(): Promise<void> {
    const closed = new Promise((resolve) => this.closed.push(resolve));
    this.order({ type: "close", deadlineMs: 1_500 });
    await closed;
    await this.open();
    if (this.publish.isGoing) this.order({ type: "go" });
  }

  private order(order: Order, transfer: Transferable[] = []): void {
    this.worker.postMessage(order, transfer);
  }

  private hear(news: News, ledgerView: Ledger): void {
    switch (news.type) {
      case "open":
        this.status(`publishing as ${news.clientId}`, "good");
        for (const opened of this.opened.splice(0)) opened();
        break;
      case "failed":
        this.fail(news.text);
        break;
      case "code":
        this.publish.fault(news.error);
        break;
      case "event":
        this.timeline.event(news.event);
        break;
      case "story":
        this.timeline.add(news.story);
        break;
      case "cursors":
        this.cursors = news.cursors;
        this.again = news.again;
        this.booked?.();
        break;
      case "closed":
        for (const closed of this.closed.splice(0)) closed(news.report);
        break;
      case "snapshot":
        this.take(news.snapshot, ledgerView);
        break;
    }
  }

  private take(snapshot: Snapshot, ledgerView: Ledger): void {
    this.snapshot = snapshot;
    for (const waiting of this.waiting.splice(0)) waiting(snapshot);
    const { totals } = snapshot;
    this.latency.show(snapshot);
    if (document.hidden) return;
    const sound = balances(totals);
    say(byId("lost"), count(totals.lost));
    byId("claim").classList.toggle("wrong", problem(totals, sound) !== undefined);
    say(byId("tally-acked"), count(totals.acked));
    say(byId("tally-rate"), count(snapshot.rate));
    ledgerView.show(totals, sound);
    this.publish.show(snapshot);
    this.topology.move(snapshot, this.names);
  }

  private show(state: State): void {
    this.names = Object.fromEntries(state.nodes.map((node) => [node.address, node.id]));
    this.order({ type: "brokers", names: this.names });
    this.topology.show(state);
    // Brokers that have the same are told together: broker-a, b, c paused.
    const ills = new Map<string, string[]>();
    for (const node of state.nodes) {
      const wrong = ailment(node);
      if (wrong !== "") ills.set(wrong, [...(ills.get(wrong) ?? []), node.id]);
    }
    this.latency.faults([...ills].map(([wrong, ids]) => `${ids.join(", ").replaceAll(", broker-", ", ")} ${wrong}`).join("; "));
  }

  private async look(): Promise<void> {
    try {
      this.show(await askState());
    } catch {
      this.status("the server does not answer", "bad");
    }
  }

  /** Reads the brokers' logs for as long as the page is open. */
  private async read(): Promise<void> {
    for (;;) {
      try {
        const askedAt = performance.timeOrigin + performance.now();
        const bytes = await ledger(this.cursors);
        const booked = new Promise<void>((resolve) => (this.booked = resolve));
        this.order({ type: "ledger", bytes, askedAt }, [bytes]);
        await booked;
      } catch {
        this.again = false;
      }
      if (!this.again) await new Promise((resolve) => setTimeout(resolve, LEDGER_MS));
    }
  }

  private stage(): Stage {
    return {
      set: (settings: Partial<Omit<Settings, "code">>) => this.publish.set(settings),
      going: (going) => this.publish.setGoing(going),
      last: () => {
        if (this.snapshot === undefined) throw new Error("the producer has not started");
        return this.snapshot;
      },
      next: () => new Promise((resolve) => this.waiting.push(resolve)),
      close: (deadlineMs) => {
        this.order({ type: "close", deadlineMs });
        return new Promise((resolve) => this.closed.push(resolve));
      },
      open: () => this.open(),
    };
  }

  private status(text: string, tone: "good" | "bad"): void {
    const link = byId("link");
    say(link, text);
    link.dataset["tone"] = tone;
  }

  private fail(text: string): void {
    this.status(text, "bad");
    this.timeline.event({ at: performance.now(), tone: "bad", text });
  }
}
