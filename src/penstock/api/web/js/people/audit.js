/** The audit trail: who changed what, newest first. */

import { html, useEffect, useState } from "../html.js";
import { formatTime } from "../format.js";
import { useApp } from "../state.js";
import { listAudit } from "./api.js";

const PAGE = 100;
const KINDS = ["user", "company", "system", "client", "key", "grant", "session", "device", "target", "datastream", "app"];
const COLUMNS = ["Time", "Who", "Did", "What", "Change"];

/** Members as people call them; times lose their unit, since they are written out. */
const LABELS = { by: "replaced by key", target_id: "target id", thing: "Thing", datastream: "Datastream" };
const labelText = (name) => LABELS[name] ?? name.replace(/_us$/, "").replace(/_/g, " ");

function valueText(name, value, utc) {
  if (value === null || value === undefined || value === "") return "none";
  if (name.endsWith("_us") && typeof value === "number") return formatTime(value, utc);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length ? value.map((one) => valueText("", one, utc)).join(", ") : "none";
  if (typeof value === "object") {
    return Object.entries(value).map(([key, one]) => `${labelText(key)}: ${valueText(key, one, utc)}`).join(", ") || "none";
  }
  return String(value);
}

/** Of something new, what is not set needs no mention. */
const isNothing = (value) => value === null || value === "" || value === false || value === undefined;

/** What changed, member by member: `name: before → after`. */
function changes({ before, after }, utc) {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  const hasName = (name) => name === "target_id" && after?.target !== undefined;
  const isTold = (name) => !(isNothing(before?.[name]) && isNothing(after?.[name])) && !hasName(name);
  return names.filter(isTold).map((name) => {
    const [old, now] = [before?.[name], after?.[name]];
    const [label, was] = [labelText(name), valueText(name, old, utc)];
    if (old === undefined) return `${label}: ${valueText(name, now, utc)}`;
    return `${label}: ${was} \u2192 ${now === undefined ? "gone" : valueText(name, now, utc)}`;
  });
}

export function Audit() {
  const utc = useApp((state) => state.utc);
  const [kind, setKind] = useState("");
  const [page, setPage] = useState({ items: [], next: null, error: "", isLoaded: false });
  const load = async (before) => {
    try {
      const found = await listAudit(kind, before, PAGE);
      setPage((now) => ({ items: before ? [...now.items, ...found.items] : found.items, next: found.next, error: "", isLoaded: true }));
    } catch (error) {
      setPage((now) => ({ ...now, error: error.message }));
    }
  };
  useEffect(() => {
    load(null);
  }, [kind]);
  return html`<section class="card audit" aria-label="Audit trail">
    <div class="actions"><h2>Audit trail</h2>
      <label class="pick">of <select aria-label="Kind of what was changed" value=${kind} onChange=${(event) => setKind(event.currentTarget.value)}>
        <option value="">everything</option>
        ${KINDS.map((one) => html`<option key=${one} value=${one}>${one}s</option>`)}
      </select></label></div>
    ${page.error && html`<p class="bad-text">${page.error}</p>`}
    <div class="table-scroll" tabindex="0" aria-label="Table of changes"><table class="letters trail">
      <thead><tr>${COLUMNS.map((label) => html`<th key=${label} scope="col">${label}</th>`)}</tr></thead>
      <tbody>${page.items.map((entry) => html`<tr key=${entry.id}>
        <td class="number">${formatTime(entry.at_us, utc)}</td>
        <td class="text who">${entry.by || "nobody"}${entry.address && html` <span class="muted small">${entry.address}</span>`}</td>
        <td>${entry.action}</td>
        <td class="text">${entry.kind} <strong>${entry.name}</strong></td>
        <td class="text muted change">${changes(entry, utc).join(", ")}</td>
      </tr>`)}
      ${page.isLoaded && page.items.length === 0 && html`<tr><td colspan="5" class="nothing">Nothing was changed yet.</td></tr>`}</tbody>
    </table></div>
    ${page.next && html`<button onClick=${() => load(page.next)}>More</button>`}
  </section>`;
}
