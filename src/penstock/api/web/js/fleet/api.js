/** Asks about devices and commands them. A device is known by name and system. */

import { address, request } from "../api.js";

const path = ({ name }, rest = "") => `devices/${encodeURIComponent(name)}${rest}`;
const of = (device, rest, params = {}, more = {}) =>
  request(path(device, rest), { system: device.system, ...params }, more);

/** A page of devices by name: `{items, next}`. */
export const listDevices = (wanted) => request("devices", wanted);
export const readDevice = (device) => of(device);
export const changeDevice = (device, body) => of(device, "", {}, { method: "PATCH", body });
export const removeDevice = (device, withData) =>
  of(device, "", { with_data: withData }, { method: "DELETE", timeoutMs: 300e3 });
/** Let a device in (`approve`) or keep it out (`refuse`). */
export const decideDevice = (device, decision) => of(device, `/${decision}`, {}, { method: "POST" });

export const listTypes = async () => (await request("device-types")).items;
export const commandDevice = (device, command, parameters) =>
  of(device, "/commands", {}, { method: "POST", body: { command, parameters } });
/** Command several devices: `{devices: names}`, or `{all: true, type}`; a task for each. */
export const commandMany = async (whom, command, parameters) =>
  (await request("commands", {}, { method: "POST", body: { ...whom, command, parameters }, timeoutMs: 300e3 })).items;
export const listTasks = async (device, limit) => (await of(device, "/tasks", { limit })).items;
/** A page of tasks of all devices, newest first: `{items, next}`. */
export const listAllTasks = (before, limit) => request("tasks", { before, limit });

export const readState = (device) => of(device, "/state");
/** Set the desired state if `version` is still the one held. */
export const setDesired = (device, body, version) =>
  of(device, "/state/desired", {}, { method: "PUT", body, headers: { "If-Match": `"${version}"` } });

/** A page of a device's log, newest first: `{items, next}`. */
export const searchLog = (device, wanted) => of(device, "/logs", wanted);
export const logStream = (device, { level, text }) =>
  address("device-logs/stream", { device: device.name, level, text });

export const readTrack = (device, from, limit) => of(device, "/track", { from, limit });

export const listTargets = async () => (await request("targets")).items;
export const addTarget = (body) => request("targets", {}, { method: "POST", body });
