// Latency over the last minute, a line a broker, with the faults that were on.
import uPlot from "uplot";
import { byId, h, ms, token } from "./dom.js";
import { Heat } from "./heat.js";
import type { Snapshot } from "./messages.js";

const SECONDS = 60;
/** A page that has just been opened shows what there is, not an empty minute. */
const SECONDS_MIN = 15;
/** Seconds between two of the lines. */
const steps = (seconds: number): number => (seconds > 30 ? 10 : 5);
const POINTS = SECONDS * 10;
export const BROKERS = ["broker-a", "broker-b", "broker-c"];

const isDecade = (tick: number): boolean => Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9;

function ago(seconds: number, width: number, step: number): string {
  if (seconds === 0) return "now";
  return width < 420 && seconds % (2 * step) !== 0 ? "" : `${seconds} s ago`;
}

type Column = (number | null)[];

export class Latency {
  private readonly at: number[] = [];
  private readonly columns: Column[] = BROKERS.flatMap(() => [[], []]);
  private readonly bands: { from: number; until: number | undefined; text: string }[] = [];
  private readonly box = h("div", { class: "chart" });
  private readonly figures = new Map<string, HTMLElement>();
  private readonly heat = new Heat(POINTS);
  private plot: uPlot | undefined;

  constructor() {
    const legend = h("ul", { class: "legend" });
    for (const broker of BROKERS) {
      const figure = h("span", { testid: `latency-${broker}` }, "\u2013");
      this.figures.set(broker, figure);
      legend.append(h("li", { "data-broker": broker.slice(-1) }, h("i", {}), broker, figure));
    }
    byId("latency").append(
      h("div", { class: "panel-head" }, h("h2", { id: "latency-title" }, "Latency"), h("p", { class: "note" }, "from send() to its receipt; p50 strong, p99 faint, all of them as a shade")),
      this.box,
      legend,
    );
    new ResizeObserver(() => this.resize()).observe(this.box);
  }

  /** Draws anew: the colours are other ones. */
  repaint(): void {
    this.heat.repaint();
    this.plot?.destroy();
    this.plot = undefined;
    this.resize();
  }

  /** Faults that are on, as a text; empty for none. */
  faults(text: string): void {
    const last = this.bands.at(-1);
    const open = last !== undefined && last.until === undefined ? last : undefined;
    if ((open?.text ?? "") === text) return;
    const now = performance.now() / 1_000;
    if (open !== undefined) open.until = now;
    if (text !== "") this.bands.push({ from: now, until: undefined, text });
    if (this.bands.length > 40) this.bands.shift();
  }

  show(snapshot: Snapshot): void {
    // The worker's clock is another one; what is drawn is when it came.
    this.at.push(performance.now() / 1_000);
    this.heat.add(snapshot.heat);
    BROKERS.forEach((broker, number) => {
      const told = snapshot.brokers[broker];
      this.columns[2 * number]!.push(told?.p50 ?? null);
      this.columns[2 * number + 1]!.push(told?.p99 ?? null);
      const figure = this.figures.get(broker);
      if (figure !== undefined && (this.at.length % 5 === 0 || told === undefined)) figure.textContent = told === undefined ? "\u2013" : `${ms(told.p50)} / ${ms(told.p99)}`;
    });
    if (this.at.length > POINTS) for (const column of [this.at, ...this.columns]) column.shift();
    if (!document.hidden) this.plot?.setData([this.at, ...this.columns] as uPlot.AlignedData, true);
  }

  /** How far back it goes. */
  private seconds(): number {
    const first = this.at[0] ?? Infinity;
    return Math.min(SECONDS, Math.max(SECONDS_MIN, performance.now() / 1_000 - first));
  }

  private resize(): void {
    const width = this.box.clientWidth;
    const height = this.box.clientHeight;
    if (width === 0) return;
    if (this.plot === undefined) this.make(width, height);
    else this.plot.setSize({ width, height });
  }

  private make(width: number, height: number): void {
    const ink = token("--ink-3");
    const grid = { stroke: token("--line"), width: 1 };
    const font = `11px ${token("--sans")}`;
    const axis = { stroke: ink, grid, ticks: { show: false }, font };
    const series = BROKERS.flatMap((broker): uPlot.Series[] => {
      const color = token(`--${broker.slice(-1)}`);
      const line = (name: string, stroke: string, lineWidth: number): uPlot.Series => ({ label: `${broker} ${name}`, stroke, width: lineWidth, points: { show: false }, spanGaps: false });
      return [line("p50", color, 2), line("p99", `${color}80`, 1)];
    });
    const options: uPlot.Options = {
      width,
      height,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: () => [performance.now() / 1_000 - this.seconds(), performance.now() / 1_000] },
        y: { distr: 3, log: 10, range: (_, least, most) => [Math.min(0.3, 10 ** Math.floor(Math.log10(least || 1))), Math.max(100, 10 ** Math.ceil(Math.log10(most || 1)))] },
      },
      axes: [
        {
          ...axis,
          // So long ago, rather than at such a time of a clock that nobody sees.
          splits: (plot) => {
            const step = steps(this.seconds());
            return Array.from({ length: Math.floor(this.seconds() / step) + 1 }, (_, number) => (plot.scales["x"]!.max ?? 0) - number * step).reverse();
          },
          values: (plot, ticks) => ticks.map((tick) => ago(Math.round((plot.scales["x"]!.max ?? 0) - tick), plot.width, steps(this.seconds()))),
        },
        { ...axis, grid: { ...grid, filter: (_, ticks) => ticks.map((tick) => (isDecade(tick) ? tick : null)) }, size: 54, values: (_, ticks) => ticks.map((tick) => (isDecade(tick) ? ms(tick).replace(".00", "").replace(".0", "") : "")) },
      ],
      series: [{}, ...series],
      hooks: { drawClear: [(plot) => this.shade(plot)] },
    };
    this.plot = new uPlot(options, [this.at, ...this.columns] as uPlot.AlignedData, this.box);
  }

  private shade(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const now = performance.now() / 1_000;
    ctx.save();
    ctx.textAlign = "left";
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const last = this.at.at(-1);
    if (last !== undefined) this.heat.draw(plot, this.at.length, this.at[0]!, last);
    ctx.font = `${11 * devicePixelRatio}px ${token("--sans")}`;
    const rows: number[] = [];
    for (const band of this.bands) {
      const until = band.until ?? now;
      if (until < now - this.seconds()) continue;
      const from = plot.valToPos(Math.max(band.from, now - this.seconds()), "x", true);
      const width = ctx.measureText(band.text).width + 16;
      // Whole, even if it has just begun.
      const text = Math.max(bbox.left, Math.min(from, bbox.left + bbox.width - width));
      ctx.fillStyle = token("--band");
      ctx.fillRect(from, bbox.top, plot.valToPos(until, "x", true) - from, bbox.height);
      // One that only led to the next has no name.
      if (until - band.from < 0.4) continue;
      ctx.fillStyle = token("--bad");
      // Words that would stand in each other's way stand below each other.
      let row = rows.findIndex((end) => end < text);
      if (row < 0) row = rows.push(0) - 1;
      rows[row] = text + width;
      ctx.fillText(band.text, text + 5 * devicePixelRatio, bbox.top + (14 + 14 * row) * devicePixelRatio);
    }
    ctx.restore();
  }
}
