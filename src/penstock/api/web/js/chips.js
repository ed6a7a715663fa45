/** The datastreams on the chart: legend, value at the cursor or newest, extremes, removal. */

import { html } from "./html.js";
import { Icon } from "./icons.js";
import { formatNumber, formatValue, shortName, unitText } from "./format.js";
import { Name } from "./names.js";
import { look, shownTheme } from "./palette.js";
import { togglePicked, useApp } from "./state.js";
import { edges } from "./timeline.js";

/** The cursor reads the nearest point within this share of the span. */
const REACH = 1 / 40;

function Extent({ trace, from, to, isKnown }) {
  const extent = trace && !trace.isText ? trace.extent(from, to) : null;
  if (!extent) {
    const isEmpty = isKnown && !trace?.isText;
    return html`<span class="chip-extent">${isEmpty ? "no values in view" : "\u00a0"}</span>`;
  }
  return html`<span class="chip-extent">
    <span>min ${formatNumber(extent.min, 4)}</span>
    <span>max ${formatNumber(extent.max, 4)}</span>
    <span>avg ${formatNumber(extent.mean, 4)}</span>
  </span>`;
}

function Chip({ id, position, chart, cursor, theme }) {
  const info = useApp((state) => state.infos.get(id));
  const latest = useApp((state) => state.latest.get(id));
  const trace = chart?.traces.get(id);
  const { from, to } = edges();
  const { colour, dash } = look(position, theme);
  const isNewest = cursor === null || trace?.isText;
  const value = isNewest
    ? formatValue(latest, info?.observation_type)
    : formatNumber(trace?.nearest(cursor, (to - from) * REACH)?.value);
  const name = info?.name ?? `Datastream ${id}`;
  return html`<li class="chip">
    <svg class="swatch" viewBox="0 0 22 10" aria-hidden="true">
      ${!trace?.isText && html`<line x1="0" y1="5" x2="22" y2="5" stroke=${colour} stroke-width="3"
        stroke-dasharray=${dash.join(" ")} />`}
    </svg>
    <span class="chip-name" title=${name}>
      <${Name} text=${info ? shortName(info) : name} />
      ${info && html` <span class="chip-thing"><${Name} text=${info.thing} /></span>`}
    </span>
    <span class="chip-row">
      <span class="chip-value" title=${value}>
        ${value}<span class="chip-unit">${unitText(info?.unit)}</span>
      </span>
      <${Extent} trace=${trace} from=${from} to=${to} isKnown=${Boolean(info)} />
    </span>
    <button class="quiet square chip-remove" aria-label=${`Remove ${name}`}
      onClick=${() => togglePicked(id)}><${Icon} name="close" /></button>
  </li>`;
}

export function Chips({ chart, cursor }) {
  const picked = useApp((state) => state.picked);
  const theme = shownTheme(useApp((state) => state.theme));
  if (picked.length === 0) return null;
  return html`<ul class="chips" aria-label="Datastreams on the chart">
    ${picked.map((id, position) => html`<${Chip} key=${id} id=${id} position=${position}
      chart=${chart} cursor=${cursor} theme=${theme} />`)}
  </ul>`;
}
