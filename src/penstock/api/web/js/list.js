/** The list of datastreams: search on the server, grouped by thing, values updating live. */

import { html, useEffect, useRef, useState } from "./html.js";
import { Icon } from "./icons.js";
import { nowUs } from "./api.js";
import { listDatastreams } from "./catalog.js";
import { formatAge, formatCount, formatValue, shortName, unitText } from "./format.js";
import { Name } from "./names.js";
import { MAX_PICKED, hashWith, learn, togglePicked, useApp } from "./state.js";
import { wantLatest } from "./latest.js";

const PAGE = 100;
const SETTLE_MS = 180;
const REFRESH_MS = 10000;
const NOTHING = { items: [], next: null, total: null, error: null, search: null };

/** Datastreams that match, page by page. */
function useDatastreams(search) {
  const [found, setFound] = useState(NOTHING);
  const request = useRef(null);
  const load = async (after, pages) => {
    request.current?.abort();
    const abort = new AbortController();
    request.current = abort;
    try {
      let items = after === null ? [] : found.items;
      let answer = { next: after };
      do {
        answer = await listDatastreams({ search, after: answer.next, limit: PAGE }, abort.signal);
        items = [...items, ...answer.items];
      } while (answer.next && items.length < pages * PAGE);
      learn(items);
      setFound({ items, next: answer.next, total: answer.total, error: null, search });
    } catch (error) {
      if (!abort.signal.aborted) setFound({ ...found, error: error.message, search });
    } finally {
      if (request.current === abort) request.current = null;
    }
  };
  useEffect(() => {
    const timer = setTimeout(() => load(null, 1), found.search === null ? 0 : SETTLE_MS);
    return () => clearTimeout(timer);
  }, [search]);
  useEffect(() => {
    const timer = setInterval(
      () => document.hidden || request.current || load(null, Math.max(1, Math.ceil(found.items.length / PAGE))),
      REFRESH_MS,
    );
    return () => clearInterval(timer);
  }, [search, found.items.length]);
  const more = () =>
    found.next &&
    found.search === search &&
    load(found.next, Math.ceil(found.items.length / PAGE) + 1);
  return { ...found, more };
}

/** Things in the order they come, with their datastreams. */
function byThing(items) {
  const groups = new Map();
  for (const item of items) groups.set(item.thing, [...(groups.get(item.thing) ?? []), item]);
  return [...groups];
}

function Row({ info, isPicked, isStop, onPick }) {
  const row = useApp((state) => state.latest.get(info.id));
  return html`<li>
    <button class="stream" role="checkbox" aria-checked=${isPicked} data-id=${info.id} tabindex=${isStop ? 0 : -1}
        onClick=${() => onPick(info.id)} title=${info.name}>
      <span class="tick" aria-hidden="true">${isPicked && html`<${Icon} name="check" />`}</span>
      <span class="stream-name"><${Name} text=${shortName(info)} /></span>
      <span class="stream-value">
        ${formatValue(row, info.observation_type)}<span class="stream-unit">${unitText(info.unit)}</span>
      </span>
      <span class="stream-age">${row ? formatAge(nowUs() - row.time) : ""}</span>
    </button>
  </li>`;
}

/** Arrow keys move between rows; from the search field down into the list. Tab stops at one of them only. */
function moveFocus(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const stops = [...event.currentTarget.querySelectorAll("input, button.stream")];
  const at = stops.indexOf(document.activeElement);
  if (at < 0) return;
  event.preventDefault();
  stops[Math.min(stops.length - 1, Math.max(0, at + step))].focus();
}

export function StreamList() {
  const [search, setSearch] = useState("");
  const [isFull, setFull] = useState(false);
  const [lastId, setLastId] = useState(null);
  const picked = useApp((state) => state.picked);
  const hasAccounts = useApp((state) => Boolean(state.session?.accounts));
  const found = useDatastreams(search);
  const bottom = useRef(null);
  const more = useRef(null);
  more.current = found.more;
  useEffect(() => wantLatest("list", found.items.map((item) => item.id)), [found.items]);
  useEffect(() => {
    const look = ([entry]) => entry.isIntersecting && more.current();
    const watcher = new IntersectionObserver(look, { rootMargin: "300px" });
    watcher.observe(bottom.current);
    return () => watcher.disconnect();
  }, [found.items]);
  const pick = (id) => setFull(!togglePicked(id));
  const noteFocus = ({ target }) => target.dataset.id && setLastId(Number(target.dataset.id));
  const stopId = found.items.some((item) => item.id === lastId) ? lastId : found.items[0]?.id;
  const word = search ? "found" : "datastreams";
  const count = found.total === null ? "" : `${formatCount(found.total)} ${word}`;
  return html`<nav class="streams" aria-label="Datastreams" onKeyDown=${moveFocus} onFocusCapture=${noteFocus}>
    <div class="search">
      <${Icon} name="search" />
      <input type="search" placeholder="Search name, property, unit, site \u2026"
        aria-label="Search datastreams" autocomplete="off" spellcheck="false"
        value=${search} onInput=${(event) => setSearch(event.target.value)} />
    </div>
    <p class="streams-count" role="status">
      ${found.error ? html`<span class="bad-text">${found.error}</span>` : count}
      ${picked.length > 0 && html`<span> · ${picked.length} on the chart</span>`}
      ${isFull && html`<span class="bad-text"> · at most ${MAX_PICKED} at once</span>`}
    </p>
    <div class="streams-scroll">
      ${byThing(found.items).map(([thing, items]) => html`<section key=${thing} class="thing">
        <h3 title=${thing} aria-label=${thing}><${Name} text=${thing} /></h3>
        <ul>${items.map((info) => html`<${Row} key=${info.id} info=${info}
          isPicked=${picked.includes(info.id)} isStop=${info.id === stopId} onPick=${pick} />`)}</ul>
      </section>`)}
      ${found.total === 0 && search && html`<p class="nothing">
        Nothing matches \u201c${search}\u201d. Every word must occur in a name, unit or property.</p>`}
      ${found.total === 0 && !search && !hasAccounts && html`<p class="nothing">No datastreams yet.</p>`}
      ${found.total === 0 && !search && hasAccounts && html`<p class="nothing">
        Nothing was measured yet that you may read. Devices send with the key of a client: make both in
        the <a href=${hashWith({ view: "organisation", part: null })}>organisation</a>.</p>`}
      <div ref=${bottom} class="list-end"></div>
    </div>
  </nav>`;
}
