/** Health of the platform: its parts, its figures, dead letters and waiting devices. */

import { html } from "./html.js";
import { DeadLetters } from "./deadletters.js";
import { Waiting } from "./fleet/waiting.js";
import { readHealth } from "./catalog.js";
import { formatAge, formatCount, formatRate, formatTime } from "./format.js";
import { readableSpan } from "./spans.js";
import { nowUs } from "./api.js";
import { app, useApp } from "./state.js";

const EVERY_MS = 2000;
/** Requests that fail one after the other before the server counts as unreachable. */
const FAILURES = 2;

/** Ask for the health from now on, at every moment the page is visible; returns how to stop. */
export function watchHealth() {
  let timer = 0;
  let failures = 0;
  let isOver = false;
  const ask = async () => {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        app.set({ health: await readHealth(), reachable: true });
        failures = 0;
      } catch {
        failures += 1;
        if (failures >= FAILURES) app.set({ reachable: false });
      }
    }
    if (!isOver) timer = setTimeout(ask, EVERY_MS);
  };
  const look = () => document.hidden || ask();
  document.addEventListener("visibilitychange", look);
  ask();
  return () => {
    isOver = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", look);
  };
}

function Figures({ health }) {
  const rows = [
    ["MQTT connections", formatCount(health.connections)],
    ["Messages per second", formatRate(health.messages_per_s)],
    ["Observations per second", formatRate(health.observations_per_s)],
    ["Messages not stored yet", formatCount(health.lag_messages)],
    ["Oldest of them", readableSpan(health.lag_s * 1e6)],
    ["Messages in all", formatCount(health.messages_total)],
    ["Observations stored", formatCount(health.observations_total)],
    ["Datastreams", formatCount(health.datastreams_total)],
    ["Dead letters", formatCount(health.dead_letters)],
    ["Devices waiting", formatCount(health.devices_pending)],
    ["Running for", formatAge(Math.max(2e6, nowUs() - health.started_us))],
    ["Version", health.version],
  ];
  return html`<dl class="figures-grid">
    ${rows.map(([label, value]) => html`<div key=${label}><dt>${label}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

export function HealthView({ isShown }) {
  const health = useApp((state) => state.health);
  const isLost = useApp((state) => state.reachable === false);
  const utc = useApp((state) => state.utc);
  if (!isShown) return null;
  if (!health?.checks) {
    const said = health ? "How the platform stands is told to those who run it." : isLost ? "The server does not answer. This page keeps trying." : "Asking \u2026";
    return html`<section class="view health-view"><p class="nothing">${said}</p></section>`;
  }
  return html`<section class=${`view health-view ${isLost ? "stale" : ""}`} aria-label="Health">
    ${isLost && html`<p class="banner bad-text" role="alert">
      The server does not answer; these figures are old.</p>`}
    <section class="card">
      <h2>Parts</h2>
      <ul class="checks">
        ${health.checks.map((check) => html`<li key=${check.name} class=${check.ok ? "ok" : "bad"}>
          <span class="dot" aria-hidden="true"></span><strong>${check.name}</strong>
          <span class="visually-hidden">${check.ok ? "works:" : "has a problem:"}</span>
          <span>${check.message}</span>
        </li>`)}
      </ul>
    </section>
    <section class="card">
      <h2>Figures</h2>
      <${Figures} health=${health} />
      <p class="muted">Started ${formatTime(health.started_us, utc)}.</p>
    </section>
    <${Waiting} pending=${health.devices_pending} />
    <${DeadLetters} waiting=${health.dead_letters} />
  </section>`;
}
