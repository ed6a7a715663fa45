/** Which stretch of time is shown: presets, a range of one's own, steps, downloads. */

import { html, useState } from "./html.js";
import { Icon } from "./icons.js";
import { Downloads } from "./download.js";
import { RangeForm } from "./rangeform.js";
import { formatClock, formatDate, formatTime, zoneName } from "./format.js";
import { PRESETS, parseSpan, readableSpan } from "./spans.js";
import { useApp } from "./state.js";
import { follow, followAgain, pan, zoom } from "./timeline.js";

const DAY_US = 86400e6;

/** A fixed stretch in words, no finer than it needs to be. */
function stretchText({ from, to }, utc) {
  const [first, last] = [formatDate(from, utc), formatDate(to, utc)];
  const span = readableSpan(to - from);
  if (to - from > 2 * DAY_US) return `${first} \u2013 ${last} (${span})`;
  const decimals = to - from < 10e6 ? 3 : 0;
  const end = first === last ? formatClock(to, utc, decimals) : formatTime(to, utc, decimals);
  return `${formatTime(from, utc, decimals)} \u2013 ${end} (${span})`;
}

function Step({ icon, label, act, className = "", disabled = false }) {
  return html`<button class=${`quiet square ${className}`} aria-label=${label} title=${label}
    disabled=${disabled} onClick=${act}><${Icon} name=${icon} /></button>`;
}

export function RangeBar() {
  const range = useApp((state) => state.range);
  const utc = useApp((state) => state.utc);
  const [isCustom, setCustom] = useState(false);
  const isLive = Boolean(range.live);
  const said = isLive ? `Following, last ${readableSpan(range.live)}` : stretchText(range, utc);
  const choose = (name) => {
    setCustom(false);
    follow(parseSpan(name));
  };
  const preset = (name) => html`<button key=${name} class="segment"
    aria-pressed=${range.live === parseSpan(name)} onClick=${() => choose(name)}>${name}</button>`;
  return html`<div class="range">
    <div class="range-buttons" role="group" aria-label="Time range">
      ${PRESETS.map(preset)}
      <button class="segment" aria-pressed=${!isLive} aria-expanded=${isCustom}
        onClick=${() => setCustom(!isCustom)}>custom</button>
    </div>
    <div class="range-moves">
      <${Step} icon="left" label="Earlier" act=${() => pan(-0.5)} />
      <${Step} icon="right" label="Later" act=${() => pan(0.5)} disabled=${isLive} />
      <${Step} icon="plus" label="Zoom in" act=${() => zoom(2)} className="zoom" />
      <${Step} icon="minus" label="Zoom out" act=${() => zoom(0.5)} className="zoom" />
      <button class=${`quiet go-live ${isLive ? "on" : ""}`} aria-pressed=${isLive}
          onClick=${() => isLive || followAgain()}>
        <span class="dot" aria-hidden="true"></span>Live
      </button>
      <span class="range-said" title=${`${said}, ${zoneName(utc)}`}>${said} · ${zoneName(utc)}</span>
      <${Downloads} />
    </div>
    ${isCustom && html`<${RangeForm} close=${() => setCustom(false)} />`}
  </div>`;
}
