/** Dead letters: messages that could not become observations, with why, replay and discard. */

import { html, useEffect, useState } from "./html.js";
import { discardDeadLetters, listDeadLetters, replayDeadLetters } from "./catalog.js";
import { formatCount, formatTime } from "./format.js";
import { useApp } from "./state.js";

const PAGE = 50;
const COLUMNS = ["Arrived", "Topic", "Reason", "Payload", "From"];

const payloadText = ({ payload, payload_base64: base64 }) => payload ?? `base64: ${base64}`;

export function DeadLetters({ waiting }) {
  const utc = useApp((state) => state.utc);
  const [letters, setLetters] = useState([]);
  const [next, setNext] = useState(null);
  const [said, setSaid] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [isSure, setSure] = useState(false);

  const load = async (after) => {
    try {
      const page = await listDeadLetters(after, PAGE);
      setLetters((before) => (after ? [...before, ...page.items] : page.items));
      setNext(page.next);
    } catch (error) {
      setSaid(error.message);
    }
  };
  useEffect(() => {
    if (waiting === 0) setLetters([]);
    else load(null);
  }, [waiting]);

  const act = async (work, describe) => {
    setBusy(true);
    setSure(false);
    try {
      setSaid(describe(await work()));
    } catch (error) {
      setSaid(error.message);
    }
    setBusy(false);
    load(null);
  };
  const replay = () => act(replayDeadLetters, ({ messages, observations, failed }) =>
    `${formatCount(messages)} messages read again: ${formatCount(observations)} observations stored, `
      + `${formatCount(failed)} failed again.`);
  const discard = () => (isSure
    ? act(discardDeadLetters, (done) => `${formatCount(done?.discarded ?? 0)} messages dropped.`)
    : setSure(true));

  return html`<section class="card wide" aria-label="Dead letters">
    <h2>Dead letters <span class="count">${formatCount(waiting)}</span></h2>
    <p class="muted">
      Messages that could not become observations. Correct the route, then replay them.
    </p>
    <div class="actions">
      <button onClick=${replay} disabled=${isBusy || waiting === 0}>Replay all</button>
      <button class=${isSure ? "danger" : ""} onClick=${discard} onBlur=${() => setSure(false)}
        disabled=${isBusy || waiting === 0}>${isSure ? "Really discard all?" : "Discard all"}</button>
      <span role="status">${isBusy ? "working \u2026" : said}</span>
    </div>
    ${letters.length > 0 && html`<div class="table-scroll" tabindex="0"
        aria-label="Table of dead letters">
      <table class="letters">
        <thead><tr>${COLUMNS.map((label) => html`<th key=${label} scope="col">${label}</th>`)}</tr></thead>
        <tbody>${letters.map((letter) => html`<tr key=${letter.id}>
          <td class="number">${formatTime(letter.arrived_us, utc)}</td>
          <td class="text">${letter.topic}</td><td class="text reason">${letter.reason}</td>
          <td class="text payload"><code>${payloadText(letter)}</code></td>
          <td class="text">${letter.client}</td>
        </tr>`)}</tbody>
      </table>
    </div>`}
    ${next && html`<button onClick=${() => load(next)}>More</button>`}
  </section>`;
}
