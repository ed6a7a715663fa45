/** Rows of a query: a table, and a plot of its numbers. */

import { html, useEffect, useRef } from "../html.js";
import { formatCount, formatNumber, formatTime } from "../format.js";
import { useApp } from "../state.js";
import uPlot from "../../vendor/uplot/uPlot.esm.js";

const SHOWN = 200;
const MOST_LINES = 8;
const COLOURS = ["#3b82c4", "#d97706", "#2a9d63", "#c2417c", "#7c5cc4", "#5f7d1f", "#b04a3a", "#2a8f9d"];

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
  return html`<p class="muted">${formatCount(count)} rows${count > shown && `, of which ${shown} are shown`}</p>
    <div class="table-scroll apps-rows" tabindex="0" aria-label="Rows"><table>
      <thead><tr>${kept.map(([column]) => html`<th key=${column.name} scope="col">${column.name.replace(/^__/, "")}</th>`)}</tr></thead>
      <tbody>${Array.from({ length: shown }, (_, row) => html`<tr key=${row}>
        ${kept.map(([column, at]) => html`<td key=${at} class=${typeof values[at][row] === "number" ? "number" : "text"}>${cell(values[at][row], column.type, utc)}</td>`)}
      </tr>`)}</tbody>
    </table></div>`;
}

/** Lines of the first column of numbers, one for each series that its texts tell apart. */
function linesOf(columns, values) {
  const value = columns.findIndex((c) => c.type === "double" && !c.name.startsWith("__"));
  if (value < 0 || columns[0]?.name !== "__time") return null;
  const keys = columns.map((c, at) => (c.type === "string" ? at : -1)).filter((at) => at >= 0);
  const series = new Map();
  values[0].forEach((time, row) => {
    const name = keys.map((at) => values[at][row]).join(" ") || columns[value].name;
    if (!series.has(name) && series.size < MOST_LINES) series.set(name, new Map());
    series.get(name)?.set(time / 1e6, values[value][row]);
  });
  const times = [...new Set([...series.values()].flatMap((points) => [...points.keys()]))].sort((a, b) => a - b);
  return { name: columns[value].name, names: [...series.keys()], data: [times, ...[...series.values()].map((points) => times.map((t) => points.get(t)))] };
}

export function Plot({ columns, values }) {
  const host = useRef(null);
  const theme = useApp((state) => state.theme);
  const lines = linesOf(columns, values);
  useEffect(() => {
    if (!lines?.data[0].length) return undefined;
    const style = getComputedStyle(host.current);
    const axis = { stroke: style.getPropertyValue("--text-2"), grid: { stroke: style.getPropertyValue("--grid"), width: 1 }, ticks: { stroke: style.getPropertyValue("--grid") }, font: "11px system-ui, sans-serif" };
    const plot = new uPlot({
      width: host.current.clientWidth, height: 240, scales: { x: { time: true } },
      series: [{}, ...lines.names.map((label, at) => ({ label, stroke: COLOURS[at], width: 1.5, spanGaps: true, points: { show: lines.data[0].length < 60 } }))],
      axes: [axis, { ...axis, size: 60 }], legend: { live: false },
    }, lines.data, host.current);
    const fit = new ResizeObserver(() => host.current && plot.setSize({ width: host.current.clientWidth, height: 240 }));
    fit.observe(host.current);
    return () => {
      fit.disconnect();
      plot.destroy();
    };
  }, [values, theme]);
  return lines?.data[0].length ? html`<div class="apps-plot" ref=${host} role="img" aria-label=${`Plot of ${lines.name}`}></div>` : null;
}
