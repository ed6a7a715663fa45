/** One app: its SQL and terms, checked while one types, tried on the past, and kept. */

import { html, useEffect, useRef, useState } from "../html.js";
import { Field, Said } from "../form.js";
import { Mistake } from "../mistake.js";
import { useDoing } from "../loading.js";
import { readableSpan } from "../spans.js";
import { addApp, changeApp, explain } from "./api.js";
import { Backtest } from "./backtest.js";
import { completed, NEW, System, Terms } from "./terms.js";

const SETTLE_MS = 500;
/** What the server says of the SQL: `{meaning, problem}`, a moment after the last change. */
function useMeaning(spec) {
  const [state, setState] = useState({ meaning: null, problem: "" });
  useEffect(() => {
    let isOver = false;
    const timer = setTimeout(async () => {
      const { sql, system, reach_s } = completed(spec);
      try {
        const meaning = await explain({ sql, reach_s, ...(system ? { system } : {}) });
        if (!isOver) setState({ meaning, problem: "" });
      } catch (error) {
        if (!isOver) setState({ meaning: null, problem: error.message });
      }
    }, SETTLE_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [spec.sql, spec.system, spec.reach_s]);
  return state;
}

function Meaning({ meaning }) {
  const grid = meaning.grid_us > 1 ? `in slices of ${readableSpan(meaning.grid_us)}` : "when the watermark has passed";
  return html`<p class="muted small">Reads ${meaning.sources.join(", ")}; answers ${meaning.is_rowwise ? "row by row" : grid}. Columns: ${meaning.columns.map((column) => html` <span key=${column.name} class="chip-like">${column.name} <em>${column.is_key ? "key" : column.kind}${column.unit ? `, ${column.unit}` : ""}</em></span>`)}</p>`;
}

export function Editor({ held, spec: given, close }) {
  const [spec, setSpec] = useState(given ?? held?.spec ?? NEW);
  const doing = useDoing();
  const place = useRef(null);
  const { meaning, problem } = useMeaning(spec);
  const set = (name) => (value) => setSpec((now) => ({ ...now, [name]: value }));
  // Where it opens is where one types next, wherever the list was scrolled to.
  useEffect(() => {
    place.current.scrollIntoView({ block: "start" });
    place.current.querySelector(held ? "textarea" : "input").focus();
  }, []);
  const keep = async () => {
    const kept = completed(spec);
    const work = held ? () => changeApp(held.id, kept, held.version) : () => addApp(kept);
    if (await doing.run(work)) close();
  };
  const isTopicless = spec.output.kind === "topic" && !spec.output.topic.trim();
  const missing = (!spec.name && "It needs a name.") || (isTopicless && "It needs a topic.") || "";
  return html`<section ref=${place} class="card apps-editor" aria-label=${held ? `App ${held.spec.name}` : "New app"}>
    <div class="actions"><h2>${held ? held.spec.name : "New app"}</h2>
      ${held && html`<span class="muted">version ${held.version}${given ? ", with what an older version said" : ""}</span>`}</div>
    <div class="inline-form">
      ${!held && html`<${Field} label="Name" value=${spec.name} onValue=${set("name")} placeholder="minute-means" maxlength="63" hint="Letters, digits, - and _" />`}
      <${Field} label="Description" value=${spec.description} onValue=${set("description")} />
      ${!held && html`<${System} value=${spec.system} onValue=${set("system")} />`}
    </div>
    <${Field} as="textarea" label="SQL" rows="8" class="apps-sql" value=${spec.sql} onValue=${set("sql")} aria-invalid=${Boolean(problem)} />
    ${problem && html`<${Mistake} sql=${spec.sql} problem=${problem} />`}
    ${meaning && html`<${Meaning} meaning=${meaning} />`}
    <${Terms} spec=${spec} set=${set} />
    <div class="actions">
      <button class="primary" disabled=${!meaning || missing || doing.isBusy} onClick=${keep}>${held ? "Save" : "Make the app"}</button>
      <button onClick=${close}>Close</button>
      ${missing && html`<span class="muted">${missing}</span>`}
    </div>
    <${Said} doing=${doing} />
    <${Backtest} spec=${completed(spec)} isValid=${Boolean(meaning)} />
  </section>`;
}
