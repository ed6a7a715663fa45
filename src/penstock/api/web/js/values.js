/** The table of latest values: every datastream, filtered on the server, sorted here. */

import { html, useEffect, useMemo, useState } from "./html.js";
import { nowUs } from "./api.js";
import { listDatastreams } from "./catalog.js";
import { formatAge, formatCount, formatTime, formatValue, shortName, unitText } from "./format.js";
import { Name } from "./names.js";
import { wantLatest } from "./latest.js";
import { app, learn, togglePicked, useApp } from "./state.js";

const SETTLE_MS = 200;
/** Rows read and shown; a filter finds the others. */
const ROWS = 500;
const PAGE = 250;
const ARROWS = { ascending: "\u25b4", descending: "\u25be" };
const COLUMNS = [
  ["thing", "Thing", (info) => info.thing],
  ["name", "Datastream", (info) => shortName(info)],
  ["value", "Value", (info, row) => row?.number ?? row?.text ?? null],
  ["unit", "Unit", (info) => unitText(info.unit)],
  ["time", "Time", (info, row) => row?.time ?? null],
];

const showAlone = (id) => app.set({ picked: [id], view: "chart" });

/** Numbers before text, nothing last. */
function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

function useFiltered(filter, isShown) {
  const [found, setFound] = useState({ items: [], total: 0, error: null, isRead: false });
  useEffect(() => {
    if (!isShown) return undefined;
    const abort = new AbortController();
    const load = async () => {
      try {
        let answer = { next: null };
        let items = [];
        do {
          const page = { search: filter, after: answer.next, limit: PAGE };
          answer = await listDatastreams(page, abort.signal);
          items = [...items, ...answer.items];
        } while (answer.next && items.length < ROWS);
        learn(items);
        setFound({ items, total: answer.total ?? items.length, error: null, isRead: true });
      } catch (error) {
        if (!abort.signal.aborted) setFound((before) => ({ ...before, error: error.message }));
      }
    };
    const timer = setTimeout(load, SETTLE_MS);
    const again = setInterval(load, 10000);
    return () => {
      clearTimeout(timer);
      clearInterval(again);
      abort.abort();
    };
  }, [filter, isShown]);
  return found;
}

function HeadCell({ id, label, sort, setSort }) {
  const isSorted = sort.by === id;
  const order = isSorted ? (sort.down ? "descending" : "ascending") : "none";
  return html`<th scope="col" aria-sort=${order} class=${`column-${id}`}>
    <button onClick=${() => setSort({ by: id, down: isSorted && !sort.down })}>
      ${label}<span class="order" aria-hidden="true">${isSorted ? ARROWS[order] : ""}</span>
    </button>
  </th>`;
}

export function ValuesView({ isShown }) {
  const [filter, setFilter] = useState("");
  const [sort, setSort] = useState({ by: "thing", down: false });
  const { items, total, error, isRead } = useFiltered(filter, isShown);
  const latest = useApp((state) => state.latest);
  const picked = useApp((state) => state.picked);
  const utc = useApp((state) => state.utc);
  const wanted = isShown ? items.map((item) => item.id) : [];
  useEffect(() => wantLatest("values", wanted), [items, isShown]);
  const key = COLUMNS.find(([id]) => id === sort.by)[2];
  const isByValue = sort.by === "value" || sort.by === "time";
  const rows = useMemo(
    () => [...items].sort((a, b) => {
      const [left, right] = [key(a, latest.get(a.id)), key(b, latest.get(b.id))];
      if (left === null || right === null) return compare(left, right) || a.id - b.id;
      return (sort.down ? -1 : 1) * compare(left, right) || a.id - b.id;
    }),
    [items, sort, isByValue && latest],
  );
  if (!isShown) return null;
  const now = nowUs();
  const rest = rows.length < total ? "; filter to see others" : "";
  return html`<section class="view values-view" aria-label="Latest values">
    <div class="values-bar">
      <input type="search" placeholder="Filter \u2026" aria-label="Filter the table" value=${filter}
        onInput=${(event) => setFilter(event.target.value)} autocomplete="off" spellcheck="false" />
      <span role="status">${error
        ? html`<span class="bad-text">${error}</span>`
        : `${formatCount(rows.length)} of ${formatCount(total)}${rest}`}</span>
    </div>
    <div class="table-scroll" tabindex="0" aria-label="Table of latest values">
      <table class="values">
        <thead><tr>
          <th scope="col" class="column-pick"><span class="visually-hidden">On the chart</span></th>
          ${COLUMNS.map(([id, label]) => html`<${HeadCell} key=${id} id=${id} label=${label}
            sort=${sort} setSort=${setSort} />`)}
        </tr></thead>
        <tbody>${rows.map((info) => {
          const row = latest.get(info.id);
          return html`<tr key=${info.id}>
            <td class="column-pick"><input type="checkbox" checked=${picked.includes(info.id)}
              aria-label=${`Show ${info.name} on the chart`}
              onChange=${() => togglePicked(info.id)} /></td>
            <td class="column-thing" title=${info.thing}><${Name} text=${info.thing} /></td>
            <td class="column-name" title=${info.name}>
              <button class="as-link" onClick=${() => showAlone(info.id)}><${Name} text=${shortName(info)} /></button>
              <span class="under"><${Name} text=${info.thing} /></span>
            </td>
            <td class="column-value" title=${row?.text ?? ""}>
              ${formatValue(row, info.observation_type)}</td>
            <td class="column-unit">${unitText(info.unit)}</td>
            <td class="column-time" title=${row ? formatTime(row.time, utc, 6) : ""}>
              ${row ? html`<span class="age">${formatAge(now - row.time)}</span>
                <span class="clock">${formatTime(row.time, utc)}</span>` : "\u2013"}
            </td>
          </tr>`;
        })}</tbody>
      </table>
    </div>
    ${rows.length === 0 && isRead && !error && html`<p class="nothing">${filter ? "Nothing matches." : "There is no datastream yet."}</p>`}
  </section>`;
}
