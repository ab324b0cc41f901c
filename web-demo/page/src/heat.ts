// How many messages took how long: a column a tenth of a second, behind the lines of the chart.
import type uPlot from "uplot";
import { token } from "./dom.js";
import { LEAST_MS, MOST_MS, STEPS } from "./steps.js";

export class Heat {
  private readonly canvas = document.createElement("canvas");
  private readonly pen = this.canvas.getContext("2d");

  constructor(private readonly columns: number) {
    this.canvas.width = columns;
    this.canvas.height = STEPS;
  }

  /** The next column: a tenth of a second moves to the left. */
  add(counts: number[]): void {
    if (this.pen === null) return;
    this.pen.globalCompositeOperation = "copy";
    this.pen.globalAlpha = 1;
    this.pen.drawImage(this.canvas, -1, 0);
    this.pen.globalCompositeOperation = "source-over";
    this.pen.fillStyle = token("--ink-3");
    const all = counts.reduce((sum, one) => sum + one, 0);
    counts.forEach((one, step) => {
      if (one === 0) return;
      this.pen!.globalAlpha = 0.55 * Math.sqrt(one / all);
      this.pen!.fillRect(this.columns - 1, STEPS - 1 - step, 1, 1);
    });
  }

  /** The colours are other ones. */
  repaint(): void {
    if (this.pen === null) return;
    this.pen.globalCompositeOperation = "source-in";
    this.pen.globalAlpha = 1;
    this.pen.fillStyle = token("--ink-3");
    this.pen.fillRect(0, 0, this.columns, STEPS);
  }

  /** Puts so many columns where their times are. */
  draw(plot: uPlot, columns: number, from: number, until: number): void {
    const [left, right] = [plot.valToPos(from, "x", true), plot.valToPos(until, "x", true)];
    const [top, bottom] = [plot.valToPos(MOST_MS, "y", true), plot.valToPos(LEAST_MS, "y", true)];
    plot.ctx.imageSmoothingEnabled = false;
    plot.ctx.drawImage(this.canvas, this.columns - columns, 0, columns, STEPS, left, top, right - left, bottom - top);
  }
}
