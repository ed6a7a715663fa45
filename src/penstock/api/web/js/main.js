/** Starts the page and lays its parts out. `window.penstock` is for tests and the console. */

import { html, render, useEffect, useRef } from "./html.js";
import { Icon } from "./icons.js";
import { AlarmsView } from "./alarms/view.js";
import { ChartView } from "./chartview.js";
import { Header } from "./header.js";
import { HealthView, watchHealth } from "./health.js";
import { DevicesView } from "./fleet/devices.js";
import { AccountView } from "./people/account.js";
import { OrganisationView } from "./people/organisation.js";
import { AppsView } from "./apps/apps.js";
import { ThingsView } from "./things/explorer.js";
import { isStranger, watchSession } from "./session.js";
import { SignIn } from "./signin.js";
import { StreamList } from "./list.js";
import { ValuesView } from "./values.js";
import { Welcome } from "./welcome.js";
import { readDatastreams } from "./catalog.js";
import { wantLatest } from "./latest.js";
import { suggestWhenKnown } from "./suggestion.js";
import { app, keepInUrl, learn, useApp } from "./state.js";

const TABS = [
  ["streams", "Streams"],
  ["chart", "Chart"],
  ["values", "Values"],
  ["alarms", "Alarms"],
  ["devices", "Devices"],
  ["apps", "Apps"],
  ["things", "Explore"],
  ["health", "Health"],
  ["organisation", "Organisation"],
];
/** Views that need the whole width: the list of datastreams makes room. */
const WIDE = ["alarms", "devices", "apps", "things", "health", "organisation", "account"];

function Tabs({ view, health }) {
  const session = useApp((state) => state.session);
  const isOffered = { organisation: !session.isBare, health: session.administrator };
  const waiting = (health?.dead_letters ?? 0) + (health?.devices_pending ?? 0);
  const tabs = useRef(null);
  // On a phone they do not all fit: the present one is brought into view.
  useEffect(() => tabs.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [view]);
  return html`<nav ref=${tabs} class="tabs" aria-label="Views">
    ${TABS.filter(([id]) => isOffered[id] ?? true).map(([id, label]) => html`<button key=${id} class=${`tab tab-${id}`}
        aria-current=${view === id ? "page" : undefined} onClick=${() => app.set(id === "devices" ? { view: id, device: null } : { view: id })}>
      <${Icon} name=${id} /><span>${label}</span>
      ${id === "health" && waiting > 0 && html`<span class="badge">
        ${waiting > 99 ? "99+" : waiting}<span class="visually-hidden"> waiting</span></span>`}
    </button>`)}
  </nav>`;
}

function App() {
  const view = useApp((state) => state.view);
  const health = useApp((state) => state.health);
  const picked = useApp((state) => state.picked);
  const infos = useApp((state) => state.infos);
  const theme = useApp((state) => state.theme);
  const isNew = health !== null && health.datastreams_total === 0 && infos.size === 0;
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  useEffect(() => {
    const unknown = picked.filter((id) => !infos.has(id));
    if (unknown.length) readDatastreams(unknown).then(learn, () => {});
  }, [picked]);
  useEffect(() => wantLatest("chart", picked), [picked]);
  useEffect(watchHealth, []);
  const isWelcome = isNew && ["streams", "chart", "values"].includes(view);
  const isWide = WIDE.includes(view);
  return html`
    <a class="skip" href="#main">Skip to the content</a>
    <${Header} />
    <${Tabs} view=${view} health=${health} />
    <div class=${`frame showing-${view} ${isWelcome || isWide ? "is-wide" : ""}`}>
      <aside class="side"><${StreamList} key=${isNew} /></aside>
      <main id="main">
        ${isWelcome && html`<${Welcome} />`}
        <${ChartView} isShown=${!isWelcome && (view === "chart" || view === "streams")} />
        <${ValuesView} isShown=${!isWelcome && view === "values"} />
        <${AlarmsView} isShown=${view === "alarms"} />
        <${DevicesView} isShown=${view === "devices"} />
        <${AppsView} isShown=${view === "apps"} />
        <${ThingsView} isShown=${view === "things"} />
        <${HealthView} isShown=${view === "health"} />
        <${OrganisationView} isShown=${view === "organisation"} />
        <${AccountView} isShown=${view === "account"} />
      </main>
    </div>`;
}

/** What one sees depends on who one is. */
function Gate() {
  const session = useApp((state) => state.session);
  const isLost = useApp((state) => state.reachable === false);
  if (isStranger(session)) return html`<${SignIn} />`;
  if (session) return html`<${App} />`;
  return html`<p class="nothing">${isLost ? "The server does not answer. This page keeps trying." : ""}</p>`;
}

window.penstock = {
  /** The state of the page: `penstock.app.get()`. */
  app,
  /** The chart once it is shown: `penstock.chart.traces`, `penstock.chart.live`. */
  chart: null,
  /** Points of a datastream as the chart holds them: `[times in microseconds, values]`. */
  points: (id, from, to) => window.penstock.chart?.traces.get(id)?.points(from, to) ?? [[], []],
};

const isBareAddress = !location.hash;
keepInUrl();
if (isBareAddress) suggestWhenKnown();
watchSession();
render(html`<${Gate} />`, document.getElementById("app"));
