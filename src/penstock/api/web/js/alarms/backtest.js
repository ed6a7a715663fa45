/** A rule tried on the past: its episodes on a line of time, and as a list. */

import { html, useEffect, useState } from "../html.js";
import { formatCount, formatTime } from "../format.js";
import { useApp } from "../state.js";
import { beginBacktest, cancelBacktest, readBacktest } from "./api.js";

const SPANS = [["now-1h", "1 h"], ["now-1d", "1 day"], ["now-7d", "7 days"], ["now-30d", "30 days"]];
const LOOK_MS = 250;
const LANES = 40;
const SHOWN = 200;

const secondsText = (seconds) => (seconds < 120 ? `${Number(seconds.toPrecision(3))} s` : `${Number((seconds / 60).toPrecision(3))} min`);

/** Each subject has a lane; the width of a bar is how long the alarm would have been active. */
function Lanes({ found }) {
  const utc = useApp((state) => state.utc);
  const subjects = [...new Set(found.episodes.map((one) => one.subject))].slice(0, LANES);
  const range = found.end_us - found.start_us;
  const at = (time) => (100 * (Math.min(Math.max(time, found.start_us), found.end_us) - found.start_us)) / range;
  return html`<div class="lanes" role="img" aria-label=${`${found.count} episodes of ${found.keys} subjects`}>
    ${subjects.map((subject) => html`<div class="lane" key=${subject}><span class="lane-name">${subject}</span>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none">${found.episodes.filter((one) => one.subject === subject).map((one) => {
        const left = at(one.span.raised_us);
        const width = Math.max(0.3, at(one.span.cleared_us ?? found.end_us) - left);
        return html`<rect key=${one.span.start_us} x=${Math.min(left, 99.7)} y="1" width=${width} height="8"><title>${one.message}</title></rect>`;
      })}</svg></div>`)}
    <div class="lane-ends muted"><span>${formatTime(found.start_us, utc)}</span><span>${formatTime(found.end_us, utc)}</span></div>
  </div>`;
}

export function BacktestPanel({ text }) {
  const utc = useApp((state) => state.utc);
  const [from, setFrom] = useState("now-1d");
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState("");
  const isRunning = found?.state === "running";
  useEffect(() => {
    if (!isRunning) return undefined;
    const timer = setTimeout(() => readBacktest(found.id).then(setFound, (error) => {
      setProblem(error.message);
      setFound(null);
    }), LOOK_MS);
    return () => clearTimeout(timer);
  }, [found]);
  const begin = () => {
    setProblem("");
    beginBacktest(text, from).then(setFound, (error) => setProblem(error.message));
  };
  return html`<div class="backtest">
    <div class="actions">
      <button disabled=${isRunning || !text.trim()} onClick=${begin}>Try it on the last</button>
      <select aria-label="Range" value=${from} onChange=${(event) => setFrom(event.currentTarget.value)}>
        ${SPANS.map(([value, label]) => html`<option key=${value} value=${value}>${label}</option>`)}</select>
      ${isRunning && html`<progress value=${found.progress} max="1" aria-label="Progress"></progress>
        <button onClick=${() => { cancelBacktest(found.id); setFound(null); }}>Cancel</button>`}
    </div>
    ${(problem || found?.message) && html`<p class="bad-text" role="alert">${problem || found.message}</p>`}
    ${found && html`<p role="status">It would have raised <strong>${formatCount(found.count)}</strong> episodes of ${formatCount(found.keys)} subjects,${" "}
      ${secondsText(found.active_s)} in all, the longest ${secondsText(found.longest_s)}; ${formatCount(found.rows)} rows were looked at.</p>`}
    ${found?.episodes.length > 0 && html`<${Lanes} found=${found} />
      <div class="table-scroll" tabindex="0" aria-label="Episodes"><table><thead><tr>
        <th scope="col">Raised</th><th scope="col">Returned</th><th scope="col">Message</th></tr></thead>
      <tbody>${found.episodes.slice(0, SHOWN).map((one) => html`<tr key=${`${one.key} ${one.span.start_us}`}>
        <td class="number">${formatTime(one.span.raised_us, utc)}</td>
        <td class="number">${one.span.cleared_us ? formatTime(one.span.cleared_us, utc) : "\u2013"}</td>
        <td class="text">${one.message}</td></tr>`)}</tbody></table></div>`}
  </div>`;
}
