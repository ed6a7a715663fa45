/** The alarms that want attention, and what people do about them. */

import { html, useEffect, useState } from "../html.js";
import { Field, Said } from "../form.js";
import { formatAge, formatTime } from "../format.js";
import { nowUs } from "../api.js";
import { useDoing, useLoaded, useTick } from "../loading.js";
import { useApp } from "../state.js";
import { actOn, alarmStream, listAlarms, readAlarm } from "./api.js";
import { Severity, SEVERITIES } from "./severity.js";

const EVERY_MS = 10000;
const ACTIVE = ["unacknowledged", "acknowledged"];
const SHELVED_FOR = [["900", "15 min"], ["3600", "1 h"], ["28800", "8 h"], ["86400", "1 day"]];

const stateText = (alarm) =>
  [alarm.state, alarm.mode === "normal" ? "" : alarm.mode, alarm.flapping ? "flapping" : ""].filter(Boolean).join(", ");

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

function History({ alarm }) {
  const utc = useApp((state) => state.utc);
  const { data, error } = useLoaded(() => readAlarm(alarm.id), [alarm.id, alarm.updated_us]);
  if (error) return html`<p class="bad-text">${error.message}</p>`;
  return html`<ol class="alarm-history" aria-label="History">
    ${(data?.events ?? []).map((event, at) => html`<li key=${at}>
      <span class="muted number">${formatTime(event.time_us, utc)}</span>
      <span>${event.act}${event.by && ` by ${event.by}`}</span>
      <span class="muted">${event.state}</span>
      ${event.comment && html`<span class="alarm-comment">${event.comment}</span>`}
    </li>`)}
  </ol>`;
}

function Doing({ alarm, reload }) {
  const doing = useDoing();
  const [comment, setComment] = useState("");
  const [span, setSpan] = useState("3600");
  const act = async (what, body) => {
    if (await doing.run(() => actOn(alarm.id, what, body))) setComment("");
    reload();
  };
  const canAcknowledge = ["unacknowledged", "returned", "latched"].includes(alarm.state);
  return html`<div class="alarm-doing">
    <${Field} label="Comment or reason" value=${comment} onValue=${setComment} maxlength="2000" />
    <div class="actions">
      ${canAcknowledge && html`<button class="primary" disabled=${doing.isBusy}
        onClick=${() => act("acknowledge", { comment })}>Acknowledge</button>`}
      ${alarm.state === "latched acknowledged" && html`<button class="primary" disabled=${doing.isBusy}
        onClick=${() => act("reset", { comment })}>Reset</button>`}
      <button disabled=${doing.isBusy || !comment.trim()} onClick=${() => act("comments", { comment })}>Comment</button>
      ${alarm.mode === "shelved"
        ? html`<button disabled=${doing.isBusy} onClick=${() => act("unshelve")}>Take off the shelf</button>`
        : html`<button disabled=${doing.isBusy || !comment.trim()} title="Say why first"
              onClick=${() => act("shelve", { for_s: Number(span), reason: comment })}>Shelve for</button>
            <select aria-label="How long" value=${span} onChange=${(event) => setSpan(event.currentTarget.value)}>
              ${SHELVED_FOR.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}
            </select>`}
    </div>
    <${Said} doing=${doing} />
  </div>`;
}

function Alarm({ alarm, isOpen, toggle, reload }) {
  const utc = useApp((state) => state.utc);
  const isActive = ACTIVE.includes(alarm.state);
  return html`<li class=${`alarm ${alarm.severity} ${isActive ? "is-active" : ""}`} data-alarm=${alarm.id} data-state=${alarm.state}>
    <button class="alarm-line" aria-expanded=${isOpen} onClick=${toggle}>
      <${Severity} of=${alarm.severity} isActive=${isActive} />
      <span class="alarm-message">${alarm.message || alarm.subject}</span>
      <span class="alarm-state">${stateText(alarm)}</span>
      <span class="muted alarm-facts">${alarm.rule}${alarm.occurrences > 1 ? ` · ${alarm.occurrences} times` : ""}${" · "}<span title=${formatTime(alarm.raised_us, utc)}>${formatAge(nowUs() - alarm.raised_us)}</span></span>
    </button>
    ${isOpen && html`<${Doing} alarm=${alarm} reload=${reload} /><${History} alarm=${alarm} />`}
  </li>`;
}

export function AlarmList() {
  const [severity, setSeverity] = useState("low");
  const [all, setAll] = useState(false);
  const [open, setOpen] = useState(null);
  const { data, error, reload } = useAlarms({ severity, all, limit: 200 });
  useTick(5000);
  const rank = (alarm) => (ACTIVE.includes(alarm.state) ? 10 : 0) + SEVERITIES.indexOf(alarm.severity);
  const alarms = [...(data?.items ?? [])].sort((a, b) => (all ? 0 : rank(b) - rank(a)) || b.id - a.id);
  return html`<section class="card" aria-label="Alarms">
    <div class="actions"><h2>${all ? "All alarms" : "Alarms"} <span class="count">${data ? alarms.length : ""}</span></h2>
      <select aria-label="At least" value=${severity} onChange=${(event) => setSeverity(event.currentTarget.value)}>
        ${SEVERITIES.map((one) => html`<option key=${one} value=${one}>${one === "low" ? "any severity" : `${one}${one === "critical" ? "" : " or more"}`}</option>`)}
      </select>
      <button aria-pressed=${all} onClick=${() => setAll(!all)}>Past too</button></div>
    ${error && html`<p class="bad-text">${error.message}</p>`}
    ${data && alarms.length === 0 && html`<p class="muted">${all ? "There were no alarms." : "No alarm wants attention."}</p>`}
    <ul class="alarms">${alarms.map((alarm) => html`<${Alarm} key=${alarm.id} alarm=${alarm} isOpen=${open === alarm.id}
      toggle=${() => setOpen(open === alarm.id ? null : alarm.id)} reload=${reload} />`)}</ul>
  </section>`;
}
