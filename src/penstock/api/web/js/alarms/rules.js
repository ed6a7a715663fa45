/** The rules: how they fare, and one as text to change and to try. */

import { html, useState } from "../html.js";
import { Field, Said, Sure } from "../form.js";
import { useDoing, useLoaded } from "../loading.js";
import { listRules, removeRule, ruleText, saveRules, setEnabled } from "./api.js";
import { BacktestPanel } from "./backtest.js";
import { Severity } from "./severity.js";

const EVERY_MS = 5000;
const EXAMPLE = `-- alarm: too-hot
-- severity: high
-- hold: 10 s
-- clear: result < 75
-- message: {thing} is at {result} {unit}
SELECT time, thing, result, unit FROM observations WHERE result > 80
`;

const stateText = (rule) => {
  if (!rule.enabled) return "disabled";
  if (rule.trouble) return "not watched";
  return [rule.run?.state ?? "waiting", rule.mode === "normal" ? "" : rule.mode].filter(Boolean).join(", ");
};

export function Rules() {
  const { data, error, reload } = useLoaded(listRules, [], EVERY_MS);
  const [text, setText] = useState(null);
  const doing = useDoing();
  const edit = (rule) => doing.run(async () => setText(await ruleText(rule.id)));
  const act = async (work, said) => {
    await doing.run(work, said);
    reload();
  };
  return html`<section class="card" aria-label="Alarm rules">
    <div class="actions"><h2>Rules <span class="count">${data?.length ?? ""}</span></h2>
      <button onClick=${() => setText(EXAMPLE)}>New rule</button></div>
    ${error && html`<p class="bad-text">${error.message}</p>`}
    ${data?.length === 0 && html`<p class="muted">There are no rules yet.</p>`}
    <ul class="devices">${(data ?? []).map((rule) => html`<li key=${rule.id} data-rule=${rule.spec.name}>
      <${Severity} of=${rule.spec.severity} isActive=${rule.active > 0} />
      <span class="device-name">${rule.spec.name}</span>
      <span class="muted">${stateText(rule)}${rule.active > 0 ? ` · ${rule.active} active` : ""}</span>
      ${rule.trouble && html`<span class="bad-text">${rule.trouble}</span>`}
      <span class="actions">
        <button aria-label=${`Edit ${rule.spec.name}`} onClick=${() => edit(rule)}>Edit</button>
        <button aria-label=${`${rule.enabled ? "Disable" : "Enable"} ${rule.spec.name}`}
          onClick=${() => act(() => setEnabled(rule.id, !rule.enabled))}>${rule.enabled ? "Disable" : "Enable"}</button>
        <${Sure} label="Delete" sure="Delete it with its alarms" name=${`Delete ${rule.spec.name}`}
          act=${() => act(() => removeRule(rule.id), `${rule.spec.name} is deleted.`)} />
      </span></li>`)}</ul>
    ${text !== null && html`<div class="rule-editor">
      <${Field} label="Rule" as="textarea" rows="9" value=${text} onValue=${setText} />
      <div class="actions">
        <button class="primary" disabled=${doing.isBusy || !text.trim()}
          onClick=${() => act(() => saveRules(text), "It is kept, and watched.")}>Save</button>
        <button onClick=${() => setText(null)}>Close</button>
      </div>
      <${BacktestPanel} text=${text} /></div>`}
    <${Said} doing=${doing} />
  </section>`;
}
