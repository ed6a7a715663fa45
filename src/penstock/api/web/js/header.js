/** The top bar: name, connection, rates, health lights, zone and theme. */

import { html } from "./html.js";
import { Icon } from "./icons.js";
import { formatRate, zoneLabel, zoneName } from "./format.js";
import { readableSpan } from "./spans.js";
import { app, useApp } from "./state.js";
import { UserMenu } from "./usermenu.js";

const LINKS = {
  live: ["ok", "Live"],
  idle: ["ok", "Connected"],
  connecting: ["warn", "Connecting"],
  reconnecting: ["warn", "Reconnecting"],
  offline: ["bad", "Offline"],
};
const THEMES = { auto: ["auto", "system"], light: ["sun", "light"], dark: ["moon", "dark"] };

/** State of the connection, from the stream and the health requests together. */
export function connection({ link, reachable }) {
  if (link === "live") return link;
  if (reachable === null) return "connecting";
  if (reachable) return link === "offline" ? "reconnecting" : link;
  return link === "reconnecting" ? "reconnecting" : "offline";
}

function Figure({ label, value, unit, title }) {
  return html`<div class="figure" title=${title}>
    <span class="figure-label">${label}</span>
    <span class="figure-value">${value}<span class="figure-unit">${unit}</span></span>
  </div>`;
}

function Lights({ checks }) {
  return html`<button class="lights" onClick=${() => app.set({ view: "health" })}
      aria-label="Health of the parts; open details">
    ${checks.map((check) => html`<span key=${check.name} title=${check.message}
        class=${`light ${check.ok ? "ok" : "bad"}`}>
      <span class="dot" aria-hidden="true"></span>${check.name}
      <span class="visually-hidden">${check.ok ? "works" : "has a problem"}</span>
    </span>`)}
  </button>`;
}

function Toggles() {
  const utc = useApp((state) => state.utc);
  const theme = useApp((state) => state.theme);
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(theme) + 1) % names.length];
  return html`<div class="toggles">
    <button class="quiet zone" aria-pressed=${utc} onClick=${() => app.set({ utc: !utc })}
        title=${`Times are shown in ${zoneName(utc)}`}>
      ${utc ? "UTC" : `Local (${zoneLabel()})`}
    </button>
    <button class="quiet square" onClick=${() => app.set({ theme: next })}
        title=${`Theme: ${THEMES[theme][1]}`}
        aria-label=${`Theme: ${THEMES[theme][1]}; change to ${THEMES[next][1]}`}>
      <${Icon} name=${THEMES[theme][0]} />
    </button>
  </div>`;
}

export function Header() {
  const health = useApp((state) => state.health);
  const state = useApp(connection);
  const [tone, word] = LINKS[state];
  // The figures of the whole platform are not for everybody.
  const isTold = useApp((now) => now.session.administrator || Boolean(now.health?.checks));
  const rate = (name) => (health?.checks ? formatRate(health[name]) : "\u2013");
  return html`<header class=${`bar ${state === "offline" ? "stale" : ""}`}>
    <a class="brand" href="#view=chart">
      <img src="icon.svg" alt="" width="22" height="22" />Penstock</a>
    <div class=${`link ${tone}`} role="status" aria-live="polite">
      <span class="dot" aria-hidden="true"></span><span>${word}</span>
    </div>
    ${isTold && html`<div class="figures">
      <${Figure} label="in" value=${rate("messages_per_s")} unit=" msg/s"
        title="Messages taken in per second, over the last ten seconds" />
      <${Figure} label="stored" value=${rate("observations_per_s")} unit=" obs/s"
        title="Observations stored per second, over the last ten seconds" />
      <${Figure} label="lag" value=${health?.checks ? readableSpan(health.lag_s * 1e6) : "\u2013"} unit=""
        title="Age of the oldest message that is not in the store yet" />
    </div>`}
    ${health?.checks && html`<${Lights} checks=${health.checks} />`}
    <${Toggles} />
    <${UserMenu} />
  </header>`;
}
