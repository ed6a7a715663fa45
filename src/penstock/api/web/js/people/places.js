/** One company, or one system: who runs it and what belongs to it. */

import { html, useState } from "../html.js";
import { Field, Said, Sure } from "../form.js";
import { formatDate } from "../format.js";
import { useDoing } from "../loading.js";
import { may } from "../session.js";
import { app, hashWith, useApp } from "../state.js";
import { addSystem, changeSystem, describeCompany, removeCompany, removeSystem } from "./api.js";
import { Clients } from "./clients.js";
import { Description } from "./description.js";
import { Members } from "./members.js";

export const placeLink = (kind, id) => hashWith({ view: "organisation", part: null, place: { kind, id } });

/** The default company and system are always there. */
const isDefault = (place) => place.id === 1;

/** Name as a heading with what kind it is, its description, since when, and its removal. */
function Head({ kind, place, mayChange, save, remove, reload }) {
  const utc = useApp((state) => state.utc);
  const doing = useDoing();
  const go = () => doing.run(async () => {
    await remove(place.id);
    app.set({ place: null });
    reload();
  });
  return html`<section class="card" aria-label=${kind}>
    <p class="crumbs"><a href=${hashWith({ place: null })}>Companies</a>
      ${place.company && html` › <a href=${placeLink("company", place.company_id)}>${place.company}</a>`}</p>
    <h1 class="place-name">${place.name}</h1>
    <${Description} key=${place.id} text=${place.description} mayChange=${mayChange} save=${save} />
    <p class="muted">${kind} ${place.id}${place.created_us > 0 && `, made ${formatDate(place.created_us, utc)}`}
      ${place.created_by && ` by ${place.created_by}`}</p>
    ${mayChange && !isDefault(place) && html`<div class="actions">
      <${Sure} label=${`Remove this ${kind.toLowerCase()}`} sure="Really remove?" act=${go}
        disabled=${doing.isBusy} /></div>`}
    <${Said} doing=${doing} />
  </section>`;
}

function NewSystem({ company, reload }) {
  const [workcenter, setWorkcenter] = useState("");
  const [station, setStation] = useState("");
  const doing = useDoing();
  const submit = (event) => {
    event.preventDefault();
    doing.run(async () => {
      const made = await addSystem({ company: company.id, workcenter: workcenter.trim(), station: station.trim() });
      await reload();
      app.set({ place: { kind: "system", id: made.id } });
    });
  };
  const name = `${company.name}.${workcenter.trim() || "workcenter"}.${station.trim() || "station"}`;
  return html`<form class="inline-form" onSubmit=${submit} aria-label="New system">
    <${Field} label="Workcenter" value=${workcenter} onValue=${setWorkcenter} maxlength="30" />
    <${Field} label="Station" value=${station} onValue=${setStation} maxlength="20" />
    <button type="submit" disabled=${doing.isBusy || !workcenter.trim() || !station.trim()}>Make a system</button>
    <p class="field-hint">Its name will be ${name}; letters, digits and - are allowed.</p>
    <${Said} doing=${doing} />
  </form>`;
}

export function Company({ company, systems, reload }) {
  const mayChange = useApp((state) => may.runCompany(state, company.id));
  return html`<div class="stack">
    <${Head} kind="Company" place=${company} mayChange=${mayChange} remove=${removeCompany} reload=${reload}
      save=${(text) => describeCompany(company.id, text).then(reload)} />
    <section class="card" aria-label="Administrators">
      <h2>Administrators</h2>
      <${Members} key=${company.id} place=${`companies/${company.id}/administrators`} role="administrator"
        members=${company.administrators} mayChange=${mayChange} reload=${reload} />
    </section>
    <section class="card" aria-label="Systems">
      <h2>Systems <span class="count">${systems.length}</span></h2>
      <ul class="rows">${systems.map((system) => html`<li key=${system.id}>
        <a class="row-name" href=${placeLink("system", system.id)}>${system.name}</a>
        <span class="muted">${system.description}</span>
      </li>`)}</ul>
      ${mayChange && html`<${NewSystem} key=${company.id} company=${company} reload=${reload} />`}
    </section>
  </div>`;
}

export function System({ system, reload }) {
  const mayChange = useApp((state) => may.runSystem(state, system.id));
  const isPlatform = useApp(may.runPlatform);
  const save = (change) => changeSystem(system.id, change).then(reload);
  const toTopics = (text) => text.split(/[\s,]+/).filter(Boolean);
  return html`<div class="stack">
    <${Head} kind="System" place=${system} mayChange=${mayChange} remove=${removeSystem} reload=${reload}
      save=${(description) => save({ description })} />
    ${(mayChange || system.agents.length > 0) && html`<section class="card" aria-label="Agents">
      <h2>Agents</h2>
      <${Members} key=${system.id} place=${`systems/${system.id}/agents`} role="agent"
        members=${system.agents} mayChange=${mayChange} reload=${reload} />
    </section>`}
    ${mayChange && html`<${Clients} key=${system.id} system=${system.id} mayChange=${mayChange} />`}
    ${mayChange && !isDefault(system) && html`<section class="card" aria-label="Topics">
      <h2>Topics</h2>
      <p class="muted">Its own: <code>${system.name}/#</code>. Further ones, for devices that
        choose their topics themselves:</p>
      <${Description} key=${system.id} label="Further topics" text=${system.topics.join(", ")}
        none="None." mayChange=${isPlatform} save=${(text) => save({ topics: toTopics(text) })} />
    </section>`}
  </div>`;
}
