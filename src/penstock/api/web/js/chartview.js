/** The chart with what belongs to it: range, chips, notes, events. */

import { html, useEffect, useRef, useState } from "./html.js";
import { Chart } from "./chart.js";
import { Chips } from "./chips.js";
import { Events } from "./events.js";
import { RangeBar } from "./rangebar.js";
import { formatClock, formatTime } from "./format.js";
import { app, useApp } from "./state.js";
import { edges, show } from "./timeline.js";

const CHIPS_EVERY_MS = 200;
const LABEL = "Chart of the chosen datastreams. Arrow keys move, plus and minus zoom, Home follows "
  + "now. The values are in the list above.";
const HINT = "Drag to move, wheel or pinch to zoom, shift-drag to choose a stretch, double-click to "
  + "follow now.";

/** What the chart says about itself, at most five times a second. */
function useStatus(chart) {
  const [status, setStatus] = useState({ busy: false, error: null, cursor: null, revision: 0 });
  useEffect(() => {
    if (!chart) return undefined;
    let last = 0;
    let timer = 0;
    const update = () => {
      timer = 0;
      last = performance.now();
      setStatus({ ...chart.status.get() });
    };
    const soon = (state, before) => {
      if (state.cursor !== before.cursor || performance.now() - last > CHIPS_EVERY_MS) {
        clearTimeout(timer);
        update();
      } else timer ||= setTimeout(update, CHIPS_EVERY_MS);
    };
    update();
    return chart.status.subscribe(soon);
  }, [chart]);
  return status;
}

/** Said over an empty chart: where the data is, with one button to go there. */
function NoData({ chart, picked }) {
  const latest = useApp((state) => state.latest);
  const utc = useApp((state) => state.utc);
  const { from, to, follows } = edges();
  const numeric = [...chart.traces.values()].filter((trace) => !trace.isText);
  const isEmpty = numeric.length > 0 && numeric.every((trace) => !trace.reach(from, to));
  if (!isEmpty || chart.status.get().busy) return null;
  const newest = Math.max(...picked.map((id) => latest.get(id)?.time ?? -Infinity));
  if (newest === -Infinity) {
    return html`<div class="no-data">Nothing was stored for these datastreams yet.</div>`;
  }
  const isOutside = newest < from || newest >= to;
  const goThere = () => show(newest - (to - from) * 0.9, newest + (to - from) * 0.1);
  return html`<div class="no-data">
    <p>No values ${follows ? "in this time" : "between these times"}.
      ${isOutside ? ` The newest is of ${formatTime(newest, utc)}.` : ""}</p>
    ${isOutside && html`<button onClick=${goThere}>Go there</button>`}
  </div>`;
}

function NothingChosen() {
  return html`<div class="no-data">
    <p>Choose datastreams to see them here.</p>
    <button class="only-phone" onClick=${() => app.set({ view: "streams" })}>Choose</button>
  </div>`;
}

function Notes({ status: { busy, error, cursor } }) {
  const utc = useApp((state) => state.utc);
  return html`<div class="chart-notes" aria-live="polite">
    ${error && html`<span class="bad-text">${error}</span>`}
    ${busy && html`<span class="busy">reading \u2026</span>`}
    ${cursor !== null && html`<span class="cursor-time" aria-live="off">
      ${formatClock(cursor, utc, cursorDecimals())}</span>`}
  </div>`;
}

function cursorDecimals() {
  const { from, to } = edges();
  if (to - from < 10e6) return 6;
  return to - from < 3600e6 ? 3 : 0;
}

export function ChartView({ isShown }) {
  const area = useRef(null);
  const [chart, setChart] = useState(null);
  const picked = useApp((state) => state.picked);
  const status = useStatus(chart);
  useEffect(() => {
    const made = new Chart(area.current);
    window.penstock.chart = made;
    setChart(made);
  }, []);
  return html`<section class="view chart-view" hidden=${!isShown} aria-label="Chart">
    <${RangeBar} />
    <${Chips} chart=${chart} cursor=${status.cursor} />
    <div class="chart-frame">
      <div class="chart-area" ref=${area} tabindex="0" role="img" aria-label=${LABEL}></div>
      ${chart && picked.length > 0 && html`<${NoData} chart=${chart} picked=${picked} />`}
      ${picked.length === 0 && html`<${NothingChosen} />`}
      <${Notes} status=${status} />
    </div>
    ${chart && html`<${Events} chart=${chart} />`}
    <p class="hint">${HINT}</p>
  </section>`;
}
