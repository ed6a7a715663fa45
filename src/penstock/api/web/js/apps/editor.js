/** One app: its SQL and terms, checked while one types, tried on the past, and kept. */

import { html, useEffect, useRef, useState } from "../html.js";
import { Field, Said } from "../form.js";
import { useDoing } from "../loading.js";
import { addApp, backtest, changeApp, explain } from "./api.js";
import { Plot, Rows } from "./answer.js";

const SETTLE_MS = 500;
const EXAMPLE = `SELECT window_start, window_end, name, AVG(result) AS mean
FROM TABLE(TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, name`;
const NEW = { name: "", sql: EXAMPLE, description: "", lateness_s: 2, idle_s: 30, reach_s: 3600, start: "now" };
const SPANS = { "now-5m": "last 5 minutes", "now-1h": "last hour", "now-1d": "last day", "now-7d": "last week" };

/** What the server says of the SQL: `{meaning, problem}`, a moment after the last change. */
function useMeaning(spec) {
  const [state, setState] = useState({ meaning: null, problem: "" });
  useEffect(() => {
    let isOver = false;
    const timer = setTimeout(async () => {
      const { sql, system, reach_s } = spec;
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
  }, [spec.sql, spec.reach_s]);
  return state;
}

/** The line that an error speaks of, with its place marked. */
function Mistake({ sql, problem }) {
  const place = /^line (\d+), column (\d+): /.exec(problem);
  const line = place ? sql.split("\n")[place[1] - 1] ?? "" : "";
  const at = place ? place[2] - 1 : 0;
  return html`<div class="things-mistake" role="alert">
    ${place && html`<code>${line.slice(0, at)}<mark>${/^\w+|./.exec(line.slice(at))?.[0] ?? "\u00a0"}</mark>${line.slice(at + (/^\w+|./.exec(line.slice(at))?.[0].length ?? 0))}</code>`}
    <span class="bad-text">${problem}</span>
  </div>`;
}

function Meaning({ meaning }) {
  const grid = meaning.grid_us > 1 ? `in slices of ${meaning.grid_us / 1e6} s` : "when the watermark has passed";
  return html`<p class="muted small">Reads ${meaning.sources.join(", ")}; answers ${meaning.is_rowwise ? "row by row" : grid}. Columns: ${meaning.columns.map((column) => html` <span key=${column.name} class="chip-like">${column.name} <em>${column.is_key ? "key" : column.kind}${column.unit ? `, ${column.unit}` : ""}</em></span>`)}</p>`;
}

function Backtest({ spec, isValid }) {
  const [from, setFrom] = useState("now-5m");
  const [found, setFound] = useState(null);
  const [share, setShare] = useState(null);
  const doing = useDoing();
  const leave = useRef(null);
  useEffect(() => () => leave.current?.abort(), []);
  const run = () => doing.run(async () => {
    leave.current = new AbortController();
    setShare(0);
    let columns = [];
    const values = [];
    try {
      const { sql, system, lateness_s, idle_s, reach_s } = spec;
      await backtest({ sql, lateness_s, idle_s, reach_s, from, ...(system ? { system } : {}) }, (said) => {
        if (said.columns) columns = said.columns;
        if (said.values) said.values.forEach((more, at) => { values[at] = (values[at] ?? []).concat(more); });
        if (said.progress !== undefined) setShare(said.progress);
      }, leave.current.signal);
    } finally {
      setShare(null);
    }
    setFound({ columns, values: columns.map((_, at) => values[at] ?? []), count: values[0]?.length ?? 0 });
  }, "");
  return html`<div class="inline-form">
      <${Field} as="select" label="Try it on" value=${from} onValue=${setFrom}>
        ${Object.entries(SPANS).map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}
      <//>
      <button onClick=${run} disabled=${!isValid || doing.isBusy}>Backtest</button>
      ${share !== null && html`<progress max="1" value=${share} aria-label="How far the backtest is"></progress>
        <button onClick=${() => leave.current?.abort()}>Cancel</button>`}
    </div>
    <${Said} doing=${doing} />
    ${found && html`<${Plot} ...${found} /><${Rows} ...${found} />`}`;
}

export function Editor({ held, close }) {
  const [spec, setSpec] = useState(held?.spec ?? NEW);
  const doing = useDoing();
  const { meaning, problem } = useMeaning(spec);
  const set = (name) => (value) => setSpec((now) => ({ ...now, [name]: value }));
  const seconds = (name) => (value) => set(name)(Number(value));
  const keep = async () => {
    const work = held ? () => changeApp(held.id, spec, held.version) : () => addApp(spec);
    if (await doing.run(work)) close();
  };
  return html`<section class="card apps-editor" aria-label=${held ? `App ${held.spec.name}` : "New app"}>
    <div class="actions"><h2>${held ? held.spec.name : "New app"}</h2>
      ${held && html`<span class="muted">version ${held.version}</span>`}</div>
    <div class="inline-form">
      ${!held && html`<${Field} label="Name" value=${spec.name} onValue=${set("name")} placeholder="minute-means" />`}
      <${Field} label="Description" value=${spec.description} onValue=${set("description")} />
      <${Field} label="Lateness (s)" type="number" min="0" value=${spec.lateness_s} onValue=${seconds("lateness_s")} />
      <${Field} label="Idle (s)" type="number" min="0" value=${spec.idle_s} onValue=${seconds("idle_s")} />
    </div>
    <${Field} as="textarea" label="SQL" rows="8" class="apps-sql" value=${spec.sql} onValue=${set("sql")} aria-invalid=${Boolean(problem)} />
    ${problem && html`<${Mistake} sql=${spec.sql} problem=${problem} />`}
    ${meaning && html`<${Meaning} meaning=${meaning} />`}
    <div class="actions">
      <button class="primary" disabled=${!meaning || !spec.name || doing.isBusy} onClick=${keep}>${held ? "Save" : "Make the app"}</button>
      <button onClick=${close}>Close</button>
    </div>
    <${Said} doing=${doing} />
    <${Backtest} spec=${spec} isValid=${Boolean(meaning)} />
  </section>`;
}
