/** Names that are too long for their place: cut in the middle, since their ends tell them apart. */

import { html } from "./html.js";

/** Characters of the end that stay. */
const END = 12;

export function Name({ text = "" }) {
  if (text.length <= 2 * END) return html`<span class="cut"><span class="cut-head">${text}</span></span>`;
  return html`<span class="cut"><span class="cut-head">${text.slice(0, -END)}</span><span class="cut-end">${text.slice(-END)}</span></span>`;
}
