/** A rule tried on the past: its episodes over what was measured, beside each other, and as a list. */

import { html, useEffect, useRef, useState } from "../html.js";
import { formatCount, formatTime, fromInput, toInput } from "../format.js";
import { nowUs } from "../api.js";
import { timeText } from "../observations.js";
import { useApp } from "../state.js";
import { beginBacktest, cancelBacktest, readBacktest } from "./api.js";
import { EpisodeChart, Lanes } from "./episodes.js";
import { sqlOf } from "./header.js";
import { useSubject } from "./subject.js";

const SPANS = [["now-15m", "15 min"], ["now-1h", "hour"], ["now-1d", "day"], ["now-7d", "7 days"], ["now-30d", "30 days"], ["", "… a range"]];
const LOOK_MS = 250;
const SHOWN = 200;

const secondsText = (seconds) => (seconds < 120 ? `${Number(seconds.toPrecision(3))} s`
  : seconds < 7200 ? `${Number((seconds / 60).toPrecision(3))} min` : `${Number((seconds / 3600).toPrecision(3))} h`);
const many = (count, one, more) => `${formatCount(count)} ${count === 1 ? one : more}`;

/** Runs one at a time: `{found, problem, begin, cancel}`. */
function useBacktest() {
  const [state, setState] = useState({ found: null, problem: "" });
  const { found } = state;
  const running = useRef(null);
  running.current = found?.state === "running" ? found.id : null;
  useEffect(() => {
    if (found?.state !== "running") return undefined;
    const timer = setTimeout(() => readBacktest(found.id).then(
      (next) => setState({ found: next, problem: next.message }),
      (error) => setState({ found: null, problem: error.message }),
    ), LOOK_MS);
    return () => clearTimeout(timer);
  }, [found]);
  const leave = async () => (running.current === null ? null : cancelBacktest(running.current).catch(() => null));
  // Nobody looks at it any more.
  useEffect(() => () => leave(), []);
  const begin = (text, range) => beginBacktest(text, range).then(
    (next) => setState({ found: next, problem: "" }),
    (error) => setState({ found: null, problem: error.message }),
  );
  const cancel = async () => {
    const left = await leave();
    if (left) setState({ found: left, problem: left.message });
  };
  return { ...state, begin, cancel };
}

function Range({ range, set }) {
  const utc = useApp((state) => state.utc);
  const edge = (name, label) => html`<input type="datetime-local" step="1" aria-label=${label}
    value=${toInput(range[name], utc).slice(0, 19)} onChange=${(event) => {
      const time = fromInput(event.currentTarget.value, utc);
      if (time !== null) set({ ...range, [name]: time });
    }} />`;
  return html`${edge("from", "From")}<span class="muted">to</span>${edge("to", "To")}`;
}

function Cancelled({ found }) {
  const utc = useApp((state) => state.utc);
  return html`<p role="status"><strong>Cancelled</strong> at ${Math.floor(found.progress * 100)} % of the range, ${formatTime(found.ended_us, utc)}. What it found until then:</p>`;
}

function Summary({ found }) {
  const { count, keys, told, active_s: active, longest_s: longest, suppressed_s: suppressed, rows } = found;
  if (count === 0) return html`<p role="status">${found.state === "cancelled" ? "Nothing" : "It would have raised nothing"}; ${many(rows, "row was", "rows were")} looked at.</p>`;
  return html`<p role="status">It would have raised <strong>${many(count, "episode", "episodes")}</strong> of ${many(keys, "subject", "subjects")}, and told
    people of <strong>${formatCount(told)}</strong>. Active ${secondsText(active)} in all, the longest ${secondsText(longest)}${suppressed > 0 && `; other rules suppress ${secondsText(suppressed)} of it`}.
    ${" "}<span class="muted">${many(rows, "row was", "rows were")} looked at.</span></p>`;
}

const toldText = (one) => (one.flapping ? "no: flapping" : !one.is_told ? "no: suppressed"
  : one.suppressed.some(([start]) => start === one.span.raised_us) ? "later" : "yes");

function Episodes({ found, subject }) {
  const utc = useApp((state) => state.utc);
  const some = found.episodes.filter((one) => one.key === subject);
  return html`<div class="table-scroll" tabindex="0" aria-label="Episodes"><table><thead><tr>
      <th scope="col">Raised</th><th scope="col">Returned</th><th scope="col">Times</th><th scope="col">Told</th><th scope="col">Message</th></tr></thead>
    <tbody>${some.slice(0, SHOWN).map((one) => html`<tr key=${one.span.start_us}>
      <td class="number">${formatTime(one.span.raised_us, utc)}</td>
      <td class="number">${one.span.cleared_us ? formatTime(one.span.cleared_us, utc) : "still active"}</td>
      <td class="number">${formatCount(one.span.occurrences)}</td><td>${toldText(one)}</td>
      <td class="text">${one.message}</td></tr>`)}</tbody></table></div>
    ${some.length > SHOWN && html`<p class="muted small">${formatCount(SHOWN)} of ${formatCount(some.length)} are listed.</p>`}`;
}

function Found({ found, text }) {
  const [chosen, setChosen] = useState("");
  const subject = found.episodes.some((one) => one.key === chosen) ? chosen : found.episodes[0]?.key;
  const some = found.episodes.filter((one) => one.key === subject);
  const { datastream, why } = useSubject(subject ?? "", some[0]?.span.values, sqlOf(text));
  return html`${found.state === "cancelled" && html`<${Cancelled} found=${found} />`}<${Summary} found=${found} />
    ${some.length > 0 && html`<${Lanes} found=${found} subject=${subject} pick=${setChosen} />
      <h3>${some[0].subject}</h3>
      ${datastream && html`<${EpisodeChart} datastream=${datastream} name=${some[0].subject} episodes=${some}
        from=${found.start_us} to=${found.end_us} />`}
      ${why && html`<p class="muted small no-curve">${why}</p>`}
      <${Episodes} found=${found} subject=${subject} />`}
    ${found.count > found.episodes.length && html`<p class="muted small">Drawn and listed are the first ${formatCount(found.episodes.length)}; all are counted.</p>`}`;
}

export function BacktestPanel({ text }) {
  const [span, setSpan] = useState("now-1d");
  const [range, setRange] = useState(() => ({ from: nowUs() - 86400e6, to: nowUs() }));
  const { found, problem, begin, cancel } = useBacktest();
  const isRunning = found?.state === "running";
  const run = () => begin(text, span ? { from: span, to: "now" } : { from: timeText(range.from), to: timeText(range.to) });
  return html`<section class="backtest" aria-label="Backtest">
    <div class="actions">
      <button disabled=${isRunning || !text.trim()} onClick=${run}>Try it on the last</button>
      <select aria-label="Range" value=${span} onChange=${(event) => setSpan(event.currentTarget.value)}>
        ${SPANS.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select>
      ${!span && html`<${Range} range=${range} set=${setRange} />`}
      ${isRunning && html`<progress value=${found.progress} max="1" aria-label="Progress"></progress>
        <button onClick=${cancel}>Cancel</button>`}
    </div>
    ${problem && html`<p class="bad-text" role="alert">${problem}</p>`}
    ${found && found.state !== "failed" && html`<${Found} found=${found} text=${text} />`}
  </section>`;
}
