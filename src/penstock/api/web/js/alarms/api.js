/** Asks about alarms and their rules. */

import { address, ApiError, request } from "../api.js";

export const listAlarms = (wanted) => request("alarms", wanted);
export const readAlarm = (id) => request(`alarms/${id}`);
export const actOn = (id, act, body = {}) => request(`alarms/${id}/${act}`, {}, { method: "POST", body });
export const alarmStream = () => address("alarms/stream");

export const listRules = async () => (await request("alarm-rules")).items;
export const setEnabled = (id, isEnabled) =>
  request(`alarm-rules/${id}/${isEnabled ? "enable" : "disable"}`, {}, { method: "POST", body: {} });
export const removeRule = (id) => request(`alarm-rules/${id}`, {}, { method: "DELETE" });
export const beginBacktest = (text, from) =>
  request("alarm-rules/backtests", {}, { method: "POST", body: { text, from, to: "now" } });
export const readBacktest = (id) => request(`alarm-rules/backtests/${id}`);
export const cancelBacktest = (id) => request(`alarm-rules/backtests/${id}`, {}, { method: "DELETE" });

/** A rule as text, as people write it. */
export async function ruleText(id) {
  const response = await fetch(address(`alarm-rules/${id}`, { format: "text" }), { cache: "no-store" });
  if (!response.ok) throw new ApiError(`The server answered ${response.status}.`, response.status);
  return response.text();
}

/** Make the rules of a text, or change those of the same name. */
export async function saveRules(text) {
  const response = await fetch(address("alarm-rules/import"), {
    method: "POST", body: text, headers: { "Content-Type": "text/plain; charset=utf-8" },
  });
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(answer?.error?.message ?? `The server answered ${response.status}.`, response.status);
  return answer.items;
}
