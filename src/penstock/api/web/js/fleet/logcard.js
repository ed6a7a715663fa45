/** The log of a device: searched by level, text and time, and followed live. */

import { html, useEffect, useState } from "../html.js";
import { formatClock, formatDate } from "../format.js";
import { useApp } from "../state.js";
import { logStream, searchLog } from "./api.js";

const PAGE = 100;
/** Lines kept on the page while following. */
const MOST = 2000;
const SETTLE_MS = 250;
const AGAIN_MS = 3000;
const LEVELS = { "": "All levels", WARNING: "Warnings and errors", ERROR: "Errors" };
const WANTED = { "": [], WARNING: ["WARNING", "ERROR"], ERROR: ["ERROR"] };
const TIMES = { "": "Any time", "now-15m": "Last 15 minutes", "now-1h": "Last hour", "now-1d": "Last day", "now-7d": "Last week" };

/** Lines of both, newest first, each once. */
export function mergeLines(lines, more) {
  const byId = new Map([...lines, ...more].map((line) => [line.id, line]));
  return [...byId.values()].sort((a, b) => b.time_us - a.time_us || b.id - a.id);
}

/** Lines that match, `{lines, next, problem, more}`; with `follows`, new ones as they come. */
function useLog(device, filter, follows) {
  const [found, setFound] = useState({
    lines: [], next: null, searchedTo: null, problem: "", isKnown: false,
  });
  const wanted = { level: WANTED[filter.level], text: filter.text.trim(), from: filter.from };
  const fail = (error) => setFound((before) => ({ ...before, problem: error.message, isKnown: true }));
  useEffect(() => {
    let source = null;
    let timer = 0;
    let isOver = false;
    const read = async (isFirst) => {
      try {
        const page = await searchLog(device, { ...wanted, limit: PAGE });
        if (isOver) return;
        setFound((before) => ({
          lines: isFirst ? page.items : mergeLines(before.lines, page.items),
          next: isFirst ? page.next : before.next,
          searchedTo: isFirst ? page.searched_to_us : before.searchedTo, problem: "", isKnown: true,
        }));
      } catch (error) {
        if (!isOver) fail(error);
      }
    };
    const take = (event) => {
      const lines = JSON.parse(event.data).filter((line) => line.system === device.system);
      if (lines.length) setFound((before) => ({ ...before, lines: mergeLines(before.lines, lines).slice(0, MOST) }));
    };
    const follow = (isFirst) => {
      if (isOver) return;
      read(isFirst);
      if (!follows) return;
      source = new EventSource(logStream(device, wanted));
      source.addEventListener("lines", take);
      source.addEventListener("gap", () => read(false));
      source.onerror = () => {
        source.close();
        timer = setTimeout(() => follow(false), AGAIN_MS);
      };
    };
    timer = setTimeout(() => follow(true), found.isKnown ? SETTLE_MS : 0);
    return () => {
      isOver = true;
      clearTimeout(timer);
      source?.close();
    };
  }, [device.name, device.system, filter, follows]);
  const more = () => searchLog(device, { ...wanted, before: found.next, limit: PAGE }).then((page) =>
    setFound((before) => ({
      ...before, lines: mergeLines(before.lines, page.items), next: page.next, searchedTo: page.searched_to_us,
    })), fail);
  return { ...found, more };
}

function Line({ line, utc }) {
  return html`<li class=${`line level-${line.level}`}>
    <time>${formatDate(line.time_us, utc)} ${formatClock(line.time_us, utc, 3)}</time>
    <span class="level">${line.level}</span><span class="message">${line.message}</span>
  </li>`;
}

export function LogCard({ device }) {
  const utc = useApp((state) => state.utc);
  const [filter, setFilter] = useState({ level: "", text: "", from: "" });
  const [follows, setFollows] = useState(true);
  const { lines, next, searchedTo, problem, isKnown, more } = useLog(device, filter, follows);
  const pick = (name, label, options) => html`<select aria-label=${label} value=${filter[name]}
      onChange=${(event) => setFilter({ ...filter, [name]: event.currentTarget.value })}>
    ${Object.entries(options).map(([value, said]) => html`<option key=${value} value=${value}>${said}</option>`)}
  </select>`;
  return html`<section class="card wide log" aria-label="Log">
    <div class="actions"><h2>Log</h2>
      <input type="search" placeholder="Search text" aria-label="Search the log" value=${filter.text}
        onInput=${(event) => setFilter({ ...filter, text: event.currentTarget.value })} />
      ${pick("level", "Level", LEVELS)}${pick("from", "Time", TIMES)}
      <button class=${`quiet go-live ${follows ? "on" : ""}`} aria-pressed=${follows} onClick=${() => setFollows(!follows)}>
        <span class="dot" aria-hidden="true"></span>Follow</button>
    </div>
    ${problem && html`<p class="bad-text" role="alert">${problem}</p>`}
    <ol class="lines" tabindex="0" aria-label="Lines, newest first">
      ${lines.map((line) => html`<${Line} key=${line.id} line=${line} utc=${utc} />`)}
      ${isKnown && lines.length === 0 && !searchedTo && html`<li class="nothing">${filter.text || filter.level || filter.from
        ? "No line is like that." : "It has logged nothing."}</li>`}
    </ol>
    ${searchedTo && html`<p class="muted" role="status">Searched back to
      ${formatDate(searchedTo, utc)} ${formatClock(searchedTo, utc, 0)}; there may be older lines.</p>`}
    ${next && html`<button onClick=${more}>${searchedTo ? "Search further back" : "Older"}</button>`}
  </section>`;
}
