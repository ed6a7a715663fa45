/** What is known of a device, and what one may change about it: type, target, whether it stays. */

import { html, useState } from "../html.js";
import { Field, Said, Sure, Tick } from "../form.js";
import { formatNumber, formatTime } from "../format.js";
import { useDoing } from "../loading.js";
import { app, useApp } from "../state.js";
import { addTarget, changeDevice, removeDevice } from "./api.js";
import { agoText } from "./presence.js";

const REASONS = {
  connect: "connected", disconnect: "disconnected", "keep-alive": "was not heard in time", will: "was lost",
};

function onlineText(device, utc) {
  if (device.online === null || device.online === undefined) return "not known";
  const since = device.online_since_us ? ` since ${formatTime(device.online_since_us, utc)}` : "";
  const why = device.reason && !device.online ? `, ${REASONS[device.reason] ?? device.reason}` : "";
  return `${device.online ? "online" : "offline"}${since}${why}`;
}

function TypePick({ device, types, doing, reload }) {
  const change = (event) => doing.run(
    () => changeDevice(device, { type: event.currentTarget.value }).then(reload), "Type set.",
  );
  const isUnknown = device.type && !types.some(({ name }) => name === device.type);
  return html`<select aria-label="Type" value=${device.type} onChange=${change} disabled=${doing.isBusy}>
    ${!device.type && html`<option value="">not known</option>`}
    ${isUnknown && html`<option value=${device.type}>${device.type}</option>`}
    ${types.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}
  </select>`;
}

const NEW = "new";

function TargetPick({ device, targets, doing, reload }) {
  const [name, setName] = useState(null);
  const fix = (id) => doing.run(async () => {
    await changeDevice(device, { target_id: id });
    await reload();
  }, id === null ? "Fixed to nothing now." : "Fixed.");
  const pick = (event) => {
    const { value } = event.currentTarget;
    if (value === NEW) setName("");
    else fix(value ? Number(value) : null);
  };
  const make = async (event) => {
    event.preventDefault();
    const isMade = await doing.run(async () => {
      const target = await addTarget({ name: name.trim(), system: device.system });
      await changeDevice(device, { target_id: target.id });
      await reload();
    }, "Made, and fixed to it.");
    if (isMade) setName(null);
  };
  if (name !== null) {
    return html`<form class="inline-form" onSubmit=${make}>
      <${Field} label="Name of the new target" value=${name} onValue=${setName} maxlength="255" />
      <button type="submit" class="primary" disabled=${doing.isBusy || !name.trim()}>Fix to it</button>
      <button type="button" onClick=${() => setName(null)}>Leave</button>
    </form>`;
  }
  return html`<select aria-label="Target" value=${device.target ? String(device.target.id) : ""} onChange=${pick}
      disabled=${doing.isBusy}>
    <option value="">none</option>
    ${targets.map((target) => html`<option key=${target.id} value=${String(target.id)}>${target.name}</option>`)}
    <option value=${NEW}>new target \u2026</option>
  </select>`;
}

function Removal({ device, doing }) {
  const [withData, setWithData] = useState(false);
  const go = () => doing.run(async () => {
    await removeDevice(device, withData);
    app.set({ device: null });
  });
  return html`<div class="actions">
    <${Sure} label="Delete this device" act=${go} disabled=${doing.isBusy}
      sure=${withData ? "Really, with all its data?" : "Really delete it?"} />
    <${Tick} label="with what it measured" checked=${withData} onChange=${setWithData} />
  </div>`;
}

export function Facts({ device, types, targets, mayChange, reload }) {
  const utc = useApp((state) => state.utc);
  const doing = useDoing();
  const common = { device, doing, reload };
  const isEnrolled = device.status === "enrolled" && device.thing_id !== null;
  const rows = [
    ["Type", mayChange && isEnrolled ? html`<${TypePick} ...${common} types=${types} />` : device.type || "not known"],
    ["Target", mayChange && isEnrolled ? html`<${TargetPick} ...${common} targets=${targets} />` : device.target?.name ?? "none"],
    ["Connection", onlineText(device, utc)],
    ["Last message", device.last_seen_us ? `${formatTime(device.last_seen_us, utc)} (${agoText(device.last_seen_us)})` : "none yet"],
    ["First seen", formatTime(device.first_seen_us, utc)],
    ["Samples", device.sample_frequency && `${formatNumber(device.sample_frequency)} Hz`],
    ["Topic", device.topic],
    ["MQTT client", device.client && `${device.client}${device.address ? ` from ${device.address}` : ""}`],
    ["Keep-alive", device.keep_alive_s && `${device.keep_alive_s} s`],
  ];
  return html`<section class="card" aria-label="Facts">
    <dl class="facts">${rows.filter(([, value]) => value).map(([label, value]) =>
      html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}</dl>
    <${Said} doing=${doing} />
    ${mayChange && html`<${Removal} device=${device} doing=${doing} />`}
  </section>`;
}
