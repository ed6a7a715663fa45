/** Where a device was, drawn without a map: the path, its start and end, a scale. */

import { html, useState } from "../html.js";
import { formatClock, formatDate } from "../format.js";
import { useLoaded } from "../loading.js";
import { useApp } from "../state.js";
import { readTrack } from "./api.js";

const EVERY_MS = 5000;
const PLACES = 2000;
const [WIDTH, HEIGHT, MARGIN] = [640, 300, 26];
const EARTH_M = 6371008.8;
const RAD = Math.PI / 180;
/** What is smaller than this is drawn as one place. */
const LEAST_M = 5;
const TIMES = { "now-1h": "last hour", "now-1d": "last day", "now-7d": "last week", "": "all time" };

/** Metres east and north of the first place; good for tracks much smaller than the Earth. */
export function toMetres(positions) {
  const [lon0, lat0] = positions[0];
  const middle = positions.reduce((sum, [, lat]) => sum + lat, 0) / positions.length;
  const east = (lon) => ((lon - lon0 + 540) % 360) - 180;
  return positions.map(([lon, lat]) =>
    [east(lon) * RAD * EARTH_M * Math.cos(middle * RAD), (lat - lat0) * RAD * EARTH_M]);
}

/** Way along all places, metres. */
export const wayOf = (metres) => metres.slice(1).reduce((sum, [x, y], at) =>
  sum + Math.hypot(x - metres[at][0], y - metres[at][1]), 0);

export const lengthText = (metres) => {
  if (metres < 1000) return `${Math.round(metres)} m`;
  return metres < 100e3 ? `${Number((metres / 1000).toPrecision(3))} km` : `${Math.round(metres / 1000)} km`;
};

/** A round length (1, 2 or 5 times a power of ten) not above `most`. */
export function roundLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].find((step) => step * power <= most) * power;
}

/** Fit metres into the picture: `{points, scale}` in pixels and pixels per metre. */
export function fit(metres) {
  const [xs, ys] = [metres.map(([x]) => x), metres.map(([, y]) => y)];
  const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const scale = Math.min((WIDTH - 2 * MARGIN) / Math.max(right - left, LEAST_M * 8),
    (HEIGHT - 2 * MARGIN) / Math.max(high - low, LEAST_M * 4));
  const points = metres.map(([x, y]) => [
    WIDTH / 2 + (x - (left + right) / 2) * scale, HEIGHT / 2 - (y - (low + high) / 2) * scale,
  ]);
  return { points, scale };
}

const placeText = ([lon, lat]) =>
  `${Math.abs(lat).toFixed(5)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(5)}° ${lon < 0 ? "W" : "E"}`;

function Picture({ positions, way }) {
  const { points, scale } = fit(toMetres(positions));
  const bar = roundLength((WIDTH / 4) / scale);
  const at = ([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  const [start, end] = [points[0], points.at(-1)];
  return html`<svg class="track" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img"
      aria-label=${`Track of ${lengthText(way)}, from ${placeText(positions[0])} to ${placeText(positions.at(-1))}`}>
    <path class="track-path" d=${`M${points.map(at).join("L")}`} />
    <circle class="track-start" cx=${start[0]} cy=${start[1]} r="5" />
    <circle class="track-end" cx=${end[0]} cy=${end[1]} r="6" />
    <path class="track-scale" d=${`M${MARGIN} ${HEIGHT - 18}v6h${(bar * scale).toFixed(1)}v-6`} />
    <text x=${MARGIN + bar * scale + 8} y=${HEIGHT - 11}>${lengthText(bar)}</text>
    <path class="track-scale" d=${`M${WIDTH - MARGIN} ${MARGIN + 12}v-18m-4 6l4 -6l4 6`} />
    <text x=${WIDTH - MARGIN - 16} y=${MARGIN + 8}>N</text>
  </svg>`;
}

export function TrackCard({ device }) {
  const utc = useApp((state) => state.utc);
  const [from, setFrom] = useState("now-1d");
  const found = useLoaded(() => readTrack(device, from, PLACES), [device.name, device.system, from], EVERY_MS);
  const track = found.data;
  const isAnywhere = Boolean(track?.position.length);
  if (!isAnywhere && !device.location) return null;
  const when = (timeUs) => `${formatDate(timeUs, utc)} ${formatClock(timeUs, utc)}`;
  const way = isAnywhere ? wayOf(toMetres(track.position)) : 0;
  return html`<section class="card" aria-label="Track">
    <div class="actions"><h2>Track</h2>
      <label class="pick"><select aria-label="Time of the track" value=${from} onChange=${(event) => setFrom(event.currentTarget.value)}>
        ${Object.entries(TIMES).map(([value, said]) => html`<option key=${value} value=${value}>${said}</option>`)}
      </select></label></div>
    ${found.error && html`<p class="bad-text">${found.error.message}</p>`}
    ${isAnywhere && html`<${Picture} positions=${track.position} way=${way} />`}
    ${isAnywhere && track.position.length > 1 && html`<p class="muted">
      <span class="track-key start"></span>${when(track.time_us[0])}
      <span class="track-key end"></span>${when(track.time_us.at(-1))} · ${lengthText(way)}</p>`}
    ${track && !isAnywhere && html`<p class="muted">It said nothing about where it was in this time.</p>`}
    <p class="muted">${device.location ? `Last at ${placeText(device.location)}` : ""}</p>
  </section>`;
}
