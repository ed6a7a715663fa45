/** Stream apps: which there are and how they fare; and a console for questions in SQL. */

import { html, useState } from "../html.js";
import { Field, Said, Sure } from "../form.js";
import { formatCount, formatTime } from "../format.js";
import { useDoing, useLoaded } from "../loading.js";
import { readableSpan } from "../spans.js";
import { app, useApp } from "../state.js";
import { ask, deleteApp, listApps, readDerived, readLog, startApp, stopApp } from "./api.js";
import { Rows } from "./answer.js";
import { Editor } from "./editor.js";

const EVERY_MS = 2000;
const MOST_PICKED = 8;
const QUESTION = "SELECT name, COUNT(*) AS n, AVG(result) AS mean\nFROM observations\nGROUP BY name ORDER BY n DESC LIMIT 20";

function Log({ id }) {
  const utc = useApp((state) => state.utc);
  const found = useLoaded(() => readLog(id), [id], EVERY_MS);
  return html`<ul class="apps-log">${(found.data?.items ?? []).map((line, at) => html`<li key=${at} class=${line.level}>
    <span class="muted">${formatTime(line.time_us, utc)}</span> ${line.message}</li>`)}</ul>`;
}

/** An app in the list; the figures are of the run. */
function Row({ one, edit, reload }) {
  const [isOpen, setOpen] = useState(false);
  const doing = useDoing();
  const { spec, run } = one;
  const isStarted = one.state === "started";
  const act = async (work) => {
    await doing.run(work);
    reload();
  };
  const chart = async () => {
    const { datastreams } = await readDerived(one.id);
    app.set({ picked: datastreams.slice(0, MOST_PICKED), view: "chart" });
  };
  const state = run?.state ?? one.state;
  const tone = { running: "ok", "catching up": "ok", failing: "warn", failed: "bad" }[state] ?? "";
  const lag = run?.done_us ? readableSpan(Math.max(0, Date.now() * 1000 - run.done_us)) : null;
  return html`<li>
    <div class="apps-head"><strong>${spec.name}</strong> <span class=${`apps-state ${tone}`}>${state}</span>
      ${run?.message && html`<span class="bad-text">${run.message}</span>`}
      <span class="muted">${spec.description}</span></div>
    ${run && html`<div class="apps-figures muted small">
      ${lag && html`<span>${lag} behind</span>`}<span>${formatCount(run.rows_in)} in</span><span>${formatCount(run.rows_out)} out</span>
      <span>${formatCount(run.repairs)} repairs</span><span>${formatCount(run.late_rows)} late</span>
      <span>${run.busy_s.toFixed(1)} s busy</span></div>`}
    <div class="actions">
      ${isStarted
        ? html`<button onClick=${() => act(() => stopApp(one.id))} disabled=${doing.isBusy} aria-label=${`Stop ${spec.name}`}>Stop</button>`
        : html`<button class="primary" onClick=${() => act(() => startApp(one.id))} disabled=${doing.isBusy} aria-label=${`Start ${spec.name}`}>Start</button>`}
      <button onClick=${() => edit(one)} aria-label=${`Edit ${spec.name}`}>Edit</button>
      <button onClick=${() => setOpen(!isOpen)} aria-expanded=${isOpen} aria-label=${`Log of ${spec.name}`}>Log</button>
      <button onClick=${chart} disabled=${one.datastreams === 0} aria-label=${`Chart of ${spec.name}`}>Chart <span class="count">${one.datastreams}</span></button>
      <${Sure} label="Delete" sure="Delete it?" name=${`Delete ${spec.name}`} act=${() => act(() => deleteApp(one.id))} disabled=${doing.isBusy} />
    </div>
    <${Said} doing=${doing} />
    ${isOpen && html`<${Log} id=${one.id} />`}
  </li>`;
}

function Console() {
  const [sql, setSql] = useState(QUESTION);
  const [found, setFound] = useState(null);
  const doing = useDoing();
  const send = () => doing.run(async () => {
    const answer = await ask(sql);
    setFound({ columns: answer.columns, values: answer.values, count: answer.rows });
    return answer;
  }, (answer) => `${answer.took_s} s`);
  return html`<section class="card" aria-label="Questions in SQL">
    <h2>Ask in SQL</h2>
    <${Field} as="textarea" label="One SELECT" rows="5" class="apps-sql" value=${sql} onValue=${setSql} />
    <div class="actions"><button class="primary" onClick=${send} disabled=${doing.isBusy}>Ask</button></div>
    <${Said} doing=${doing} />
    ${found && html`<${Rows} ...${found} />`}
  </section>`;
}

export function AppsView({ isShown }) {
  return isShown ? html`<${Shown} />` : null;
}

function Shown() {
  const [edited, setEdited] = useState(null);
  const found = useLoaded(listApps, [], EVERY_MS);
  const items = found.data?.items ?? [];
  const close = () => {
    setEdited(null);
    found.reload();
  };
  return html`<section class="view apps-view" aria-label="Apps">
    <section class="card" aria-label="Stream apps">
      <div class="actions"><h2>Stream apps <span class="count">${found.data ? items.length : ""}</span></h2>
        <button onClick=${() => setEdited({})}>New app</button></div>
      ${found.error && html`<p class="bad-text">${found.error.message}</p>`}
      ${found.data && items.length === 0 && html`<p class="muted">No apps yet. An app is a SELECT that runs live.</p>`}
      <ul class="apps-list">${items.map((one) => html`<${Row} key=${one.id} one=${one} edit=${setEdited} reload=${found.reload} />`)}</ul>
    </section>
    ${edited && html`<${Editor} key=${edited.id ?? "new"} held=${edited.id ? edited : null} close=${close} />`}
    <${Console} />
  </section>`;
}
