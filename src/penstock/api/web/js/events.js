/** Text and JSON results of the shown stretch, newest first, as a table below the chart. */

import { html } from "./html.js";
import { formatTime } from "./format.js";
import { useApp } from "./state.js";
import { edges } from "./timeline.js";

const SHOWN = 200;

export function Events({ chart }) {
  const infos = useApp((state) => state.infos);
  const utc = useApp((state) => state.utc);
  const { from, to } = edges();
  const texts = [...chart.traces.values()].filter((trace) => trace.events.length || trace.isText);
  if (texts.length === 0) return null;
  const rows = texts
    .flatMap((trace) => trace.events.map((event) => ({ ...event, id: trace.id })))
    .filter((event) => event.time >= from && event.time < to)
    .sort((a, b) => b.time - a.time)
    .slice(0, SHOWN);
  return html`<div class="events" tabindex="0" aria-label="Text results">
    <table>
      <thead><tr>
        <th scope="col">Time</th><th scope="col">Datastream</th><th scope="col">Result</th>
      </tr></thead>
      <tbody>
        ${rows.map((row) => html`<tr key=${`${row.id} ${row.time}`}>
          <td class="number">${formatTime(row.time, utc, 3)}</td>
          <td>${infos.get(row.id)?.name ?? row.id}</td><td class="text">${row.text}</td>
        </tr>`)}
        ${rows.length === 0 && html`<tr>
          <td colspan="3" class="nothing">No text results in this time.</td></tr>`}
      </tbody>
    </table>
  </div>`;
}
