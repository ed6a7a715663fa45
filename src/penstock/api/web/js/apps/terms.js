/** The terms of an app: whose it is, where its answer goes, where it begins and how long it waits. */

import { html } from "../html.js";
import { Field } from "../form.js";
import { fromInput, toInput } from "../format.js";
import { useLoaded } from "../loading.js";
import { listSystems } from "../people/api.js";
import { useApp } from "../state.js";

const EXAMPLE = `SELECT window_start, window_end, name, AVG(result) AS mean
FROM TABLE(TUMBLE(TABLE observations, DESCRIPTOR(time), INTERVAL '10' SECOND))
GROUP BY window_start, window_end, name`;

const WAITS = {
  lateness_s: ["Lateness (s)", "How long results wait for stragglers"],
  idle_s: ["Idle (s)", "A source silent for so long follows the clock"],
  reach_s: ["Reach (s)", "How far LAG, row frames, as-of joins and sessions look"],
};

/** What an app is before anything is said of it. */
export const NEW = {
  name: "", sql: EXAMPLE, description: "", system: "", start: "now", lateness_s: 2, idle_s: 30, reach_s: 3600,
  output: { kind: "datastreams", topic: "", thing: "" },
};

/** As the server takes it: numbers that were left empty are those of a new app, and so is the system. */
export function completed(spec) {
  const kept = { ...spec };
  for (const name of Object.keys(WAITS)) kept[name] = spec[name] === "" ? NEW[name] : Number(spec[name]);
  if (!kept.system) delete kept.system;
  return kept;
}

/** Which system it belongs to, where there are several. */
export function System({ value, onValue }) {
  const { data } = useLoaded(() => listSystems(), []);
  if (!data || data.length < 2) return null;
  return html`<${Field} as="select" label="System" value=${value} onValue=${onValue} hint="Whose data it may read">
    <option value="">mine</option>
    ${data.map((one) => html`<option key=${one.id} value=${one.name}>${one.name}</option>`)}
  <//>`;
}

function Output({ output, onValue }) {
  const set = (name) => (value) => onValue({ ...output, [name]: value });
  return html`<${Field} as="select" label="Output" value=${output.kind} onValue=${set("kind")}>
      <option value="datastreams">Datastreams</option><option value="topic">Messages on a topic</option><//>
    ${output.kind === "topic"
      ? html`<${Field} label="Topic" value=${output.topic} onValue=${set("topic")} placeholder="means/{name}" hint="With {column} for values of the row" />`
      : html`<${Field} label="Thing" value=${output.thing} onValue=${set("thing")} placeholder="the column thing, or the app" hint="With {column} for a key" />`}`;
}

function Start({ value, onValue }) {
  const utc = useApp((state) => state.utc);
  const isTime = !["now", "beginning"].includes(value);
  const choose = (to) => onValue(to === "time" ? new Date(Date.now() - 3600e3).toISOString() : to);
  const put = (text) => {
    const time = fromInput(text, utc);
    if (time !== null) onValue(new Date(time / 1e3).toISOString());
  };
  return html`<${Field} as="select" label="Begins" value=${isTime ? "time" : value} onValue=${choose} hint="When it is first started">
      <option value="now">now</option><option value="beginning">with the oldest data</option><option value="time">at a time</option><//>
    ${isTime && html`<${Field} label=${utc ? "Time (UTC)" : "Time"} type="datetime-local" step="1" value=${toInput(Date.parse(value) * 1e3, utc)} onValue=${put} />`}`;
}

export function Terms({ spec, set }) {
  return html`<div class="inline-form apps-terms">
    <${Output} output=${spec.output} onValue=${set("output")} />
    <${Start} value=${spec.start} onValue=${set("start")} />
    ${Object.entries(WAITS).map(([name, [label, hint]]) => html`<${Field} key=${name} label=${label} hint=${hint} type="number" min="0" step="any" value=${spec[name]} onValue=${set(name)} />`)}
  </div>`;
}
