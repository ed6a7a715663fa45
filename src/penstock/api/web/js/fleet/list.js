/** All devices: a table page by page, with search and filters, and marks for commanding several. */

import { html, useEffect, useState } from "../html.js";
import { Tick } from "../form.js";
import { Icon } from "../icons.js";
import { formatNumber } from "../format.js";
import { useLoaded, useTick } from "../loading.js";
import { Name as Cut } from "../names.js";
import { may } from "../session.js";
import { app, hashWith, useApp } from "../state.js";
import { listDevices, listTargets, listTypes } from "./api.js";
import { CommandMany } from "./commanding.js";
import { OnlineDot, agoText } from "./presence.js";
import { Waiting } from "./waiting.js";

const PAGE = 100;
const EVERY_MS = 3000;
const SETTLE_MS = 200;
/** The most that one question can count; far above what one platform is made for. */
const MOST = 10000;
const NO_FILTER = { search: "", type: "", status: "", online: "", target: "" };
/** Things that apps, imports and people made are no devices, unless one asks for them. */
const HEARD = { heard: "true" };

export const deviceLink = ({ name, system }) => hashWith({ view: "devices", device: { name, system } });
const keyOf = (device) => `${device.system} ${device.name}`;

/** What follows `value` once it rests for a moment. */
function useSettled(value) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

function Filters({ filter, set, types, targets }) {
  const pick = (name, label, options) => html`<select aria-label=${label} value=${filter[name]}
      onChange=${(event) => set({ ...filter, [name]: event.currentTarget.value })}>
    <option value="">${label}</option>
    ${options.map(([value, said]) => html`<option key=${value} value=${value}>${said}</option>`)}
  </select>`;
  return html`<div class="filters" role="search">
    <div class="search-field"><${Icon} name="search" />
      <input type="search" placeholder="Search names" aria-label="Search devices" autocomplete="off"
        spellcheck="false" value=${filter.search} onInput=${(event) => set({ ...filter, search: event.currentTarget.value })} /></div>
    ${pick("type", "Any type", types.map(({ name }) => [name, name]))}
    ${pick("status", "Any status", [["enrolled", "enrolled"], ["pending", "pending"], ["refused", "refused"]])}
    ${pick("online", "Online or not", [["true", "online"], ["false", "not online"]])}
    ${targets.length > 0 && pick("target", "Any target", targets.map(({ id, name }) => [String(id), name]))}
    <${Tick} label="with what apps and imports made" checked=${!filter.heard}
      onChange=${(isAll) => set({ ...filter, heard: isAll ? "" : HEARD.heard })} />
  </div>`;
}

/** A device's name; where there is little room, the name of its system gives way. */
function Name({ device }) {
  const systems = useApp((state) => state.session?.systems ?? []);
  const system = systems.find(({ id }) => id === device.system)?.name;
  const before = system && device.name.startsWith(`${system}.`) ? `${system}.` : "";
  return html`<a href=${deviceLink(device)} title=${device.name} aria-label=${device.name}>${before
    ? html`<span class="name-before">${before}</span><span class="name-own">${device.name.slice(before.length)}</span>`
    : html`<${Cut} text=${device.name} />`}</a>`;
}

function Row({ device, isMarked, mark, isMarkable }) {
  const open = (event) => {
    if (!event.target.closest("a, input, label")) app.set({ device: { name: device.name, system: device.system } });
  };
  return html`<tr class=${`device-row status-${device.status}`} onClick=${open}>
    <td class="column-pick">${isMarkable && html`<input type="checkbox" checked=${isMarked}
      aria-label=${`Mark ${device.name}`} onChange=${() => mark(device)} />`}</td>
    <td class="column-name"><${OnlineDot} device=${device} /><${Name} device=${device} /></td>
    <td class="column-type">${device.type || html`<span class="muted">\u2013</span>`}</td>
    <td class="column-status">${device.status === "enrolled" ? html`<span class="muted">enrolled</span>`
      : html`<strong>${device.status}</strong>`}</td>
    <td class="column-seen">${agoText(device.last_seen_us)}</td>
    <td class="column-rate">${device.sample_frequency ? `${formatNumber(device.sample_frequency)} Hz` : ""}</td>
    <td class="column-target">${device.target?.name ?? ""}</td>
  </tr>`;
}

const COLUMNS = [["name", "Device"], ["type", "Type"], ["status", "Status"], ["seen", "Last seen"],
  ["rate", "Samples"], ["target", "Target"]];

/** Marks that outlive pages: key to device. */
function useMarks() {
  const [marks, setMarks] = useState(new Map());
  const mark = (device) => setMarks((before) => {
    const after = new Map(before);
    if (!after.delete(keyOf(device))) after.set(keyOf(device), device);
    return after;
  });
  return [marks, mark, setMarks];
}

/** Which devices commands shall go to: those marked, or all of the type that is filtered for. */
function Bulk({ marks, clear, filter, types }) {
  const [order, setOrder] = useState(null);
  const [problem, setProblem] = useState("");
  const kinds = new Set([...marks.values()].map((device) => device.type));
  const typeNamed = (name) => types.find((type) => type.name === name);
  const marked = () => {
    const [kind] = kinds;
    const type = typeNamed(kind);
    if (kinds.size > 1) setProblem("The marked devices are of several types; commands go to one type at a time.");
    else if (!type) setProblem("The type of the marked devices is not known, so neither are its commands.");
    else setOrder({ whom: { devices: [...marks.values()].map(({ name }) => name) }, count: marks.size, type });
  };
  const all = async () => {
    try {
      const page = await listDevices({ type: filter.type, status: "enrolled", limit: MOST });
      const { items } = page;
      const count = items.filter((device) => may.runSystem(app.get(), device.system)).length;
      if (count === 0) setProblem(`There is no device of type ${filter.type}.`);
      else setOrder({ whom: { all: true, type: filter.type }, count, type: typeNamed(filter.type) });
    } catch (error) {
      setProblem(error.message);
    }
  };
  useEffect(() => {
    setOrder(null);
    setProblem("");
  }, [marks, filter.type]);
  if (order) return html`<${CommandMany} ...${order} close=${() => setOrder(null)} />`;
  if (!marks.size && !typeNamed(filter.type)?.commands.length) return null;
  return html`<div class="actions bulk">
    ${marks.size > 0 && html`<span>${marks.size} marked</span>
      <button onClick=${marked}>Command them \u2026</button>
      <button class="quiet" onClick=${clear}>Unmark</button>`}
    ${marks.size === 0 && html`<button onClick=${all}>Command all of type ${filter.type} \u2026</button>`}
    <span class="bad-text" role="alert">${problem}</span>
  </div>`;
}

export function DeviceList() {
  const [filter, setFilter] = useState({ ...NO_FILTER, ...HEARD });
  const [pages, setPages] = useState([null]);
  const [marks, mark, setMarks] = useMarks();
  const session = useApp((state) => state.session);
  const pending = useApp((state) => state.health?.devices_pending ?? 0);
  const settled = useSettled(filter);
  const after = pages.at(-1);
  const found = useLoaded(() => listDevices({ ...settled, after, limit: PAGE }), [settled, after], EVERY_MS);
  const types = useLoaded(listTypes, [], 30000).data ?? [];
  const targets = useLoaded(listTargets, []).data ?? [];
  useTick(1000);
  const set = (next) => {
    setFilter(next);
    setPages([null]);
  };
  const devices = found.data?.items ?? [];
  const isFiltered = Object.keys(NO_FILTER).some((name) => settled[name]);
  const mine = devices.filter((device) => device.status === "enrolled" && may.runSystem({ session }, device.system));
  const isAll = mine.length > 0 && mine.every((device) => marks.has(keyOf(device)));
  const markAll = () => mine.filter((device) => isAll || !marks.has(keyOf(device))).forEach(mark);
  return html`<${Waiting} pending=${pending} isQuiet decided=${found.reload} />
    <${Filters} filter=${filter} set=${set} types=${types} targets=${targets} />
    <${Bulk} marks=${marks} clear=${() => setMarks(new Map())} filter=${settled} types=${types} />
    ${found.error && html`<p class="bad-text" role="alert">${found.error.message}</p>`}
    ${found.data && devices.length === 0 && html`<p class="nothing">
      ${isFiltered ? "No device is like that." : session.administrator
        ? "No device has sent or registered yet. One that sends by MQTT appears here by itself." : "No device of your systems has sent or registered yet."}</p>`}
    ${devices.length > 0 && html`<div class="table-scroll fleet" tabindex="0" aria-label="Table of devices"><table
        class=${`fleet-table ${devices.every(({ status }) => status === "enrolled") ? "all-enrolled" : ""}`}>
      <thead><tr>
        <th class="column-pick" scope="col">${mine.length > 0 && html`<input type="checkbox" checked=${isAll}
          aria-label="Mark all on this page" onChange=${markAll} />`}</th>
        ${COLUMNS.map(([id, label]) => html`<th key=${id} class=${`column-${id}`} scope="col">${label}</th>`)}
      </tr></thead>
      <tbody>${devices.map((device) => html`<${Row} key=${keyOf(device)} device=${device} mark=${mark}
        isMarked=${marks.has(keyOf(device))} isMarkable=${mine.includes(device)} />`)}</tbody>
    </table></div>`}
    ${(pages.length > 1 || found.data?.next) && html`<div class="actions pages">
      <button disabled=${pages.length === 1} onClick=${() => setPages(pages.slice(0, -1))}>Previous</button>
      <span class="muted">${(pages.length - 1) * PAGE + 1} to ${(pages.length - 1) * PAGE + devices.length}</span>
      <button disabled=${!found.data?.next} onClick=${() => setPages([...pages, found.data.next])}>Next</button>
    </div>`}`;
}
