/** Severity as colour, shape and word: none of them alone. */

import { html } from "../html.js";

const SHAPES = {
  low: "M12 5a7 7 0 1 0 0 14a7 7 0 0 0 0-14z",
  medium: "M5 5h14v14H5z",
  high: "M12 3.5L21.5 20h-19z",
  critical: "M8.2 3h7.6L21 8.2v7.6L15.8 21H8.2L3 15.8V8.2z",
};

export const SEVERITIES = Object.keys(SHAPES);

export function Severity({ of, isActive = true }) {
  return html`<span class=${`severity ${of}`}>
    <svg viewBox="0 0 24 24" aria-hidden="true" class=${isActive ? "is-active" : ""}><path d=${SHAPES[of]} /></svg>
    ${of}
  </span>`;
}
