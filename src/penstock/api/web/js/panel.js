/** One chart panel: all shown series of one unit, on uPlot's axes and grid. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { drawTrace } from "./draw.js";
import { formatTick, timeTicks } from "./format.js";

const Y_AXIS_PX = 62;
const X_AXIS_PX = 38;
const TOP_PX = 8;
const RIGHT_PX = 12;
/** The value axis shrinks only when the values need less than this share of it. */
const SHRINK_BELOW = 0.55;

/** Width of the value axis, left of every plot. */
export const PLOT_LEFT = Y_AXIS_PX;
export const PLOT_RIGHT = RIGHT_PX;

export class Panel {
  /**
   * @param {HTMLElement} host
   * @param {string} unit label of the value axis
   * @param look `{utc(), colours(), style(id)}` asked at every drawing
   */
  constructor(host, unit, look) {
    this.unit = unit;
    this.look = look;
    this.traces = [];
    this.view = { from: 0, to: 1 };
    this.range = [0, 1];
    this.isLast = true;
    this.element = document.createElement("div");
    this.element.className = "panel";
    const label = document.createElement("div");
    label.className = "panel-unit";
    label.textContent = unit;
    this.element.append(label);
    host.append(this.element);
    this.plot = new uPlot(this.#options(), [[0, 1]], this.element);
  }

  #options() {
    const colour = (name) => () => this.look.colours()[name];
    const axis = { font: "11px system-ui, sans-serif", stroke: colour("axis") };
    const lines = {
      grid: { stroke: colour("grid"), width: 1 },
      ticks: { stroke: colour("grid"), size: 4 },
    };
    const zone = (seconds) => {
      const date = new Date(seconds * 1e3);
      return this.look.utc() ? uPlot.tzDate(date, "Etc/UTC") : date;
    };
    return {
      width: 100,
      height: 100,
      padding: [TOP_PX, RIGHT_PX, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      tzDate: zone,
      scales: {
        x: { time: true, range: () => [this.view.from / 1e6, this.view.to / 1e6] },
        y: { range: () => this.range },
      },
      axes: [
        {
          ...axis,
          ...lines,
          space: (u, index, min, max, size) => (size > 600 || max - min < 60 ? 92 : 56),
          size: () => (this.isLast ? X_AXIS_PX : 6),
          values: (u, splits, index, space, step) =>
            this.isLast
              ? timeTicks(
                  splits.map((s) => s * 1e6),
                  step * 1e6,
                  this.look.utc(),
                )
              : splits.map(() => ""),
        },
        {
          ...axis,
          ...lines,
          scale: "y",
          space: 28,
          size: Y_AXIS_PX,
          gap: 6,
          values: (u, splits, index, space, step) => splits.map((value) => formatTick(value, step)),
        },
      ],
      series: [{}],
      hooks: { draw: [(u) => this.#drawTraces(u)] },
    };
  }

  #drawTraces(u) {
    for (const trace of this.traces) {
      drawTrace(
        u,
        trace,
        { ...this.look.style(trace.id), ratio: uPlot.pxRatio },
        this.view.from,
        this.view.to,
      );
    }
  }

  /** Fit into the host; `isLast` panels carry the time axis. */
  resize(width, height, isLast) {
    const changed = this.isLast !== isLast;
    this.isLast = isLast;
    if (changed || this.plot.width !== width || this.plot.height !== height) {
      this.plot.setSize({ width, height });
    }
  }

  /** Draw the stretch now. `fit` forgets the value range of before. */
  draw(from, to, fit) {
    this.view = { from, to };
    this.range = this.#valueRange(fit);
    this.plot.batch(() => {
      this.plot.setScale("x", { min: from / 1e6, max: to / 1e6 });
      this.plot.setScale("y", { min: this.range[0], max: this.range[1] });
    });
    this.plot.redraw(false, false);
  }

  #valueRange(fit) {
    let [low, high] = [Infinity, -Infinity];
    for (const trace of this.traces) {
      const reach = trace.reach(this.view.from, this.view.to);
      if (!reach) continue;
      low = Math.min(low, reach.min);
      high = Math.max(high, reach.max);
    }
    if (low > high) return this.range;
    const [bottom, top] = this.range;
    const isInside = low >= bottom && high <= top;
    if (!fit && isInside && high - low > (top - bottom) * SHRINK_BELOW) return this.range;
    const spread = high - low || Math.abs(high) * 0.1 || 1;
    const room = spread * 0.08;
    const range = [low - room, high + room];
    if (low >= 0 && range[0] < 0) range[0] = 0;
    if (high <= 0 && range[1] > 0) range[1] = 0;
    if (range[0] === range[1]) range[1] += 1;
    return range;
  }

  destroy() {
    this.plot.destroy();
    this.element.remove();
  }
}
