/** Names that are too long for their place: cut in the middle, since their ends tell them apart. */

import { html } from "./html.js";

/** Characters of the end that stay, at most; names no longer than that are cut at their end. */
const END = 12;

export function Name({ text = "" }) {
  const end = text.length > END ? Math.min(END, Math.floor(text.length / 2)) : 0;
  const at = text.length - end;
  return html`<span class="cut"><span class="cut-head">${text.slice(0, at)}</span>${end > 0
    && html`<span class="cut-end">${text.slice(at)}</span>`}</span>`;
}
