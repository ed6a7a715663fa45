/** Rows of a query: a table, and a plot of its numbers. */

import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import { formatCount, formatNumber, formatTime, timeTicks } from "../format.js";
import { look, shownTheme } from "../palette.js";
import { useApp } from "../state.js";
import uPlot from "../../vendor/uplot/uPlot.esm.js";

const SHOWN = 200;
const MOST_LINES = 8;
const HEIGHT = 240;
const FEW_POINTS = 60;

function cell(value, type, utc) {
  if (value === null || value === undefined) return "";
  if (type.startsWith("timestamp") && typeof value === "number") return formatTime(value, utc);
  return typeof value === "number" ? formatNumber(value) : typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `columns` have name and type, `values` is a list for each of them. */
export function Rows({ columns, values, count }) {
  const utc = useApp((state) => state.utc);
  const kept = columns.map((column, at) => [column, at]).filter(([column, at]) => column.name !== "__end" || values[at].some((one) => one !== null));
  const shown = Math.min(SHOWN, count);
  if (count === 0) return html`<p class="muted" role="status">No rows.</p>`;
  return html`<p class="muted" role="status">${count === 1 ? "1 row" : `${formatCount(count)} rows`}${count > shown && `, of which ${shown} are shown`}</p>
    <div class="table-scroll apps-rows" tabindex="0" aria-label="Rows"><table>
      <thead><tr>${kept.map(([column]) => html`<th key=${column.name} scope="col">${column.name.replace(/^__/, "")}</th>`)}</tr></thead>
      <tbody>${Array.from({ length: shown }, (_, row) => html`<tr key=${row}>
        ${kept.map(([column, at]) => html`<td key=${at} class=${typeof values[at][row] === "number" ? "number" : "text"}>${cell(values[at][row], column.type, utc)}</td>`)}
      </tr>`)}</tbody>
    </table></div>`;
}

/** Names of the columns of numbers. */
const numbersOf = (columns) =>
  columns.filter((c) => c.type === "double" && !c.name.startsWith("__")).map((c) => c.name);

/** Lines of a column of numbers, one for each series that the texts beside it tell apart. */
function linesOf(columns, values, name) {
  const value = columns.findIndex((c) => c.name === name);
  if (value < 0 || columns[0]?.name !== "__time" || !values[0]?.length) return null;
  const keys = columns.map((c, at) => (c.type === "string" ? at : -1)).filter((at) => at >= 0);
  const series = new Map();
  const left = new Set();
  values[0].forEach((time, row) => {
    const key = keys.map((at) => values[at][row]).join(" ") || name;
    if (!series.has(key)) {
      if (series.size >= MOST_LINES) return void left.add(key);
      series.set(key, new Map());
    }
    series.get(key).set(time / 1e6, values[value][row]);
  });
  const times = [...new Set([...series.values()].flatMap((points) => [...points.keys()]))].sort((a, b) => a - b);
  return { names: [...series.keys()], left: left.size, data: [times, ...[...series.values()].map((points) => times.map((t) => points.get(t)))] };
}

/** Draw lines into an element; returns what takes them away. */
function draw(host, lines, theme, utc) {
  const style = getComputedStyle(host);
  const grid = { stroke: style.getPropertyValue("--grid"), width: 1 };
  const axis = { stroke: style.getPropertyValue("--text-2"), grid, ticks: grid, font: "11px system-ui, sans-serif" };
  const isFew = lines.data[0].length < FEW_POINTS;
  const series = lines.names.map((label, at) => {
    const { colour, dash } = look(at, theme);
    return { label, stroke: colour, dash, width: 1.5, spanGaps: true, points: { show: isFew, size: 5, fill: colour } };
  });
  const ticks = (_, splits, axisAt, space, step) => timeTicks(splits.map((s) => s * 1e6), step * 1e6, utc);
  const plot = new uPlot({
    width: host.clientWidth, height: HEIGHT, scales: { x: { time: true } }, series: [{}, ...series],
    tzDate: (s) => (utc ? uPlot.tzDate(new Date(s * 1e3), "Etc/UTC") : new Date(s * 1e3)),
    axes: [{ ...axis, values: ticks, space: 70 }, { ...axis, size: 60, values: (_, splits) => splits.map((s) => formatNumber(s)) }],
    legend: { show: false }, cursor: { show: false },
  }, lines.data, host);
  const fit = new ResizeObserver(() => host.isConnected && plot.setSize({ width: host.clientWidth, height: HEIGHT }));
  fit.observe(host);
  return () => {
    fit.disconnect();
    plot.destroy();
  };
}

/** A plot of a column of numbers over the time of the rows; nothing where there are none. */
export function Plot({ columns, values }) {
  const host = useRef(null);
  const utc = useApp((state) => state.utc);
  const theme = shownTheme(useApp((state) => state.theme));
  const numbers = numbersOf(columns);
  const [chosen, setChosen] = useState("");
  const name = numbers.includes(chosen) ? chosen : numbers[0];
  const lines = useMemo(() => linesOf(columns, values, name), [columns, values, name]);
  useEffect(() => (lines ? draw(host.current, lines, theme, utc) : undefined), [lines, theme, utc]);
  if (!lines) return null;
  return html`<div class="apps-plotted">
    ${numbers.length > 1 && html`<label class="tick-label">Plot of <select value=${name} onChange=${(event) => setChosen(event.currentTarget.value)}>
      ${numbers.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>`}
    <div class="apps-plot" ref=${host} role="img" aria-label=${`Plot of ${name}`}></div>
    <ul class="apps-legend" aria-label="Lines">${lines.names.map((line, at) => html`<li key=${line}><span class="apps-swatch" style=${{ background: look(at, theme).colour }}></span>${line}</li>`)}
      ${lines.left > 0 && html`<li class="muted">and ${formatCount(lines.left)} more that are not drawn</li>`}</ul>
  </div>`;
}
