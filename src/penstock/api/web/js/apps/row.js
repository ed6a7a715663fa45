/** An app in the list: how it fares, and what can be done with it. */

import { html, useState } from "../html.js";
import { Said } from "../form.js";
import { formatClock, formatCount, formatTime } from "../format.js";
import { useDoing, useLoaded } from "../loading.js";
import { app, useApp } from "../state.js";
import { deleteApp, readDerived, readLog, startApp, stopApp } from "./api.js";
import { Versions } from "./versions.js";

const EVERY_MS = 2000;
const MOST_PICKED = 8;
const DAY_US = 86400e6;
const TONES = { running: "ok", "catching up": "ok", failing: "warn", failed: "bad" };

const counted = (count, one, many) => `${formatCount(count)} ${count === 1 ? one : many}`;

function Log({ id }) {
  const utc = useApp((state) => state.utc);
  const found = useLoaded(() => readLog(id), [id], EVERY_MS);
  const lines = found.data?.items ?? [];
  if (found.error) return html`<p class="bad-text" role="alert">${found.error.message}</p>`;
  if (found.data && lines.length === 0) return html`<p class="muted">Nothing has happened yet.</p>`;
  return html`<ul class="apps-log" tabindex="0" aria-label="Log, newest first">${lines.map((line, at) => html`<li key=${at} class=${line.level}>
    <span class="muted number">${formatTime(line.time_us, utc)}</span> ${line.level !== "info" && html`<strong>${line.level}</strong>${" "}`}${line.message}</li>`)}</ul>`;
}

/** Figures of the run; those that are seldom anything but nothing only when they are. */
function Figures({ run }) {
  const utc = useApp((state) => state.utc);
  const upTo = run.done_us && (Date.now() * 1000 - run.done_us > DAY_US ? formatTime : formatClock)(run.done_us, utc);
  return html`<div class="apps-figures muted small">
    ${upTo && html`<span title="Event time up to which the answer is complete">complete up to ${upTo}</span>`}
    <span>${counted(run.rows_in, "row", "rows")} read</span><span>${counted(run.rows_out, "row", "rows")} given</span>
    ${run.late_rows > 0 && html`<span title="Rows that came behind the watermark">${formatCount(run.late_rows)} late</span>`}
    ${run.repairs > 0 && html`<span title="Ranges computed again for late rows">${counted(run.repairs, "repair", "repairs")}</span>`}
    ${run.too_late_rows > 0 && html`<span class="bad-text" title="They change nothing: the rows beside them have expired">${formatCount(run.too_late_rows)} too late</span>`}
    <span title="Time spent computing since it was started">${run.busy_s.toFixed(1)} s busy</span></div>`;
}

/** Asks whether the data that an app derived go with it. */
function Deleting({ one, act, cancel, isBusy }) {
  const { name } = one.spec;
  const some = counted(one.datastreams, "Datastream", "Datastreams");
  return html`<div class="apps-deleting" role="group" aria-label=${`Delete ${name}`}>
    <p>Delete <strong>${name}</strong>, its versions and its log?${one.datastreams > 0 && ` It has derived ${some}.`}</p>
    <div class="actions">
      <button class="danger" disabled=${isBusy} onClick=${() => act(false)}>${one.datastreams > 0 ? "Delete, keep the data" : "Delete it"}</button>
      ${one.datastreams > 0 && html`<button class="danger" disabled=${isBusy} onClick=${() => act(true)}>Delete with ${some}</button>`}
      <button onClick=${cancel}>Keep it</button>
    </div></div>`;
}

export function Row({ one, edit, reload }) {
  const [open, setOpen] = useState(null);
  const doing = useDoing();
  const { spec, run } = one;
  const act = async (work) => {
    await doing.run(work);
    reload();
  };
  const chart = () => doing.run(async () => {
    const { datastreams } = await readDerived(one.id);
    app.set({ picked: datastreams.slice(0, MOST_PICKED), view: "chart" });
  });
  const state = run?.state ?? one.state;
  const toggle = (part) => () => setOpen(open === part ? null : part);
  const opener = (part, label) => html`<button onClick=${toggle(part)} aria-expanded=${open === part} aria-label=${`${label} of ${spec.name}`}>${label}</button>`;
  return html`<li data-app=${spec.name}>
    <div class="apps-line">
      <div class="apps-about">
        <div class="apps-head"><strong>${spec.name}</strong> <span class=${`apps-state ${TONES[state] ?? ""}`}>${state}</span>
          ${spec.output.kind === "topic" && html`<span class="muted small">to topic <code>${spec.output.topic}</code></span>`}</div>
        ${spec.description && html`<p class="muted apps-description">${spec.description}</p>`}
        ${run?.message && html`<p class="bad-text">${run.message}</p>`}
        ${run && html`<${Figures} run=${run} />`}
      </div>
      <div class="actions">
        ${one.state === "started"
          ? html`<button onClick=${() => act(() => stopApp(one.id))} disabled=${doing.isBusy} aria-label=${`Stop ${spec.name}`}>Stop</button>`
          : html`<button onClick=${() => act(() => startApp(one.id))} disabled=${doing.isBusy} aria-label=${`Start ${spec.name}`}>Start</button>`}
        <button onClick=${() => edit(one)} aria-label=${`Edit ${spec.name}`}>Edit</button>
        ${one.datastreams > 0 && html`<button onClick=${chart} aria-label=${`Chart of ${spec.name}`}
          title=${one.datastreams > MOST_PICKED ? `The first ${MOST_PICKED} of ${one.datastreams} Datastreams` : undefined}>Chart</button>`}
        ${opener("log", "Log")}${opener("versions", "Versions")}
        <button class="mild" onClick=${toggle("delete")} aria-expanded=${open === "delete"} aria-label=${`Delete ${spec.name}`}>Delete</button>
      </div>
    </div>
    <${Said} doing=${doing} />
    ${open === "log" && html`<${Log} id=${one.id} />`}
    ${open === "versions" && html`<${Versions} one=${one} edit=${(old) => edit(one, old)} />`}
    ${open === "delete" && html`<${Deleting} one=${one} isBusy=${doing.isBusy} cancel=${() => setOpen(null)}
      act=${(withData) => act(() => deleteApp(one.id, withData))} />`}
  </li>`;
}
