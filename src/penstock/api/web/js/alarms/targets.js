/** Who is told: targets to make, change, try and delete, and what became of what they were sent. */

import { html, useState } from "../html.js";
import { Field, Said, Sure, Tick } from "../form.js";
import { formatTime } from "../format.js";
import { useDoing, useLoaded } from "../loading.js";
import { useApp } from "../state.js";
import { addTarget, changeTarget, listDeliveries, removeTarget, testTarget } from "./api.js";
import { SEVERITIES } from "./severity.js";

const EVERY_MS = 3000;
const KINDS = [["webhook", "Webhook"], ["mail", "Mail"], ["mqtt", "MQTT topic"]];
const ADDRESSES = {
  webhook: ["URL", "https://example.com/alarms"],
  mail: ["Mail addresses", "sue@example.com, joe@example.com"],
  mqtt: ["Topic", "plant/alarms"],
};
const EVENTS = ["raise", "return", "withdraw", "acknowledge", "reset", "shelve", "unshelve", "suppress", "unsuppress"];
const NEW = { name: "", kind: "webhook", address: "", secret: "", severity: "low", rules: [], events: EVENTS.slice(0, 3), enabled: true };

const toggled = (some, one, isOn) => (isOn ? [...some, one] : some.filter((other) => other !== one));

function Form({ held, rules, done, cancel }) {
  const [spec, setSpec] = useState(held?.spec ?? NEW);
  const doing = useDoing();
  const set = (name) => (value) => setSpec((now) => ({ ...now, [name]: value }));
  const [label, example] = ADDRESSES[spec.kind];
  const keep = async (event) => {
    event.preventDefault();
    if (await doing.run(() => (held ? changeTarget(held.id, spec) : addTarget(spec)))) done();
  };
  const ticks = (name, all) => all.map((one) => html`<${Tick} key=${one} label=${one} checked=${spec[name].includes(one)}
    onChange=${(isOn) => set(name)(toggled(spec[name], one, isOn))} />`);
  const names = [...new Set([...rules.map((rule) => rule.spec.name), ...spec.rules])];
  return html`<form class="target-form" aria-label=${held ? `Change ${held.spec.name}` : "New target"} onSubmit=${keep}>
    <div class="inline-form">
      <${Field} label="Name" value=${spec.name} onValue=${set("name")} maxlength="63" required hint="Letters, digits, - and _" />
      <${Field} as="select" label="Told by" value=${spec.kind} onValue=${set("kind")}>
        ${KINDS.map(([value, said]) => html`<option key=${value} value=${value}>${said}</option>`)}<//>
      <${Field} label=${label} value=${spec.address} onValue=${set("address")} placeholder=${example} required />
      ${spec.kind === "webhook" && html`<${Field} label="Secret" type="password" value=${spec.secret} onValue=${set("secret")} autocomplete="new-password"
        hint=${held?.has_secret ? "Empty: it stays as it is" : "Signs what is sent; may be empty"} />`}
      <${Field} as="select" label="From severity" value=${spec.severity} onValue=${set("severity")}>
        ${SEVERITIES.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}<//>
    </div>
    <fieldset class="rule-ticks"><legend>Told of</legend>${ticks("events", EVENTS)}</fieldset>
    ${names.length > 0 && html`<fieldset class="rule-ticks"><legend>Of these rules; none of them means all</legend>${ticks("rules", names)}</fieldset>`}
    <${Tick} label="Enabled" checked=${spec.enabled} onChange=${set("enabled")} />
    <div class="actions"><button class="primary" disabled=${doing.isBusy}>${held ? "Save" : "Make the target"}</button>
      <button type="button" onClick=${cancel}>Cancel</button></div>
    <${Said} doing=${doing} />
  </form>`;
}

const TONES = { sent: "ok", failed: "bad", waiting: "warn" };

function Deliveries({ target }) {
  const utc = useApp((state) => state.utc);
  const { data, error } = useLoaded(() => listDeliveries(target.id), [target.id], EVERY_MS);
  if (error) return html`<p class="bad-text">${error.message}</p>`;
  if (data?.length === 0) return html`<p class="muted">Nothing was sent yet.</p>`;
  return html`<div class="table-scroll deliveries" tabindex="0" aria-label=${`Deliveries to ${target.spec.name}`}><table>
    <thead><tr><th scope="col">Made</th><th scope="col">What</th><th scope="col">State</th><th scope="col">Outcome</th></tr></thead>
    <tbody>${(data ?? []).map((one) => html`<tr key=${one.id}>
      <td class="number">${formatTime(one.created_us, utc)}</td>
      <td>${one.event}${one.alarm_id ? html` <span class="muted">alarm ${one.alarm_id}</span>` : ""}</td>
      <td><span class=${`apps-state ${TONES[one.state]}`}>${one.state}</span>${one.attempts > 1 ? html` <span class="muted small">${one.attempts} tries</span>` : ""}</td>
      <td class="text">${one.outcome}${one.state === "waiting" && one.attempts > 0 ? html` <span class="muted small">again at ${formatTime(one.due_us, utc)}</span>` : ""}</td></tr>`)}</tbody>
  </table></div>`;
}

function Target({ target, rules, reload }) {
  const [open, setOpen] = useState(null);
  const doing = useDoing();
  const { name, kind, address, severity, events, enabled } = target.spec;
  const toggle = (part) => setOpen(open === part ? null : part);
  const test = () => doing.run(async () => {
    const { state, outcome } = await testTarget(target.id);
    if (state !== "sent") throw new Error(`The test was not taken: ${outcome}`);
    return `The test was taken: ${outcome}`;
  }, (said) => said);
  const remove = async () => {
    await doing.run(() => removeTarget(target.id));
    reload();
  };
  const done = () => {
    setOpen(null);
    reload();
  };
  return html`<li data-target=${name}>
    <div class="rule-about"><span><span class="device-name">${name}</span>${" "}<span class="muted">${kind}${enabled ? "" : ", disabled"}</span></span>
      <p class="target-address">${address}</p>
      <p class="muted small">${severity === "low" ? "any severity" : `from ${severity}`}; ${events.join(", ")}${target.spec.rules.length > 0 ? `; of ${target.spec.rules.join(", ")}` : ""}</p></div>
    <span class="actions">
      <button disabled=${doing.isBusy} aria-label=${`Test ${name}`} onClick=${test}>Send a test</button>
      <button aria-expanded=${open === "deliveries"} aria-label=${`Deliveries to ${name}`} onClick=${() => toggle("deliveries")}>Deliveries</button>
      <button aria-expanded=${open === "form"} aria-label=${`Change ${name}`} onClick=${() => toggle("form")}>Change</button>
      <${Sure} label="Delete" sure="Delete it with its record" name=${`Delete ${name}`} act=${remove} />
    </span>
    <${Said} doing=${doing} />
    ${open === "form" && html`<${Form} held=${target} rules=${rules} done=${done} cancel=${() => setOpen(null)} />`}
    ${open === "deliveries" && html`<${Deliveries} target=${target} />`}
  </li>`;
}

export function Targets({ found, rules }) {
  const { data, error, reload } = found;
  const [isNew, setNew] = useState(false);
  const done = () => {
    setNew(false);
    reload();
  };
  return html`<section class="card" aria-label="Who is told">
    <div class="actions"><h2>Who is told <span class="count">${data?.length ?? ""}</span></h2>
      <button onClick=${() => setNew(true)}>New target</button></div>
    ${error && html`<p class="bad-text">${error.message}</p>`}
    ${data?.length === 0 && !isNew && html`<p class="muted">Nobody is told of alarms; they are only listed here.</p>`}
    ${isNew && html`<${Form} rules=${rules} done=${done} cancel=${() => setNew(false)} />`}
    <ul class="devices rules">${(data ?? []).map((one) => html`<${Target} key=${one.id} target=${one} rules=${rules} reload=${reload} />`)}</ul>
  </section>`;
}
