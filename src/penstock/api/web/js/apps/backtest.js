/** A query tried on the past: nothing is kept. */

import { html, useEffect, useRef, useState } from "../html.js";
import { Field, Said } from "../form.js";
import { useDoing } from "../loading.js";
import { backtest } from "./api.js";
import { Plot, Rows } from "./answer.js";

const SPANS = { "now-5m": "last 5 minutes", "now-1h": "last hour", "now-1d": "last day", "now-7d": "last week" };

export function Backtest({ spec, isValid }) {
  const [from, setFrom] = useState("now-5m");
  const [found, setFound] = useState(null);
  const [share, setShare] = useState(null);
  const doing = useDoing();
  const leave = useRef(null);
  useEffect(() => () => leave.current?.abort(), []);
  const run = () => doing.run(async () => {
    leave.current = new AbortController();
    setShare(0);
    setFound(null);
    let columns = [];
    const values = [];
    let reached = 0;
    let isCancelled = false;
    try {
      const { sql, system, lateness_s, idle_s, reach_s } = spec;
      await backtest({ sql, lateness_s, idle_s, reach_s, from, ...(system ? { system } : {}) }, (said) => {
        if (said.columns) columns = said.columns;
        if (said.values) said.values.forEach((more, at) => { values[at] = (values[at] ?? []).concat(more); });
        if (said.progress !== undefined) setShare(reached = said.progress);
      }, leave.current.signal);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      isCancelled = true;
    } finally {
      setShare(null);
    }
    setFound({ columns, values: columns.map((_, at) => values[at] ?? []), count: values[0]?.length ?? 0 });
    return isCancelled ? `Cancelled at ${Math.floor(reached * 100)} % of the range. What was found until then:` : "";
  }, (said) => said);
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
