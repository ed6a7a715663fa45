/** Asks what exists: datastreams and devices. */

import { request } from "./api.js";

/** One page of datastreams that hold every word of `search`: `{items, next, total}`. */
export const listDatastreams = ({ search, after, limit }, signal) =>
  request("datastreams", { search, after, limit }, { signal });

/** Facts about these datastreams; unknown ids are left out. */
export const readDatastreams = async (ids) =>
  (await request("datastreams", { id: ids, limit: ids.length })).items;

/** Devices that stand in a state: `enrolled`, `pending` or `refused`. */
export const listDevices = async (status) => (await request("devices", { status })).items;

/** Let a device in (`approve`) or keep it out (`refuse`). */
export const decideDevice = (name, decision) =>
  request(`devices/${encodeURIComponent(name)}/${decision}`, {}, { method: "POST" });

export const readHealth = () => request("health", {}, { timeoutMs: 4000 });

/** A page of dead letters behind an id: `{items, next}`. */
export const listDeadLetters = (after, limit) => request("dead-letters", { after, limit });

export const replayDeadLetters = () =>
  request("dead-letters/replay", {}, { method: "POST", timeoutMs: 600e3 });

export const discardDeadLetters = () => request("dead-letters", {}, { method: "DELETE" });
