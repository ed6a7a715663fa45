/** Whether a device is there: a dot, and how long ago it was heard of. */

import { html } from "../html.js";
import { nowUs } from "../api.js";
import { formatAge } from "../format.js";

const TONES = new Map([[true, ["ok", "online"]], [false, ["off", "offline"]], [null, ["none", "not known"]]]);

export function OnlineDot({ device }) {
  const [tone, word] = TONES.get(device.online ?? null);
  return html`<span class=${`presence ${tone}`} title=${word}>
    <span class="dot" aria-hidden="true"></span><span class="visually-hidden">${word}</span></span>`;
}

/** `12 s ago`, `now`, or a dash when it was never heard of. */
export function agoText(timeUs) {
  if (timeUs === null || timeUs === undefined) return "\u2013";
  const age = formatAge(nowUs() - timeUs);
  return ["now", "ahead"].includes(age) ? "now" : `${age} ago`;
}
