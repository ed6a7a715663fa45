/** One alarm: what is known of it, what people do about it, and what happened to it. */

import { html, useMemo, useState } from "../html.js";
import { Field, Said } from "../form.js";
import { formatAge, formatNumber, formatTime } from "../format.js";
import { nowUs } from "../api.js";
import { useDoing, useLoaded } from "../loading.js";
import { app, useApp } from "../state.js";
import { actOn, readAlarm } from "./api.js";
import { EpisodeChart } from "./episodes.js";
import { useSubject } from "./subject.js";
import { Severity } from "./severity.js";

export const ACTIVE = ["unacknowledged", "acknowledged"];
const SHELVED_FOR = [["900", "15 min"], ["3600", "1 h"], ["28800", "8 h"], ["86400", "1 day"], ["604800", "7 days"]];
const FLAPPING = "It comes and goes too often: nobody is told of it until it is calm again.";
/** Shown before and behind what happened, at least. */
const MARGIN_US = 300e6;

function stateText(alarm, utc) {
  const parts = [alarm.state];
  if (alarm.mode === "shelved" && alarm.shelved_until_us) parts.push(`shelved until ${formatTime(alarm.shelved_until_us, utc)}`);
  else if (alarm.mode !== "normal") parts.push(alarm.mode);
  if (alarm.flapping) parts.push("flapping");
  return parts.join(", ");
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
  const isSilent = doing.isBusy || !comment.trim();
  return html`<div class="alarm-doing">
    <${Field} label="Comment or reason" value=${comment} onValue=${setComment} maxlength="2000" hint="Shelving needs a reason" />
    <div class="actions">
      ${canAcknowledge && html`<button class="primary" disabled=${doing.isBusy} onClick=${() => act("acknowledge", { comment })}>Acknowledge</button>`}
      ${alarm.state === "latched acknowledged" && html`<button class="primary" disabled=${doing.isBusy} onClick=${() => act("reset", { comment })}>Reset</button>`}
      <button disabled=${isSilent} onClick=${() => act("comments", { comment })}>Comment</button>
      ${alarm.shelved_until_us
        ? html`<button disabled=${doing.isBusy} onClick=${() => act("unshelve")}>Take off the shelf</button>`
        : html`<span class="pair"><button disabled=${isSilent} onClick=${() => act("shelve", { for_s: Number(span), reason: comment })}>Shelve for</button>
            <select aria-label="How long" value=${span} onChange=${(event) => setSpan(event.currentTarget.value)}>
              ${SHELVED_FOR.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}
            </select></span>`}
    </div>
    <${Said} doing=${doing} />
  </div>`;
}

function Facts({ alarm, rule }) {
  const utc = useApp((state) => state.utc);
  const value = (one) => (typeof one === "number" ? formatNumber(one) : typeof one === "object" ? JSON.stringify(one) : String(one));
  const facts = [
    ["Subject", alarm.subject],
    ["Holds since", formatTime(alarm.start_us, utc)],
    alarm.cleared_us && ["Returned", formatTime(alarm.cleared_us, utc)],
    alarm.acknowledged_us && ["Acknowledged", `${formatTime(alarm.acknowledged_us, utc)}${alarm.acknowledged_by && ` by ${alarm.acknowledged_by}`}`],
    alarm.activations > 1 && ["Activations", alarm.activations],
    ...Object.entries(alarm.values).filter(([name, one]) => one !== null && name !== "time" && one !== alarm.subject).map(([name, one]) => [name, value(one)]),
  ].filter(Boolean);
  return html`<div class="alarm-facts-open">
    ${rule?.spec.description && html`<p>${rule.spec.description}</p>`}
    ${alarm.flapping && html`<p class="warn-text">${FLAPPING}</p>`}
    <dl class="alarm-values">${facts.map(([name, said]) => html`<div key=${name}><dt>${name}</dt><dd>${said}</dd></div>`)}</dl></div>`;
}

/** What was measured around the activations of an alarm. */
function Measured({ alarm, rule, spans }) {
  const { datastream, why } = useSubject(alarm.key, alarm.values, rule?.spec.sql ?? "");
  const last = spans.at(-1);
  const [from, to] = useMemo(() => {
    const first = spans[0]?.start_us ?? alarm.start_us;
    const end = last?.cleared_us ?? nowUs();
    const margin = Math.max(MARGIN_US, (end - first) * 0.15);
    return [Math.round(first - margin), Math.round(Math.min(end + margin, nowUs()))];
  }, [alarm.id, spans.length, last?.cleared_us]);
  if (why) return html`<p class="muted small no-curve">${why}</p>`;
  if (!datastream || spans.length === 0 || from >= to) return null;
  const chart = () => app.set({ picked: [datastream], range: { from, to }, view: "chart" });
  return html`<${EpisodeChart} datastream=${datastream} name=${alarm.subject} episodes=${spans.map((span) => ({ span }))} from=${from} to=${to} />
    <p class="small"><button class="as-link" onClick=${chart}>Show it on the chart</button></p>`;
}

function History({ events }) {
  const utc = useApp((state) => state.utc);
  return html`<ol class="alarm-history" aria-label="History">
    ${events.map((event, at) => html`<li key=${at}>
      <span class="muted number">${formatTime(event.time_us, utc)}</span>
      <span><strong>${event.act}</strong>${event.by && ` by ${event.by}`}</span>
      <span class="muted">${event.state}</span>
      ${event.comment && html`<span class="alarm-comment">${event.comment}</span>`}
    </li>`)}
  </ol>`;
}

function Opened({ alarm, rule, reload }) {
  const { data, error } = useLoaded(() => readAlarm(alarm.id), [alarm.id, alarm.updated_us]);
  return html`<div class="alarm-opened"><${Facts} alarm=${alarm} rule=${rule} />
    <${Doing} alarm=${alarm} reload=${reload} />
    ${error && html`<p class="bad-text">${error.message}</p>`}
    ${data && html`<${Measured} alarm=${alarm} rule=${rule} spans=${data.activations} /><${History} events=${data.events} />`}</div>`;
}

export function AlarmLine({ alarm, rule, isOpen, toggle, reload }) {
  const utc = useApp((state) => state.utc);
  const isActive = ACTIVE.includes(alarm.state);
  const isQuiet = alarm.mode !== "normal";
  const age = formatAge(nowUs() - alarm.raised_us);
  return html`<li class=${`alarm ${alarm.severity} ${isActive ? "is-active" : ""} ${isQuiet ? "is-quiet" : ""}`} data-alarm=${alarm.id} data-state=${alarm.state} data-mode=${alarm.mode}>
    <button class="alarm-line" aria-expanded=${isOpen} onClick=${toggle}>
      <${Severity} of=${alarm.severity} isActive=${isActive && !isQuiet} />
      <span class="alarm-message">${alarm.message || alarm.subject}</span>
      <span class="alarm-state">${stateText(alarm, utc)}</span>
      <span class="muted alarm-facts">${alarm.rule}${alarm.occurrences > 1 ? ` · ${alarm.occurrences} times` : ""}${" · "}<span title=${formatTime(alarm.raised_us, utc)}>${age}</span></span>
    </button>
    ${isOpen && html`<${Opened} alarm=${alarm} rule=${rule} reload=${reload} />`}
  </li>`;
}
