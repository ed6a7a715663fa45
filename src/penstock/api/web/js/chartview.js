/** The chart with what belongs to it: range buttons, chips with values, events, downloads. */

import { html, useEffect, useRef, useState } from "./html.js";
import { Icon } from "./icons.js";
import { Chart } from "./chart.js";
import { Downloads } from "./download.js";
import { Events } from "./events.js";
import { RangeForm } from "./rangeform.js";
import { formatClock, formatDate, formatNumber, formatTime, formatValue, shortName, unitText, zoneName } from "./format.js";
import { look, shownTheme } from "./palette.js";
import { PRESETS, parseSpan, readableSpan } from "./spans.js";
import { app, togglePicked, useApp } from "./state.js";
import { edges, follow, followAgain, pan, show, zoom } from "./timeline.js";

const CHIPS_EVERY_MS = 200;
const DAY_US = 86400e6;

/** What the chart says about itself, at most five times a second. */
function useStatus(chart) {
  const [status, setStatus] = useState(null);
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

/** A fixed stretch in words, no finer than it needs to be. */
function stretchText({ from, to }, utc) {
  const [first, last] = [formatDate(from, utc), formatDate(to, utc)];
  const span = readableSpan(to - from);
  if (to - from > 2 * DAY_US) return `${first} \u2013 ${last} (${span})`;
  const decimals = to - from < 10e6 ? 3 : 0;
  const end = first === last ? formatClock(to, utc, decimals) : formatTime(to, utc, decimals);
  return `${formatTime(from, utc, decimals)} \u2013 ${end} (${span})`;
}

function RangeBar() {
  const range = useApp((state) => state.range);
  const utc = useApp((state) => state.utc);
  const [isCustom, setCustom] = useState(false);
  const choose = (name) => { setCustom(false); follow(parseSpan(name)); };
  const said = range.live ? `Following, last ${readableSpan(range.live)}` : stretchText(range, utc);
  return html`<div class="range">
    <div class="range-buttons" role="group" aria-label="Time range">
      ${PRESETS.map((name) => html`<button key=${name} class="segment" aria-pressed=${range.live === parseSpan(name)}
        onClick=${() => choose(name)}>${name}</button>`)}
      <button class="segment" aria-pressed=${!range.live} aria-expanded=${isCustom}
        onClick=${() => setCustom(!isCustom)}>custom</button>
    </div>
    <div class="range-moves">
      <button class="quiet square" aria-label="Earlier" title="Earlier" onClick=${() => pan(-0.5)}><${Icon} name="left" /></button>
      <button class="quiet square" aria-label="Later" title="Later" disabled=${Boolean(range.live)} onClick=${() => pan(0.5)}><${Icon} name="right" /></button>
      <button class="quiet square zoom" aria-label="Zoom in" title="Zoom in" onClick=${() => zoom(2)}><${Icon} name="plus" /></button>
      <button class="quiet square zoom" aria-label="Zoom out" title="Zoom out" onClick=${() => zoom(0.5)}><${Icon} name="minus" /></button>
      <button class=${`quiet go-live ${range.live ? "on" : ""}`} aria-pressed=${Boolean(range.live)}
        onClick=${() => range.live || followAgain()}>
        <span class="dot" aria-hidden="true"></span>Live</button>
      <span class="range-said" title=${`${said}, ${zoneName(utc)}`}>${said} · ${zoneName(utc)}</span>
      <${Downloads} />
    </div>
    ${isCustom && html`<${RangeForm} close=${() => setCustom(false)} />`}
  </div>`;
}

function Chip({ id, position, chart, cursor, theme }) {
  const info = useApp((state) => state.infos.get(id));
  const latest = useApp((state) => state.latest.get(id));
  const trace = chart?.traces.get(id);
  const { from, to } = edges();
  const point = cursor === null ? null : trace?.nearest(cursor, (to - from) / 40);
  const extent = trace && !trace.isText ? trace.extent(from, to) : null;
  const unit = unitText(info?.unit);
  const { colour, dash } = look(position, theme);
  const value = cursor === null || trace?.isText ? formatValue(latest, info?.observation_type) : formatNumber(point?.value);
  return html`<li class="chip">
    <svg class="swatch" viewBox="0 0 22 10" aria-hidden="true">
      <line x1="0" y1="5" x2="22" y2="5" stroke=${colour} stroke-width="3" stroke-dasharray=${dash.join(" ")} />
    </svg>
    <span class="chip-name" title=${info?.name ?? ""}>${info
      ? html`${shortName(info)} <span class="chip-thing">${info.thing}</span>` : `Datastream ${id}`}</span>
    <span class="chip-row"><span class="chip-value" title=${value}>${value}<span class="chip-unit">${unit}</span></span>
    <span class="chip-extent">${extent
      ? html`<span>min ${formatNumber(extent.min, 4)}</span><span>max ${formatNumber(extent.max, 4)}</span><span>avg ${formatNumber(extent.mean, 3)}</span>`
      : html`<span>${info && !trace?.isText ? "no values in view" : "\u00a0"}</span>`}</span></span>
    <button class="quiet square chip-remove" aria-label=${`Remove ${info?.name ?? id}`} onClick=${() => togglePicked(id)}><${Icon} name="close" /></button>
  </li>`;
}

/** Said over an empty chart: where the data is, with one button to go there. */
function NoData({ chart, picked }) {
  const latest = useApp((state) => state.latest);
  const utc = useApp((state) => state.utc);
  const { from, to, follows } = edges();
  const isEmpty = [...chart.traces.values()].every((trace) => trace.isText || !trace.extent(from, to));
  const isText = [...chart.traces.values()].every((trace) => trace.isText);
  if (!isEmpty || isText || chart.status.get().busy) return null;
  const newest = Math.max(...picked.map((id) => latest.get(id)?.time ?? -Infinity));
  if (newest === -Infinity) return html`<div class="no-data">Nothing was stored for these datastreams yet.</div>`;
  const isOutside = newest < from || newest >= to;
  return html`<div class="no-data">
    <p>No values ${follows ? "in this time" : "between these times"}.${isOutside ? ` The newest is of ${formatTime(newest, utc)}.` : ""}</p>
    ${isOutside && html`<button onClick=${() => show(newest - (to - from) * 0.9, newest + (to - from) * 0.1)}>Go there</button>`}
  </div>`;
}

export function ChartView({ isShown }) {
  const area = useRef(null);
  const [chart, setChart] = useState(null);
  const picked = useApp((state) => state.picked);
  const utc = useApp((state) => state.utc);
  const theme = shownTheme(useApp((state) => state.theme));
  const status = useStatus(chart);
  useEffect(() => {
    const made = new Chart(area.current);
    window.penstock.chart = made;
    setChart(made);
  }, []);
  const cursor = status?.cursor ?? null;
  return html`<section class="view chart-view" hidden=${!isShown} aria-label="Chart">
    <${RangeBar} />
    ${picked.length > 0 && html`<ul class="chips" aria-label="Datastreams on the chart">
      ${picked.map((id, position) => html`<${Chip} key=${id} id=${id} position=${position} chart=${chart} cursor=${cursor} theme=${theme} />`)}
    </ul>`}
    <div class="chart-frame">
      <div class="chart-area" ref=${area} tabindex="0" role="img"
        aria-label="Chart of the chosen datastreams. Arrow keys move, plus and minus zoom, Home follows now. The values are in the list above."></div>
      ${chart && picked.length > 0 && html`<${NoData} chart=${chart} picked=${picked} />`}
      ${picked.length === 0 && html`<div class="no-data"><p>Choose datastreams to see them here.</p>
        <button class="only-phone" onClick=${() => app.set({ view: "streams" })}>Choose</button></div>`}
      <div class="chart-notes" aria-live="polite">
        ${status?.error && html`<span class="bad-text">${status.error}</span>`}
        ${status?.busy && html`<span class="busy">reading \u2026</span>`}
        ${cursor !== null && html`<span class="cursor-time">${formatClock(cursor, utc, cursorDecimals())}</span>`}
      </div>
    </div>
    ${chart && html`<${Events} chart=${chart} revision=${status?.revision} />`}
    <p class="hint">Drag to move, wheel or pinch to zoom, shift-drag to choose a stretch, double-click to follow now.</p>
  </section>`;
}

function cursorDecimals() {
  const { from, to } = edges();
  return to - from < 10e6 ? 6 : to - from < 3600e6 ? 3 : 0;
}
