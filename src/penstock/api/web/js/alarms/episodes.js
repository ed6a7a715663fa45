/** Episodes of alarms drawn over what was measured, and beside each other. */

import { html, useEffect, useRef, useState } from "../html.js";
import { formatCount, formatNumber, formatTime, timeTicks } from "../format.js";
import { Name } from "../names.js";
import { readBuckets } from "../observations.js";
import { shownTheme } from "../palette.js";
import { bucketWidth } from "../spans.js";
import { useApp } from "../state.js";
import uPlot from "../../vendor/uplot/uPlot.esm.js";

const HEIGHT = 190;
const BUCKETS = 500;
const LANES = 40;

/** Means of a datastream over a range, as far as there are any: `{data, error}`. */
function useSeries(id, from, to) {
  const [state, setState] = useState({ data: null, error: "" });
  useEffect(() => {
    const abort = new AbortController();
    const width = bucketWidth(to - from, BUCKETS);
    const start = Math.floor(from / width) * width;
    readBuckets([id], start, Math.ceil(to / width) * width, width, abort.signal).then((found) => {
      const { times = [], min = [], max = [], mean = [] } = found.get(id) ?? {};
      const seconds = Array.from(times, (time) => (time + width / 2) / 1e6);
      setState({ data: [seconds, Array.from(mean), Array.from(min), Array.from(max)], error: "" });
    }, (error) => abort.signal.aborted || setState({ data: null, error: error.message }));
    return () => abort.abort();
  }, [id, from, to]);
  return state;
}

/** Paint episodes behind the lines; where nobody was told they are only hatched. */
function paint(u, episodes, end, style) {
  const { ctx, bbox } = u;
  const colour = style.getPropertyValue("--bad");
  const x = (timeUs) => Math.min(Math.max(u.valToPos(timeUs / 1e6, "x", true), bbox.left), bbox.left + bbox.width);
  ctx.save();
  for (const { span, suppressed, is_told: isTold, flapping } of episodes) {
    const [left, right] = [x(span.raised_us), x(span.cleared_us ?? end)];
    const width = Math.max(2, right - left);
    ctx.fillStyle = colour;
    ctx.globalAlpha = isTold === false || flapping ? 0.08 : 0.24;
    ctx.fillRect(left, bbox.top, width, bbox.height);
    ctx.globalAlpha = 1;
    ctx.fillRect(left, bbox.top, width, 3 * devicePixelRatio);
    ctx.fillStyle = style.getPropertyValue("--surface");
    ctx.globalAlpha = 0.7;
    for (const [start, until] of suppressed ?? []) {
      for (let at = x(start); at < x(until); at += 8) ctx.fillRect(at, bbox.top, 4, bbox.height);
    }
  }
  ctx.restore();
}

function draw(host, data, episodes, from, to, utc) {
  const style = getComputedStyle(host);
  const grid = { stroke: style.getPropertyValue("--grid"), width: 1 };
  const axis = { stroke: style.getPropertyValue("--text-2"), grid, ticks: grid, font: "11px system-ui, sans-serif" };
  const line = style.getPropertyValue("--accent");
  const faint = { stroke: line, width: 0.5, points: { show: false } };
  const ticks = (_, splits, axisAt, space, step) => timeTicks(splits.map((s) => s * 1e6), step * 1e6, utc);
  const plot = new uPlot({
    width: host.clientWidth, height: HEIGHT,
    scales: { x: { time: true, range: [from / 1e6, to / 1e6] } },
    series: [{}, { stroke: line, width: 1.5, points: { show: data[0].length < 60, size: 4 } }, faint, faint],
    bands: [{ series: [3, 2], fill: `color-mix(in srgb, ${line} 18%, transparent)` }],
    tzDate: (s) => (utc ? uPlot.tzDate(new Date(s * 1e3), "Etc/UTC") : new Date(s * 1e3)),
    axes: [{ ...axis, values: ticks, space: 70 }, { ...axis, size: 56, values: (_, splits) => splits.map((s) => formatNumber(s)) }],
    legend: { show: false }, cursor: { show: false },
    hooks: { drawClear: [(u) => paint(u, episodes, to, style)] },
  }, data, host);
  const fit = new ResizeObserver(() => host.isConnected && plot.setSize({ width: host.clientWidth, height: HEIGHT }));
  fit.observe(host);
  return () => {
    fit.disconnect();
    plot.destroy();
  };
}

/** A datastream over a range, with the episodes of one alarm over it. */
export function EpisodeChart({ datastream, name, episodes, from, to }) {
  const host = useRef(null);
  const utc = useApp((state) => state.utc);
  const theme = shownTheme(useApp((state) => state.theme));
  const { data, error } = useSeries(datastream, from, to);
  const drawn = JSON.stringify(episodes.map(({ span, suppressed }) => [span.raised_us, span.cleared_us, suppressed]));
  useEffect(() => (data?.[0].length ? draw(host.current, data, episodes, from, to, utc) : undefined), [data, drawn, theme, utc]);
  if (error) return html`<p class="bad-text">${error}</p>`;
  if (data && data[0].length === 0) return html`<p class="muted">Nothing that could be drawn was measured here.</p>`;
  return html`<div class="episode-plot" ref=${host} role="img" aria-label=${`${name} with ${episodes.length} episodes`}></div>`;
}

const quietText = (one) => (one.flapping ? " (nobody told: flapping)" : one.is_told === false ? " (nobody told: suppressed)" : "");

/** Each subject has a lane; the width of a bar is how long the alarm would have been active. */
export function Lanes({ found, subject, pick }) {
  const utc = useApp((state) => state.utc);
  const byKey = Map.groupBy(found.episodes, (one) => one.key);
  const lanes = [...byKey].slice(0, LANES);
  const range = found.end_us - found.start_us;
  const at = (time) => (100 * (Math.min(Math.max(time, found.start_us), found.end_us) - found.start_us)) / range;
  const bar = (from, to, name, title) => {
    const left = Math.min(at(from), 99.7);
    return html`<rect key=${`${name} ${from}`} class=${name} x=${left} y="1" width=${Math.max(0.3, at(to) - left)} height="8"><title>${title}</title></rect>`;
  };
  return html`<div class="lanes" role="group" aria-label=${`${found.count} episodes of ${found.keys} subjects`}>
    ${lanes.map(([key, some]) => html`<button class="lane" key=${key} aria-pressed=${key === subject} onClick=${() => pick(key)}
        aria-label=${`${some[0].subject}: ${some.length} episodes`}><span class="lane-name"><${Name} text=${some[0].subject} /></span>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">${some.map((one) => [
        bar(one.span.raised_us, one.span.cleared_us ?? found.end_us, one.is_told ? "told" : "quiet", `${one.message}${quietText(one)}`),
        ...one.suppressed.map(([start, end]) => bar(start, end, "quiet", "suppressed")),
      ])}</svg></button>`)}
    <div class="lane-ends muted"><span>${formatTime(found.start_us, utc)}</span><span>${formatTime(found.end_us, utc)}</span></div>
    ${found.told < found.count || found.suppressed_s > 0 ? html`<p class="lane-legend muted"><span><i></i>people are told</span><span class="quiet"><i></i>nobody is told: suppressed or flapping</span></p>` : null}
    ${byKey.size > LANES && html`<p class="muted small">and ${formatCount(found.keys - LANES)} more subjects</p>`}
  </div>`;
}
