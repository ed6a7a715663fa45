/** The SensorThings API of this server: addresses, pages, and what an error says about where. */

import { ApiError, request } from "../api.js";

export const ROOT = new URL("v1.1/", document.baseURI);

/** Sets, and where each link of an entity leads. */
const LINKS = {
  Things: ["Locations", "HistoricalLocations", "Datastreams", "MultiDatastreams", "TaskingCapabilities"],
  Locations: ["Things", "HistoricalLocations"],
  HistoricalLocations: ["Thing", "Locations"],
  Datastreams: ["Thing", "Sensor", "ObservedProperty", "Observations"],
  MultiDatastreams: ["Thing", "Sensor", "ObservedProperties", "Observations"],
  Sensors: ["Datastreams", "MultiDatastreams"],
  ObservedProperties: ["Datastreams", "MultiDatastreams"],
  Observations: ["Datastream", "MultiDatastream", "FeatureOfInterest"],
  FeaturesOfInterest: ["Observations"],
  Actuators: ["TaskingCapabilities"],
  TaskingCapabilities: ["Thing", "Actuator", "Tasks"],
  Tasks: ["TaskingCapability"],
};
const ONE = {
  ObservedProperty: "ObservedProperties",
  FeatureOfInterest: "FeaturesOfInterest",
  TaskingCapability: "TaskingCapabilities",
};
export const SETS = Object.keys(LINKS);

/** The set that a segment of a path leads to, without its id: `Thing` and `Things(1)` to `Things`. */
export function setOf(segment) {
  const name = segment.replace(/\(.*\)$/, "");
  if (LINKS[name]) return name;
  return ONE[name] ?? `${name}s`;
}

export const linksOf = (set) => LINKS[set] ?? [];

/** Segments of a path; a slash within quotes belongs to an id. */
export const segmentsOf = (path) => path.match(/(?:'(?:[^']|'')*'|[^/'])+/g) ?? [];

/** The set that a path leads to. */
export const setAt = (path) => setOf(segmentsOf(path).at(-1) ?? SETS[0]);

/** Address of a path with options, those without a value left out. */
export function addressOf({ path, filter, order, expand }, size) {
  const options = [
    ["$top", size],
    ["$count", "true"],
    ["$filter", filter],
    ["$orderby", order],
    ["$expand", expand.join(",")],
  ].filter(([, value]) => value);
  const query = options.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  return `${new URL(path, ROOT)}?${query}`;
}

/** A page of entities: `{entities, count, next}`; one entity is a page of its own. */
export async function readPage(address, signal) {
  const answer = await request(address, {}, { signal });
  if (answer === null) return { entities: [], count: 0, next: null };
  const entities = Array.isArray(answer.value) ? answer.value : [answer];
  return { entities, count: answer["@iot.count"] ?? null, next: answer["@iot.nextLink"] ?? null };
}

/** Which option an error is about, where in it, and what it says; null when it is about none. */
export function placeOf(error) {
  const found = error instanceof ApiError && /^\$(\w+), position (\d+): (.*)$/s.exec(error.message);
  return found ? { option: found[1], at: Number(found[2]), says: found[3] } : null;
}

const quote = (id) => (typeof id === "string" ? `'${id.replaceAll("'", "''")}'` : id);

/** Path of an entity of a set: `Things(1)`. */
export const pathOf = (set, entity) => `${set}(${quote(entity["@iot.id"])})`;

/** What to call an entity in one line. */
export function nameOf(set, entity) {
  if (entity.name !== undefined) return entity.name;
  if (set === "Observations") return entity.phenomenonTime ?? "";
  return entity.time ?? entity.creationTime ?? "";
}

/** What stands behind the name in one line. */
export function noteOf(set, entity) {
  if (set === "Observations") return `result ${JSON.stringify(entity.result)}`;
  if (set === "Datastreams") return entity.unitOfMeasurement?.symbol ?? "";
  return entity.description === entity.name ? "" : (entity.description ?? "");
}

/** Own properties of an entity, in order, without what it links to. */
export function propertiesOf(entity) {
  const inner = linked(entity).map(([name]) => name);
  return Object.entries(entity).filter(
    ([name, value]) => !name.includes("@iot.") && !inner.includes(name) && value !== null,
  );
}

/** Expanded links of an entity: `[name, entities, next]`, many or one. */
export function linked(entity) {
  return Object.keys(entity)
    .filter((name) => !name.includes("@iot.") && isLink(name))
    .map((name) => [name, [entity[name] ?? []].flat(), entity[`${name}@iot.nextLink`] ?? null]);
}

const ALL_LINKS = new Set(Object.values(LINKS).flat());
const isLink = (name) => ALL_LINKS.has(name);
