// Sends of a run by time, with its faults as bands.
import type { Result } from "sim-wasm";
import uPlot from "uplot";
import { h, token } from "./dom.js";

export class SimulatorChart {
  readonly box = h("div", { class: "chart sim-chart", testid: "sim-chart" });
  private plot: uPlot | undefined;
  private result: Result | undefined;
  private other: Result | undefined;

  constructor() {
    new ResizeObserver(() => this.plot?.setSize({ width: this.box.clientWidth, height: this.box.clientHeight })).observe(this.box);
  }

  repaint(): void {
    if (this.result !== undefined) this.show(this.result, this.other);
  }

  /** `other`: what Java's rules made of the same plan. */
  show(result: Result, other?: Result): void {
    this.result = result;
    this.other = other;
    this.plot?.destroy();
    const perSecond = 1e6 / result.bucket_us;
    const buckets = Math.ceil(result.simulated_us / result.bucket_us) + 1;
    const column = (of: Result | undefined, name: "asked" | "acked" | "failed"): number[] => {
      const all = new Array<number>(buckets).fill(0);
      // Its buckets may be wider, if its run was longer.
      const wide = of === undefined ? 1 : of.bucket_us / result.bucket_us;
      of?.rate.at.forEach((bucket, at) => {
        const first = Math.floor(bucket * wide);
        for (let place = first; place < Math.min(buckets, first + Math.max(1, wide)); place += 1) {
          all[place] = (all[place] ?? 0) + ((of.rate[name][at] ?? 0) * perSecond) / Math.max(1, wide);
        }
      });
      return all;
    };
    const times = Array.from({ length: buckets }, (_, at) => at / perSecond);
    const columns = [times, column(result, "asked"), column(other, "acked"), column(other, "failed"), column(result, "acked"), column(result, "failed")];
    const line = (label: string, color: string, width: number): uPlot.Series => ({ label, stroke: token(color), width, points: { show: false } });
    const axis = { stroke: token("--ink-3"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: `11px ${token("--sans")}` };
    this.plot = new uPlot(
      {
        width: this.box.clientWidth,
        height: this.box.clientHeight,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => `${tick} s`) }, { ...axis, size: 60, values: (_, ticks) => ticks.map((tick) => `${tick}/s`) }],
        series: [{}, { ...line("asked", "--ink-3", 1), dash: [3, 4] }, { ...line("Java acknowledged", "--c", 1.5), show: other !== undefined }, { ...line("Java failed", "--c", 1.5), dash: [2, 3], show: other !== undefined }, line("acknowledged", "--good", 2), line("failed", "--bad", 2)],
        hooks: { drawClear: [(plot) => shade(plot, result)] },
      },
      columns as uPlot.AlignedData,
      this.box,
    );
  }
}

function shade(plot: uPlot, result: Result): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.textAlign = "left";
  ctx.font = `${10.5 * devicePixelRatio}px ${token("--sans")}`;
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const rows: number[] = [];
  for (const fault of result.faults) {
    const from = plot.valToPos(fault.at_us / 1e6, "x", true);
    // What is over at once is seen all the same.
    const until = Math.max(plot.valToPos(Math.min(fault.until_us, result.simulated_us) / 1e6, "x", true), from + 2);
    ctx.fillStyle = token("--band");
    ctx.fillRect(from, bbox.top, until - from, bbox.height);
    const text = `${fault.target} ${fault.kind.replaceAll("_", " ")}`;
    const width = ctx.measureText(text).width + 10;
    let row = rows.findIndex((end) => end < from);
    if (row < 0) row = rows.push(0) - 1;
    rows[row] = from + width;
    if (row > 6) continue;
    ctx.fillStyle = token("--bad");
    ctx.fillText(text, from + 4, bbox.top + (13 + 13 * row) * devicePixelRatio);
  }
  ctx.restore();
}
