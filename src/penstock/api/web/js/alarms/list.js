/** The alarms that want attention. */

import { html, useEffect, useState } from "../html.js";
import { useLoaded, useTick } from "../loading.js";
import { ACTIVE, AlarmLine } from "./alarm.js";
import { alarmStream, listAlarms } from "./api.js";
import { SEVERITIES } from "./severity.js";

const EVERY_MS = 10000;
const LIMIT = 200;
/** Alarms shown at first: rules and who is told stand below them. */
const SHORT = 20;
const MODES = [
  ["", "told or not", []],
  ["normal", "that people are told of", ["normal"]],
  ["quiet", "shelved or suppressed", ["shelved", "suppressed", "out of service"]],
];

/** The alarms, read again as soon as something happens to one of them. */
function useAlarms(wanted) {
  const found = useLoaded(() => listAlarms(wanted), [JSON.stringify(wanted)], EVERY_MS);
  useEffect(() => {
    const source = new EventSource(alarmStream());
    let timer = 0;
    source.addEventListener("alarm", () => {
      clearTimeout(timer);
      timer = setTimeout(found.reload, 150);
    });
    return () => {
      clearTimeout(timer);
      source.close();
    };
  }, []);
  return found;
}

/** What wants attention first, on top. */
const rank = (alarm) =>
  (alarm.mode === "normal" ? 100 : 0) + (ACTIVE.includes(alarm.state) ? 10 : 0) + SEVERITIES.indexOf(alarm.severity);

export function AlarmList({ rules }) {
  const [severity, setSeverity] = useState("low");
  const [shown, setShown] = useState("");
  const [all, setAll] = useState(false);
  const [open, setOpen] = useState(null);
  const [isLong, setLong] = useState(false);
  const mode = MODES.find(([name]) => name === shown)[2];
  const { data, error, reload } = useAlarms({ severity, all, mode, limit: LIMIT });
  useTick(5000);
  const alarms = [...(data?.items ?? [])].sort((a, b) => (all ? 0 : rank(b) - rank(a)) || b.id - a.id);
  const isShown = (alarm, at) => isLong || at < SHORT || alarm.id === open;
  return html`<section class="card" aria-label="Alarms">
    <div class="actions"><h2>${all ? "All alarms" : "Alarms"} <span class="count">${data ? `${alarms.length}${data.next ? "+" : ""}` : ""}</span></h2>
      <select aria-label="At least" value=${severity} onChange=${(event) => setSeverity(event.currentTarget.value)}>
        ${SEVERITIES.map((one) => html`<option key=${one} value=${one}>${one === "low" ? "any severity" : `${one}${one === "critical" ? "" : " or more"}`}</option>`)}
      </select>
      <select aria-label="Shown" value=${shown} onChange=${(event) => setShown(event.currentTarget.value)}>
        ${MODES.map(([name, label]) => html`<option key=${name} value=${name}>${label}</option>`)}
      </select>
      <button aria-pressed=${all} onClick=${() => setAll(!all)}>Past too</button></div>
    ${error && html`<p class="bad-text">${error.message}</p>`}
    ${data && alarms.length === 0 && html`<p class="muted">${all ? "There were no alarms." : "No alarm wants attention."}</p>`}
    <ul class="alarms">${alarms.filter(isShown).map((alarm) => html`<${AlarmLine} key=${alarm.id} alarm=${alarm} isOpen=${open === alarm.id}
      rule=${rules.find((one) => one.id === alarm.rule_id)} toggle=${() => setOpen(open === alarm.id ? null : alarm.id)} reload=${reload} />`)}</ul>
    ${alarms.length > SHORT && html`<div class="actions"><button aria-expanded=${isLong} onClick=${() => setLong(!isLong)}>
      ${isLong ? "Show fewer" : `Show ${alarms.length - SHORT} more`}</button></div>`}
  </section>`;
}
