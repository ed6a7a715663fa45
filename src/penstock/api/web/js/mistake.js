/** A mistake in SQL, shown at its place. */

import { html } from "./html.js";

/** The line that an error speaks of, with its place marked. */
export function Mistake({ sql, problem }) {
  const place = /^line (\d+), column (\d+): /.exec(problem);
  const line = place ? sql.split("\n")[place[1] - 1] ?? "" : "";
  const at = place ? place[2] - 1 : 0;
  const word = /^\w+|./.exec(line.slice(at))?.[0] ?? "";
  return html`<div class="things-mistake" role="alert">
    ${place && html`<code>${line.slice(0, at)}<mark>${word || "\u00a0"}</mark>${line.slice(at + word.length)}</code>`}
    <span class="bad-text">${problem}</span>
  </div>`;
}
