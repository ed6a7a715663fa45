/** Stream apps and questions in SQL, as the API has them. */

import { ApiError, address, request } from "../api.js";

const LONG_MS = 120000;

export const listApps = () => request("apps");
export const explain = (query) => request("apps/explain", {}, { method: "POST", body: query });
export const addApp = (spec) => request("apps", {}, { method: "POST", body: spec });
export const changeApp = (id, spec, version) =>
  request(`apps/${id}`, { version }, { method: "PUT", body: spec });
export const startApp = (id) => request(`apps/${id}/start`, {}, { method: "POST" });
export const stopApp = (id) => request(`apps/${id}/stop`, {}, { method: "POST" });
export const deleteApp = (id, withData) =>
  request(`apps/${id}`, { with_data: withData }, { method: "DELETE" });
export const listVersions = (id) => request(`apps/${id}/versions`);
export const readLog = (id) => request(`apps/${id}/log`, { limit: 100 });
export const readDerived = (id) => request(`apps/${id}/datastreams`);
export const ask = (sql) =>
  request("sql", {}, { method: "POST", body: { sql }, timeoutMs: LONG_MS });

/** Compute a query over the past; `told` gets each line as it comes. */
export async function backtest(query, told, signal) {
  const response = await fetch(address("apps/backtest"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(query),
    signal,
  }).catch((error) => {
    throw signal.aborted ? error : new ApiError("The server does not answer.");
  });
  if (!response.ok) {
    const problem = (await response.json().catch(() => null))?.error ?? {};
    throw new ApiError(problem.message ?? `The server answered ${response.status}.`, response.status, problem.code);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const said = JSON.parse(line);
      if (said.error) throw new ApiError(said.error.message, 200, said.error.code);
      told(said);
    }
    if (done) return;
  }
}
