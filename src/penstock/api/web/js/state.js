/** What the page knows and shows, in one observable object, and its reflection in the URL. */

import { useEffect, useState } from "./html.js";
import { formatSpan, parseSpan } from "./spans.js";

const THEMES = ["auto", "light", "dark"];
export const VIEWS = ["streams", "chart", "values", "alarms", "devices", "apps", "things", "health", "organisation", "account"];
const PLACE = /^(company|system)-([1-9][0-9]{0,15})$/;
/** Series are picked up to here; more would be neither readable nor fast. */
export const MAX_PICKED = 50;

/** @returns a store: `get()`, `set(patch)`, `subscribe(listener)`. */
export function createStore(initial) {
  let state = initial;
  const listeners = new Set();
  return {
    get: () => state,
    set(patch) {
      const before = state;
      state = { ...state, ...patch };
      for (const listener of [...listeners]) listener(state, before);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

export const app = createStore({
  view: "chart",
  /** Ids of the chosen datastreams, in the order they were chosen. */
  picked: [],
  /** `{live: spanUs}` follows now; `{from, to}` stands still. Microseconds. */
  range: { live: 300e6 },
  utc: localStorage.getItem("penstock.utc") === "1",
  theme: THEMES.includes(localStorage.getItem("penstock.theme"))
    ? localStorage.getItem("penstock.theme")
    : "auto",
  /** `idle`, `live`, `reconnecting` or `offline`. */
  link: "idle",
  /** Last health report, or null before the first. */
  health: null,
  /** Whether the server answered lately; null before it is known. */
  reachable: null,
  /** Who looks at the page, as the server says; null before it is known. */
  session: null,
  /** Part of a view that has several, or null for its first. */
  part: null,
  /** Company or system that is looked at, `{kind, id}`, or null. */
  place: null,
  /** Device that is looked at, `{name, system}`, or null for all of them. */
  device: null,
  /** What is asked of the SensorThings API, `{path, filter, order, expand}`, or null. */
  things: null,
  /** Datastream facts by id. */
  infos: new Map(),
  /** Newest row by datastream id: `{time, number, text}`. */
  latest: new Map(),
});

/** Re-render the calling component when what `select` returns changes. */
export function useApp(select) {
  const [value, setValue] = useState(() => select(app.get()));
  useEffect(() => {
    const update = (state) => setValue(() => select(state));
    update(app.get());
    return app.subscribe(update);
  }, []);
  return value;
}

/** Add a datastream to the chart, or take it off. Returns whether that was possible. */
export function togglePicked(id) {
  const { picked } = app.get();
  if (picked.includes(id)) app.set({ picked: picked.filter((other) => other !== id) });
  else if (picked.length < MAX_PICKED) app.set({ picked: [...picked, id] });
  else return false;
  return true;
}

/** Remember facts about datastreams. */
export function learn(infos) {
  const known = new Map(app.get().infos);
  for (const info of infos) known.set(info.id, info);
  app.set({ infos: known });
}

/** Remember newest values; rows older than what is known are ignored. */
export function learnLatest(rows) {
  const { latest } = app.get();
  let changed = null;
  for (const [id, row] of rows) {
    const old = (changed ?? latest).get(id);
    if (
      old &&
      (old.time > row.time ||
        (old.time === row.time && old.number === row.number && old.text === row.text))
    )
      continue;
    changed ??= new Map(latest);
    changed.set(id, row);
  }
  if (changed) app.set({ latest: changed });
}

/** Write the part of the state that makes a view reproducible as a URL hash. */
export function toHash({ view, picked, range, utc, part, place, device, things }) {
  const parts = [`view=${view}`];
  if (view === "devices" && device)
    parts.push(`device=${encodeURIComponent(device.name)}`, `in=${device.system}`);
  if (["organisation", "account"].includes(view) && part) parts.push(`part=${part}`);
  if (view === "organisation" && place) parts.push(`place=${place.kind}-${place.id}`);
  if (view === "things" && things) {
    for (const name of ["path", "filter", "order"])
      if (things[name]) parts.push(`${name}=${encodeURIComponent(things[name])}`);
    if (things.expand.length) parts.push(`expand=${things.expand.join(",")}`);
  }
  if (picked.length) parts.push(`streams=${picked.join(",")}`);
  if (range.live) parts.push(`last=${formatSpan(range.live)}`);
  else parts.push(`from=${iso(range.from)}`, `to=${iso(range.to)}`);
  if (utc) parts.push("utc=1");
  return `#${parts.join("&")}`;
}

/** Address of what the page would show with some of its state changed; for links. */
export const hashWith = (patch) => toHash({ ...app.get(), ...patch });

/** Read a URL hash; what is missing or wrong is left out. */
export function fromHash(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const patch = {};
  if (VIEWS.includes(given.get("view"))) patch.view = given.get("view");
  if (given.has("device")) patch.device = { name: given.get("device"), system: Number(given.get("in")) || 1 };
  if (given.has("path"))
    patch.things = {
      path: given.get("path"),
      filter: given.get("filter") ?? "",
      order: given.get("order") ?? "",
      expand: (given.get("expand") ?? "").split(",").filter(Boolean),
    };
  if (given.has("part")) patch.part = given.get("part");
  const place = PLACE.exec(given.get("place"));
  if (place) patch.place = { kind: place[1], id: Number(place[2]) };
  if (given.has("streams")) {
    const ids = given.get("streams").split(",").map(Number);
    patch.picked = [...new Set(ids.filter((id) => Number.isSafeInteger(id) && id > 0))].slice(
      0,
      MAX_PICKED,
    );
  }
  const [from, to] = [Date.parse(given.get("from")) * 1000, Date.parse(given.get("to")) * 1000];
  if (from < to) patch.range = { from, to };
  else if (parseSpan(given.get("last"))) patch.range = { live: parseSpan(given.get("last")) };
  if (given.get("utc") === "1") patch.utc = true;
  return patch;
}

const IN_ADDRESS = ["view", "picked", "range", "utc", "part", "place", "device", "things"];

/** Keep URL and state the same, both ways, and preferences in this browser. */
export function keepInUrl() {
  app.set(fromHash(location.hash));
  let written = location.hash;
  let timer = 0;
  const write = () => {
    timer = 0;
    const hash = toHash(app.get());
    if (hash === written) return;
    written = hash;
    history.replaceState(null, "", hash);
  };
  app.subscribe((state, before) => {
    if (state.utc !== before.utc) localStorage.setItem("penstock.utc", state.utc ? "1" : "0");
    if (state.theme !== before.theme) localStorage.setItem("penstock.theme", state.theme);
    if (IN_ADDRESS.every((name) => state[name] === before[name])) return;
    if (!timer) timer = setTimeout(write, 150);
  });
  addEventListener("hashchange", () => {
    if (location.hash === written) return;
    written = location.hash;
    app.set({ picked: [], part: null, place: null, device: null, things: null, ...fromHash(location.hash) });
  });
  write();
}

const iso = (timeUs) => new Date(timeUs / 1000).toISOString();
