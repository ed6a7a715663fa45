/** Keys of somebody or something: listed without their secrets, made, renewed, revoked. */

import { html, useState } from "../html.js";
import { nowUs } from "../api.js";
import { Copyable, Field, Said, Sure } from "../form.js";
import { formatAge, formatDate } from "../format.js";
import { useDoing, useLoaded } from "../loading.js";
import { useApp } from "../state.js";
import { addKey, listKeys, renewKey, revokeKey } from "./api.js";

const DAY_US = 86400e6;
const LIFETIMES = [["", "never"], ["30", "in 30 days"], ["90", "in 90 days"], ["365", "in a year"]];
/** A renewed key works so long beside the new one, for the device to learn it. */
const OVERLAP_S = 3600;

const isOver = (key) =>
  key.revoked_us !== null || (key.expires_us !== null && key.expires_us <= nowUs());

/** The secret of a new key: this once. */
function Secret({ issued, forClient, done }) {
  return html`<div class="secret" role="group" aria-label="New key">
    <p><strong>This key is shown only now.</strong> Put it where it is needed: as the password of an
      MQTT connection${forClient ? "" : " (with your name)"}, or as ${" "}
      <code>Authorization: Bearer</code> of a request.</p>
    <${Copyable} text=${issued.secret} label="the key" />
    <button type="button" class="primary" onClick=${done}>I have saved it</button>
  </div>`;
}

function stateOf(key, utc) {
  if (key.revoked_us !== null) return `revoked ${formatDate(key.revoked_us, utc)}`;
  if (isOver(key)) return `expired ${formatDate(key.expires_us, utc)}`;
  return key.expires_us === null ? "does not expire" : `until ${formatDate(key.expires_us, utc)}`;
}

function Row({ shown, mayChange, doing, reload, onIssued }) {
  const utc = useApp((state) => state.utc);
  const used = shown.used_us === null
    ? "never used" : `used ${formatAge(nowUs() - shown.used_us)} ago`.replace("now ago", "just now");
  const renew = () => doing.run(async () => {
    onIssued(await renewKey(shown.id, OVERLAP_S));
    reload();
  }, "Renewed; the old key works for another hour.");
  const revoke = () => doing.run(async () => {
    await revokeKey(shown.id);
    reload();
  }, "Revoked; it does not work any more.");
  return html`<li class=${isOver(shown) ? "over" : ""}>
    <span class="row-name">${shown.label || "key"} <code>${shown.hint}\u2026</code></span>
    <span class="muted">${stateOf(shown, utc)} · ${used}</span>
    ${mayChange && !isOver(shown) && html`<span class="actions">
      <button class="mild" onClick=${renew} disabled=${doing.isBusy}
        aria-label=${`Renew key ${shown.label}`}>Renew</button>
      <${Sure} label="Revoke" name=${`Revoke key ${shown.label}`} sure="Really revoke?"
        act=${revoke} disabled=${doing.isBusy} />
    </span>`}
  </li>`;
}

function NewKey({ holder, doing, reload, onIssued }) {
  const [label, setLabel] = useState("");
  const [days, setDays] = useState("");
  const submit = (event) => {
    event.preventDefault();
    const expires = days ? Math.round(nowUs() + Number(days) * DAY_US) : null;
    doing.run(async () => {
      onIssued(await addKey({ ...holder, label: label.trim(), expires_us: expires }));
      setLabel("");
      reload();
    });
  };
  return html`<form class="inline-form" onSubmit=${submit} aria-label="New key">
    <${Field} label="What the key is for" value=${label} onValue=${setLabel} maxlength="100" />
    <${Field} label="Expires" as="select" value=${days} onValue=${setDays}>
      ${LIFETIMES.map(([value, said]) => html`<option key=${value} value=${value}>${said}</option>`)}
    <//>
    <button type="submit" disabled=${doing.isBusy}>Make a key</button>
  </form>`;
}

/** The keys of a holder: `{user}`, `{client}` or `{}` for oneself. */
export function Keys({ holder, mayChange = true }) {
  const doing = useDoing();
  const [issued, setIssued] = useState(null);
  const found = useLoaded(() => listKeys(holder), [holder.user, holder.client]);
  const keys = found.data ?? [];
  const common = { mayChange, doing, reload: found.reload, onIssued: setIssued };
  return html`<div class="keys">
    ${issued && html`<${Secret} issued=${issued} forClient=${Boolean(holder.client)}
      done=${() => setIssued(null)} />`}
    ${found.error && html`<p class="bad-text">${found.error.message}</p>`}
    ${keys.length > 0 && html`<ul class="rows">
      ${keys.map((key) => html`<${Row} key=${key.id} shown=${key} ...${common} />`)}</ul>`}
    ${found.data && keys.length === 0 && html`<p class="muted">No keys yet.</p>`}
    ${mayChange && html`<${NewKey} holder=${holder} ...${common} />`}
    <${Said} doing=${doing} />
  </div>`;
}
