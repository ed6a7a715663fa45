/** Asks what exists and how it stands: datastreams, health, dead letters. */

import { request } from "./api.js";

/** One page of datastreams that hold every word of `search`: `{items, next, total}`. */
export const listDatastreams = ({ search, after, limit }, signal) =>
  request("datastreams", { search, after, limit }, { signal });

/** The datastreams of the thing of a name, up to a thousand. */
export const listDatastreamsOf = async (thing) =>
  (await request("datastreams", { thing, limit: 1000 })).items;

/** Facts about these datastreams; unknown ids are left out. */
export const readDatastreams = async (ids) =>
  (await request("datastreams", { id: ids, limit: ids.length })).items;

export const readHealth = () => request("health", {}, { timeoutMs: 4000 });

/** A page of dead letters behind an id: `{items, next}`. */
export const listDeadLetters = (after, limit) => request("dead-letters", { after, limit });

export const replayDeadLetters = () =>
  request("dead-letters/replay", {}, { method: "POST", timeoutMs: 600e3 });

export const discardDeadLetters = () => request("dead-letters", {}, { method: "DELETE" });
