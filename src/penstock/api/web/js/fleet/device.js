/** One device: what it is and does, and everything that one may do with it. */

import { html, useEffect } from "../html.js";
import { listDatastreamsOf } from "../catalog.js";
import { formatValue, shortName, unitText } from "../format.js";
import { Name } from "../names.js";
import { wantLatest } from "../latest.js";
import { useDoing, useLoaded, useTick } from "../loading.js";
import { may } from "../session.js";
import { MAX_PICKED, hashWith, learn, useApp } from "../state.js";
import { Said } from "../form.js";
import { decideDevice, listTargets, listTypes, readDevice } from "./api.js";
import { DeviceCommands } from "./commanding.js";
import { Facts } from "./facts.js";
import { LogCard } from "./logcard.js";
import { OnlineDot, agoText } from "./presence.js";
import { StateCard } from "./statecard.js";
import { TrackCard } from "./track.js";

const EVERY_MS = 2000;
const STREAMS_EVERY_MS = 15000;

const chartLink = (ids) => hashWith({ view: "chart", picked: ids.slice(0, MAX_PICKED), device: null });

function Stream({ info }) {
  const row = useApp((state) => state.latest.get(info.id));
  return html`<li>
    <a class="row-name" href=${chartLink([info.id])}><${Name} text=${shortName(info)} /></a>
    <span class="stream-value">${formatValue(row, info.observation_type)}
      <span class="stream-unit">${unitText(info.unit)}</span></span>
    <span class="muted stream-when">${row ? agoText(row.time) : ""}</span>
  </li>`;
}

function Streams({ device }) {
  const found = useLoaded(() => listDatastreamsOf(device.name), [device.name], STREAMS_EVERY_MS);
  const infos = (found.data ?? []).filter((info) => (info.system ?? device.system) === device.system);
  const ids = infos.map((info) => info.id);
  useEffect(() => {
    learn(infos);
    return wantLatest("device", ids);
  }, [found.data]);
  return html`<section class="card" aria-label="Datastreams">
    <div class="actions"><h2>Datastreams <span class="count">${found.data && infos.length}</span></h2>
      ${infos.length > 1 && html`<a class="aside" href=${chartLink(ids)}>All on the chart</a>`}</div>
    ${found.error && html`<p class="bad-text">${found.error.message}</p>`}
    <ul class="rows device-streams">${infos.map((info) => html`<${Stream} key=${info.id} info=${info} />`)}</ul>
    ${found.data && infos.length === 0 && html`<p class="muted">It has measured nothing yet.</p>`}
  </section>`;
}

function Undecided({ device, mayChange, reload }) {
  const doing = useDoing();
  const decide = (decision) => () => doing.run(() => decideDevice(device, decision).then(reload));
  return html`<section class="card wide" aria-label="Decision">
    <p>${device.status === "pending" ? "This device waits for approval: what it sends goes to the dead letters."
      : "This device was refused: what it sends goes to the dead letters."}</p>
    ${mayChange && html`<div class="actions">
      <button class="primary" disabled=${doing.isBusy} onClick=${decide("approve")}>Approve</button>
      ${device.status === "pending" && html`<button disabled=${doing.isBusy} onClick=${decide("refuse")}>Refuse</button>`}
    </div>`}
    <${Said} doing=${doing} />
  </section>`;
}

function Head({ device }) {
  return html`<div class="device-head">
    <p class="crumbs"><a href=${hashWith({ device: null })}>Devices</a></p>
    <h1>${device.online !== undefined && html`<${OnlineDot} device=${device} />`}<span>${device.name}</span></h1>
    <p class="muted">${[device.type, device.target && `on ${device.target.name}`,
      device.last_seen_us && `heard ${agoText(device.last_seen_us)}`].filter(Boolean).join(" · ")}</p>
  </div>`;
}

export function DeviceDetail({ which }) {
  const session = useApp((state) => state.session);
  const found = useLoaded(() => readDevice(which), [which.name, which.system], EVERY_MS);
  const types = useLoaded(listTypes, []).data;
  const targets = useLoaded(listTargets, []);
  useTick(1000);
  const device = found.data;
  if (!device) {
    return html`<div class="device-head"><${Head} device=${which} />
      <p class=${found.error ? "bad-text" : "muted"} role="status">${found.error?.status === 404
        ? "There is no such device, or it is not yours to see." : found.error?.message ?? "Asking \u2026"}</p></div>`;
  }
  const mayChange = may.runSystem({ session }, device.system);
  const reload = () => Promise.all([found.reload(), targets.reload()]);
  const isEnrolled = device.status === "enrolled" && device.thing_id !== null;
  const type = types?.find(({ name }) => name === device.type);
  return html`<${Head} device=${device} />
    ${found.error && html`<p class="bad-text" role="alert">${found.error.message}</p>`}
    <div class="device-grid">
      ${device.status !== "enrolled" && html`<${Undecided} device=${device} mayChange=${mayChange} reload=${reload} />`}
      <div class="stack">
        <${Facts} device=${device} types=${types ?? []} targets=${targets.data ?? []} mayChange=${mayChange} reload=${reload} />
        ${isEnrolled && types && html`<${DeviceCommands} device=${device} type=${type} mayCommand=${mayChange} />`}
      </div>
      ${isEnrolled && html`<div class="stack">
        <${Streams} device=${device} />
        <${TrackCard} device=${device} />
        <${StateCard} device=${device} mayCommand=${mayChange} />
      </div>`}
      ${isEnrolled && html`<${LogCard} device=${device} />`}
    </div>`;
}
