// The strip from the page to the brokers: nodes to press, and what is on its way between them.
import { ailment, heal, order, type Node, type State } from "./backend.js";
import { byId, calm, count, h, say, token } from "./dom.js";
import type { Snapshot } from "./messages.js";

/** What can be done to a node: order, what it is called, and what it means. */
const MASTER: [string, string, string][] = [
  ["kill", "Kill", "connections reset, port refuses"],
  ["pause", "Pause", "frozen, as SIGSTOP does"],
  ["slow?ms=400", "Slow by 400 ms", "every answer leaves later"],
  ["drop-answers", "Drop answers", "stores, and never says so"],
  ["busy", "Busy", "refuses with SYSTEM_BUSY"],
  ["half-answer", "Half a frame, then cut", "once, in the middle of an answer"],
  ["cut-off", "Partition", "runs on, and nobody reaches it"],
  ["move", "Move", "restarts at another address"],
];
const NAME_SERVER: [string, string, string][] = [
  ["kill", "Kill", "routes are asked of the other one"],
  ["pause", "Pause", "frozen, as SIGSTOP does"],
  ["slow?ms=400", "Slow by 400 ms", "every answer leaves later"],
  ["stale", "Stale routes", "hears of no change any more"],
];

interface Dot {
  from: Place;
  over: Place | undefined;
  to: Place;
  color: string;
  born: number;
  lasts: number;
}

interface Place {
  x: number;
  y: number;
}

const DOTS_MAX = 220;

export class Topology {
  private readonly cards = new Map<string, { card: HTMLButtonElement; state: HTMLElement; rate: HTMLElement }>();
  private readonly canvas = h("canvas", { class: "wires", "aria-hidden": "true" });
  private readonly menu = h("div", { class: "menu", role: "menu", hidden: true, testid: "fault-menu" });
  private readonly dots: Dot[] = [];
  private nodes: Node[] = [];
  private opener: HTMLElement | undefined;
  private places = new Map<string, Place>();
  private live = new Map<string, boolean>();
  private colors: Record<string, string> = {};
  private drawing = false;

  constructor(private readonly told: (state: State) => void) {
    const root = byId("topology");
    const inner = h("div", { class: "strip-nodes" });
    root.append(this.canvas, inner, this.menu);
    const fixed = (id: string, name: string, what: string, place: string): HTMLElement => {
      const card = h("div", { class: `node node-fixed ${place}`, id: `node-${id}`, testid: `node-${id}` }, h("b", {}, name), h("span", { class: "node-state" }, what));
      return card;
    };
    const pages = h("div", { class: "column column-page" }, fixed("page", "This page", "the core, in wasm", ""));
    const bridges = h("div", { class: "column column-bridge" }, fixed("bridge", "Bridge", "WebSocket to TCP", ""));
    const names = h("div", { class: "column column-names" });
    const brokers = h("div", { class: "column column-brokers" });
    const all = h("button", { type: "button", class: "quiet heal", id: "heal", testid: "heal-all", onclick: () => void this.obey(heal()) }, "Heal all");
    inner.append(pages, bridges, names, brokers);
    root.append(all);
    this.columns = { names, brokers };
    this.menu.addEventListener("keydown", (event) => this.keys(event));
    document.addEventListener("pointerdown", (event) => {
      if (!this.menu.hidden && !this.menu.contains(event.target as HTMLElement)) this.close(false);
    });
    new ResizeObserver(() => this.measure()).observe(root);
  }

  private readonly columns: { names: HTMLElement; brokers: HTMLElement };

  /** The cluster is in this state. */
  show(state: State): void {
    this.nodes = state.nodes;
    for (const node of state.nodes) {
      const { card, state: text } = this.cards.get(node.id) ?? this.make(node);
      const wrong = ailment(node);
      card.dataset["state"] = !node.up ? "down" : wrong === "" ? "up" : "ill";
      say(text, wrong !== "" ? wrong : node.kind === "name-server" ? "routes" : node.kind === "slave" ? "slave of broker-a" : `${count(node.stored ?? 0)} stored`);
    }
  }

  /** What went over the wire in the last tenth of a second. */
  move(snapshot: Snapshot, names: Record<string, string>): void {
    const now = performance.now();
    this.live.clear();
    for (const [target, traffic] of Object.entries(snapshot.targets)) {
      const id = target === "ns" ? "ns-0" : (names[target] ?? "");
      if (traffic.up) this.live.set(id, true);
      this.fly(id, traffic.sent, traffic.received, now);
    }
    for (const [id, { card, rate }] of this.cards) {
      const acked = snapshot.brokers[id]?.acked ?? 0;
      if (rate.dataset["for"] === "master") say(rate, acked > 0 ? `${count(acked * 10)}/s` : "\u2013");
      card.classList.toggle("avoided", snapshot.avoided.includes(id));
    }
    if (!this.drawing) this.frame();
  }

  private make(node: Node): { card: HTMLButtonElement; state: HTMLElement; rate: HTMLElement } {
    const state = h("span", { class: "node-state" });
    const rate = h("span", { class: "node-rate", "data-for": node.kind });
    const card = h(
      "button",
      { type: "button", class: `node node-${node.kind}`, id: `node-${node.id}`, testid: `node-${node.id}`, "aria-haspopup": "menu", "data-broker": node.kind === "master" ? node.id.slice(-1) : "" },
      h("span", { class: "node-name" }, h("i", { class: "lamp", "aria-hidden": "true" }), node.id),
      state,
      rate,
    );
    card.addEventListener("click", () => this.open(node.id, card));
    (node.kind === "name-server" ? this.columns.names : this.columns.brokers).append(card);
    const made = { card, state, rate };
    this.cards.set(node.id, made);
    requestAnimationFrame(() => this.measure());
    return made;
  }

  private open(id: string, card: HTMLElement): void {
    const node = this.nodes.find((one) => one.id === id);
    if (node === undefined) return;
    const faults = node.kind === "name-server" ? NAME_SERVER : node.kind === "slave" ? MASTER.slice(0, 2) : MASTER;
    const items = node.up ? faults.map((fault) => this.item(id, ...fault)) : [];
    const cure: [string, string, string] = node.up ? ["heal", "Heal", "ends everything above"] : ["restart", "Restart", "with its log, on its port"];
    this.menu.replaceChildren(h("p", { class: "menu-title" }, id, h("span", {}, node.address)), ...items, this.item(id, ...cure, "cure"));
    this.menu.setAttribute("aria-label", `Faults of ${id}`);
    this.menu.hidden = false;
    this.opener = card;
    card.setAttribute("aria-expanded", "true");
    const root = byId("topology").getBoundingClientRect();
    const at = card.getBoundingClientRect();
    // Below the node, or beside it where there is no room below.
    const [width, height] = [this.menu.offsetWidth, this.menu.offsetHeight];
    const below = at.bottom + 6 + height < innerHeight || root.width < 600;
    const left = below ? Math.min(at.left - root.left, root.width - width - 8) : at.left - root.left - width - 10;
    const top = below ? at.bottom + 6 : Math.max(70, innerHeight - height - 10);
    this.menu.style.left = `${Math.max(8, left)}px`;
    this.menu.style.top = `${top - root.top}px`;
    this.menu.querySelector<HTMLElement>("[role=menuitem]")?.focus();
  }

  private item(node: string, what: string, name: string, means: string, kind = ""): HTMLElement {
    const press = (): void => {
      this.close(true);
      void this.obey(order(node, what));
    };
    return h(
      "button",
      { type: "button", role: "menuitem", tabindex: "-1", class: `menu-item ${kind}`, testid: `fault-${what.replace(/\?.*/, "")}`, onclick: press },
      h("b", {}, name),
      h("span", {}, means),
    );
  }

  private keys(event: KeyboardEvent): void {
    const items = [...this.menu.querySelectorAll<HTMLElement>("[role=menuitem]")];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      items[to % items.length]?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      if (event.key === "Escape") event.preventDefault();
      this.close(event.key === "Escape");
    }
  }

  private close(back: boolean): void {
    this.menu.hidden = true;
    this.opener?.removeAttribute("aria-expanded");
    if (back) this.opener?.focus();
  }

  private async obey(obeyed: Promise<State>): Promise<void> {
    try {
      this.told(await obeyed);
    } catch (error) {
      say(byId("link"), error instanceof Error ? error.message : String(error));
    }
  }

  private measure(): void {
    const root = byId("topology").getBoundingClientRect();
    const scale = Math.min(devicePixelRatio, 2);
    this.canvas.width = root.width * scale;
    this.canvas.height = root.height * scale;
    this.places = new Map();
    for (const id of ["page", "bridge", ...this.cards.keys()]) {
      const at = document.getElementById(`node-${id}`)?.getBoundingClientRect();
      if (at !== undefined) this.places.set(id, { x: at.left - root.left + at.width / 2, y: at.top - root.top + at.height / 2 });
    }
    const names: [string, string][] = [["a", "--a"], ["b", "--b"], ["c", "--c"], ["wire", "--wire"], ["quiet", "--ink-3"]];
    for (const [name, value] of names) this.colors[name] = token(value);
    if (!this.drawing) this.draw(performance.now());
  }

  /** Colours are other ones. */
  repaint(): void {
    this.measure();
  }

  private fly(id: string, sent: number, received: number, now: number): void {
    const [page, bridge, node] = [this.places.get("page"), this.places.get("bridge"), this.places.get(id)];
    if (calm.matches || page === undefined || bridge === undefined || node === undefined) return;
    const color = this.colors[id.startsWith("broker-") ? id.slice(-1) : "quiet"] ?? "#888";
    // As many dots as can be told apart: 1 for one frame, 2 for three, 7 for a hundred.
    const some = (frames: number): number => Math.ceil(Math.log2(1 + frames));
    for (let dot = 0; dot < some(sent) && this.dots.length < DOTS_MAX; dot += 1) {
      this.dots.push({ from: page, over: bridge, to: node, color, born: now + Math.random() * 100, lasts: 620 });
    }
    for (let dot = 0; dot < some(received) && this.dots.length < DOTS_MAX; dot += 1) {
      this.dots.push({ from: node, over: bridge, to: page, color, born: now + 200 + Math.random() * 100, lasts: 620 });
    }
  }

  private frame(): void {
    this.drawing = true;
    requestAnimationFrame((now) => {
      this.draw(now);
      if (this.dots.length > 0) this.frame();
      else this.drawing = false;
    });
  }

  private draw(now: number): void {
    const pen = this.canvas.getContext("2d");
    if (pen === null) return;
    const scale = Math.min(devicePixelRatio, 2);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const [page, bridge] = [this.places.get("page"), this.places.get("bridge")];
    if (page === undefined || bridge === undefined) return;
    this.wire(pen, page, bridge, true);
    for (const id of this.cards.keys()) {
      const node = this.places.get(id);
      if (node !== undefined) this.wire(pen, bridge, node, this.live.get(id) === true);
    }
    let kept = 0;
    for (const dot of this.dots) {
      const gone = (now - dot.born) / dot.lasts;
      if (gone >= 1) continue;
      this.dots[kept++] = dot;
      if (gone < 0) continue;
      const half = gone < 0.35;
      const over = dot.over ?? dot.to;
      const [from, to, share] = half ? [dot.from, over, gone / 0.35] : [over, dot.to, (gone - 0.35) / 0.65];
      pen.fillStyle = dot.color;
      pen.globalAlpha = Math.min(1, 4 * Math.min(gone, 1 - gone));
      pen.beginPath();
      pen.arc(from.x + (to.x - from.x) * share, from.y + (to.y - from.y) * share, 2.6, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    this.dots.length = kept;
  }

  private wire(pen: CanvasRenderingContext2D, from: Place, to: Place, live: boolean): void {
    pen.strokeStyle = this.colors["wire"] ?? "#ccc";
    pen.lineWidth = live ? 1.5 : 1;
    pen.setLineDash(live ? [] : [2, 5]);
    pen.beginPath();
    pen.moveTo(from.x, from.y);
    pen.lineTo(to.x, to.y);
    pen.stroke();
  }
}
