/** Asks about alarms, their rules, and who is told. */

import { address, ApiError, request } from "../api.js";

const post = (path, body = {}) => request(path, {}, { method: "POST", body });
const put = (path, body) => request(path, {}, { method: "PUT", body });
const remove = (path) => request(path, {}, { method: "DELETE" });

export const listAlarms = (wanted) => request("alarms", wanted);
export const readAlarm = (id) => request(`alarms/${id}`);
export const actOn = (id, act, body) => post(`alarms/${id}/${act}`, body);
export const alarmStream = () => address("alarms/stream");

export const listRules = async () => (await request("alarm-rules")).items;
export const setEnabled = (id, isEnabled) => post(`alarm-rules/${id}/${isEnabled ? "enable" : "disable"}`);
export const setMode = (id, mode, reason) => put(`alarm-rules/${id}/mode`, { mode, reason });
export const removeRule = (id) => remove(`alarm-rules/${id}`);
export const beginBacktest = (text, range) => post("alarm-rules/backtests", { text, ...range });
export const readBacktest = (id) => request(`alarm-rules/backtests/${id}`);
export const cancelBacktest = (id) => remove(`alarm-rules/backtests/${id}`);

export const listTargets = async () => (await request("notification-targets")).items;
export const addTarget = (spec) => post("notification-targets", spec);
export const changeTarget = (id, spec) => put(`notification-targets/${id}`, spec);
export const removeTarget = (id) => remove(`notification-targets/${id}`);
/** A mail server may take its time. */
export const testTarget = (id) =>
  request(`notification-targets/${id}/test`, {}, { method: "POST", body: {}, timeoutMs: 120000 });
export const listDeliveries = async (id) =>
  (await request(`notification-targets/${id}/deliveries`, { limit: 50 })).items;

/** Id of the datastream with a full name, or null. */
export async function findDatastream(name) {
  const { items } = await request("datastreams", { search: name, limit: 100 });
  return items.find((one) => one.name === name)?.id ?? null;
}

/** Datastreams of a Thing, the first hundred. */
export const listDatastreamsOf = async (thing) => (await request("datastreams", { thing, limit: 100 })).items;

/** A rule as text, as people write it. */
export async function ruleText(id) {
  const response = await fetch(address(`alarm-rules/${id}`, { format: "text" }), { cache: "no-store" });
  if (!response.ok) throw new ApiError(`The server answered ${response.status}.`, response.status);
  return response.text();
}

async function sendText(path, text) {
  const response = await fetch(address(path), {
    method: "POST", body: text, headers: { "Content-Type": "text/plain; charset=utf-8" },
  });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(answer?.error?.message ?? `The server answered ${response.status}.`, response.status);
  return answer;
}

/** Make the rules of a text, or change those of the same name. */
export const saveRules = async (text) => (await sendText("alarm-rules/import", text)).items;

/** Throws what is wrong with the rules of a text, if something is. */
export const checkRules = (text) => sendText("alarm-rules/check", text);
