/** A rule as text, with controls for what its header says, to change and to try. */

import { html, useEffect, useRef, useState } from "../html.js";
import { Field, Said, Tick } from "../form.js";
import { Mistake } from "../mistake.js";
import { checkRules } from "./api.js";
import { BacktestPanel } from "./backtest.js";
import { readHeader, sqlOf, writeHeader } from "./header.js";
import { SEVERITIES } from "./severity.js";

const EXAMPLE = `-- alarm: too-hot
-- severity: high
-- hold: 10 s
-- clear: result < 75
-- message: {thing} is at {result} {unit}
SELECT time, thing, result, unit FROM observations WHERE result > 80
`;

/** A rule to begin with, under a name that no other rule has. */
export function exampleFor(taken) {
  const name = readHeader(EXAMPLE).alarm;
  let free = name;
  for (let at = 2; taken.includes(free); at += 1) free = `${name}-${at}`;
  return writeHeader(EXAMPLE, "alarm", free);
}

const SETTLE_MS = 500;

/** What the server says is wrong with a text, a moment after the last change; "" for nothing. */
function useProblem(text) {
  const [problem, setProblem] = useState("");
  useEffect(() => {
    let isOver = false;
    const say = (what) => isOver || setProblem(what);
    const check = () => text.trim() && checkRules(text).then(() => say(""), (error) => say(error.message));
    const timer = setTimeout(check, SETTLE_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [text]);
  return text.trim() ? problem : "";
}

const list = (text = "") => text.split(",").map((one) => one.trim()).filter(Boolean);

/** Names to tick, kept as a list in the header. */
function Ticks({ label, names, chosen, set, nothing }) {
  const rest = chosen.filter((one) => !names.includes(one));
  const toggle = (name, isOn) => set((isOn ? [...chosen, name] : chosen.filter((one) => one !== name)).join(", "));
  return html`<fieldset class="rule-ticks"><legend>${label}</legend>
    ${[...names, ...rest].map((name) => html`<${Tick} key=${name} label=${name} checked=${chosen.includes(name)}
      onChange=${(isOn) => toggle(name, isOn)} />`)}
    ${names.length + rest.length === 0 && html`<span class="muted small">${nothing}</span>`}
  </fieldset>`;
}

function Controls({ text, set, rules, targets }) {
  const header = readHeader(text);
  const write = (key) => (value) => set(writeHeader(text, key, value));
  const field = (key, label, hint, more) => html`<${Field} label=${label} hint=${hint} value=${header[key] ?? ""}
    onValue=${write(key)} ...${more} />`;
  const others = rules.filter(({ spec }) => spec.name !== header.alarm && (!header.system || spec.system === header.system))
    .map(({ spec }) => spec.name);
  return html`<div class="rule-controls">
    <div class="inline-form">
      ${field("alarm", "Name", "Letters, digits, - and _", { maxlength: 63 })}
      <${Field} as="select" label="Severity" value=${header.severity ?? "medium"} onValue=${write("severity")}>
        ${SEVERITIES.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}<//>
      ${field("hold", "Raise after", "10 s, 5 min; of holding", { placeholder: "at once" })}
      ${field("clear", "Clear when", "Hysteresis: result < 75", { placeholder: "not raised" })}
      ${field("off-delay", "Return after", "10 s; of being cleared", { placeholder: "at once" })}
      ${field("flapping", "Flapping above", "Activations in 10 min; 0: no limit", { placeholder: "10", inputmode: "numeric" })}
    </div>
    <${Tick} label="Latched: it stays until somebody resets it" checked=${["yes", "true"].includes(header.latched?.toLowerCase())}
      onChange=${(isOn) => write("latched")(isOn ? "yes" : "")} />
    <${Ticks} label="Suppressed while one of these is active" names=${others} chosen=${list(header["suppressed-by"])}
      set=${write("suppressed-by")} nothing="There are no other rules." />
    ${header["suppressed-by"] && html`<div class="inline-form">${field("suppressed-on", "Only where these columns are the same", "thing; empty: everywhere")}</div>`}
    <${Ticks} label="Told: none of them means all targets" names=${targets.map((one) => one.spec.name)} chosen=${list(header.notify)}
      set=${write("notify")} nothing="There are no targets yet." />
  </div>`;
}

export function RuleEditor({ text, set, save, close, doing, rules, targets, origin }) {
  const place = useRef(null);
  const problem = useProblem(text);
  // Where it opens is where one types next, wherever the list was scrolled to.
  useEffect(() => {
    place.current.scrollIntoView({ block: "start" });
    place.current.querySelector("input").focus();
  }, []);
  const rows = Math.min(18, Math.max(7, text.split("\n").length + 1));
  const { alarm: name } = readHeader(text);
  const isOther = name !== origin && rules.some(({ spec }) => spec.name === name);
  return html`<section ref=${place} class="card rule-editor" aria-label="Rule editor">
    <h2>${origin ?? "New rule"}</h2>
    <${Controls} text=${text} set=${set} rules=${rules} targets=${targets} />
    <${Field} label="The rule as text" as="textarea" rows=${rows} value=${text} onValue=${set} aria-invalid=${Boolean(problem)} />
    ${problem && html`<${Mistake} sql=${sqlOf(text)} problem=${problem} />`}
    <div class="actions">
      <button class="primary" disabled=${doing.isBusy || !text.trim()} onClick=${save}>Save</button>
      <button onClick=${close}>Close</button>
    </div>
    ${isOther && html`<p class="warn-text" role="status">There is a rule called ${name}: saving changes that one.</p>`}
    <${Said} doing=${doing} />
    <${BacktestPanel} text=${text} />
  </section>`;
}
