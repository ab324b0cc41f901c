// Sends of a run by time, with its faults as bands.
import type { Result } from "sim-wasm";
import uPlot from "uplot";
import { h, token } from "./dom.js";

export class SimulatorChart {
  readonly box = h("div", { class: "chart sim-chart", testid: "sim-chart" });
  private plot: uPlot | undefined;
  private result: Result | undefined;

  constructor() {
    new ResizeObserver(() => this.plot?.setSize({ width: this.box.clientWidth, height: this.box.clientHeight })).observe(this.box);
  }

  repaint(): void {
    if (this.result !== undefined) this.show(this.result);
  }

  show(result: Result): void {
    this.result = result;
    this.plot?.destroy();
    const perSecond = 1e6 / result.bucket_us;
    const buckets = Math.ceil(result.simulated_us / result.bucket_us) + 1;
    const columns: number[][] = [Array.from({ length: buckets }, (_, at) => at / perSecond)];
    for (const name of ["asked", "acked", "failed"] as const) {
      const column = new Array<number>(buckets).fill(0);
      result.rate.at.forEach((bucket, at) => (column[bucket] = (result.rate[name][at] ?? 0) * perSecond));
      columns.push(column);
    }
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
        series: [{}, { ...line("asked", "--ink-3", 1), dash: [3, 4] }, line("acknowledged", "--good", 2), line("failed", "--bad", 2)],
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
