/** The rules: how they fare, and what is done with a whole one. */

import { html, useState } from "../html.js";
import { Field, Said, Sure } from "../form.js";
import { useDoing } from "../loading.js";
import { removeRule, ruleText, saveRules, setEnabled, setMode } from "./api.js";
import { RuleEditor, exampleFor } from "./editor.js";
import { readHeader } from "./header.js";
import { Severity } from "./severity.js";

const MODES = [["suppressed", "Suppress"], ["out of service", "Take out of service"]];

const stateText = (rule) => {
  if (!rule.enabled) return "disabled";
  if (rule.trouble) return "not watched";
  return rule.run?.state ?? "waiting";
};

/** Why nobody is told of a rule, or what could keep people from being told. */
function Quiet({ rule }) {
  const { spec, suppressing } = rule;
  if (rule.mode !== "normal") {
    return html`<p class="rule-quiet"><strong>${rule.mode}</strong>: ${rule.mode_reason}${rule.by && html` <span class="muted">by ${rule.by}</span>`}</p>`;
  }
  const where = spec.suppressed_on.length > 0 ? ` for the same ${spec.suppressed_on.join(", ")}` : "";
  if (suppressing.length > 0) return html`<p class="rule-quiet"><strong>suppressed</strong> while ${suppressing.join(", ")} is active${where}</p>`;
  if (spec.suppressed_by.length > 0) return html`<p class="muted small">suppressed by ${spec.suppressed_by.join(", ")}${where}</p>`;
  return null;
}

function Mode({ rule, act, cancel, isBusy }) {
  const [reason, setReason] = useState("");
  return html`<div class="rule-mode" role="group" aria-label=${`Quiet ${rule.spec.name}`}>
    <p>Nobody is told of <strong>${rule.spec.name}</strong> any more, until somebody ends it; the condition is watched on.</p>
    <div class="inline-form"><${Field} label="Why" value=${reason} onValue=${setReason} maxlength="500" /></div>
    <div class="actions">${MODES.map(([mode, label]) => html`<button key=${mode} disabled=${isBusy || !reason.trim()}
        onClick=${() => act(mode, reason)}>${label}</button>`)}
      <button onClick=${cancel}>Cancel</button></div>
  </div>`;
}

function Rule({ rule, edit, reload }) {
  const [isQuieting, setQuieting] = useState(false);
  const doing = useDoing();
  const { name, severity, description } = rule.spec;
  const act = async (work) => {
    await doing.run(work);
    reload();
  };
  const quiet = async (mode, reason = "") => {
    await act(() => setMode(rule.id, mode, reason));
    setQuieting(false);
  };
  return html`<li data-rule=${name}>
    <${Severity} of=${severity} isActive=${rule.active > 0} />
    <div class="rule-about"><span class="device-name">${name}</span>
      <span class="muted">${stateText(rule)}${rule.active > 0 ? ` · ${rule.active} active` : ""}${rule.spec.latched ? " · latched" : ""}</span>
      ${description && html`<p class="muted small">${description}</p>`}
      <${Quiet} rule=${rule} />
      ${rule.trouble && html`<p class="bad-text">${rule.trouble}</p>`}</div>
    <span class="actions">
      <button aria-label=${`Edit ${name}`} onClick=${() => edit(rule)}>Edit</button>
      ${rule.mode === "normal"
        ? html`<button aria-label=${`Quiet ${name}`} aria-expanded=${isQuieting} onClick=${() => setQuieting(!isQuieting)}>Suppress …</button>`
        : html`<button aria-label=${`Tell of ${name} again`} onClick=${() => quiet("normal")}>Tell again</button>`}
      <button aria-label=${`${rule.enabled ? "Disable" : "Enable"} ${name}`}
        onClick=${() => act(() => setEnabled(rule.id, !rule.enabled))}>${rule.enabled ? "Disable" : "Enable"}</button>
      <${Sure} label="Delete" sure="Delete it with its alarms" name=${`Delete ${name}`} act=${() => act(() => removeRule(rule.id))} />
    </span>
    ${isQuieting && html`<${Mode} rule=${rule} act=${quiet} cancel=${() => setQuieting(false)} isBusy=${doing.isBusy} />`}
    <${Said} doing=${doing} /></li>`;
}

export function Rules({ found, targets }) {
  const { data, error, reload } = found;
  const [text, setText] = useState(null);
  // The rule that is edited; none while a new one is made.
  const [origin, setOrigin] = useState(null);
  const doing = useDoing();
  const open = (given, name) => {
    doing.forget();
    setOrigin(name);
    setText(given);
  };
  const edit = (rule) => doing.run(async () => open(await ruleText(rule.id), rule.spec.name));
  const make = () => open(exampleFor((data ?? []).map(({ spec }) => spec.name)), null);
  const save = async () => {
    const isKept = await doing.run(() => saveRules(text), "It is kept, and watched.");
    if (isKept) setOrigin(readHeader(text).alarm);
    reload();
  };
  return html`<section class="card" aria-label="Alarm rules">
      <div class="actions"><h2>Rules <span class="count">${data?.length ?? ""}</span></h2>
        <button onClick=${make}>New rule</button></div>
      ${error && html`<p class="bad-text">${error.message}</p>`}
      ${data?.length === 0 && html`<p class="muted">There are no rules yet. A rule is a query, and what is said of its rows.</p>`}
      <ul class="devices rules">${(data ?? []).map((rule) => html`<${Rule} key=${rule.id} rule=${rule} edit=${edit} reload=${reload} />`)}</ul>
      ${text === null && html`<${Said} doing=${doing} />`}
    </section>
    ${text !== null && html`<${RuleEditor} text=${text} set=${setText} save=${save} close=${() => setText(null)} doing=${doing}
      rules=${data ?? []} targets=${targets} origin=${origin} />`}`;
}
