/** Companies and their systems as a tree, with the chosen one beside it. */

import { html, useState } from "../html.js";
import { Field, Said } from "../form.js";
import { useDoing, useLoaded } from "../loading.js";
import { Name } from "../names.js";
import { learnSession } from "../session.js";
import { app, useApp } from "../state.js";
import { addCompany, listCompanies, listSystems } from "./api.js";
import { Company, placeLink, System } from "./places.js";

function NewCompany({ reload }) {
  const [name, setName] = useState("");
  const doing = useDoing();
  const submit = (event) => {
    event.preventDefault();
    doing.run(async () => {
      const made = await addCompany({ name: name.trim() });
      setName("");
      await reload();
      app.set({ place: { kind: "company", id: made.id } });
    });
  };
  return html`<form class="inline-form new-company" onSubmit=${submit} aria-label="Make a company">
    <${Field} label="New company" value=${name} onValue=${setName} placeholder="com.example" maxlength="20"
      hint="Domain and name, like com.example" autocapitalize="none" />
    <button type="submit" disabled=${doing.isBusy || !name.trim()}>Make</button>
    <${Said} doing=${doing} />
  </form>`;
}

/** The part of a system's name that its company's does not say already. */
const within = (system, company) =>
  system.name.startsWith(`${company.name}.`) ? system.name.slice(company.name.length + 1) : system.name;

function Node({ kind, place, label, isCurrent }) {
  return html`<a class=${`node node-${kind}`} href=${placeLink(kind, place.id)}
    aria-current=${isCurrent ? "true" : undefined} title=${place.name} aria-label=${label}><${Name} text=${label} /></a>`;
}

function Tree({ companies, systems, place, reload, isWelcomed }) {
  const is = (kind, one) => place?.kind === kind && place.id === one.id;
  const known = new Set(companies.map((company) => company.id));
  const shared = systems.filter((system) => !known.has(system.company_id));
  return html`<nav class="tree card" aria-label="Companies and systems">
    <h2>Companies</h2>
    ${companies.map((company) => html`<div key=${company.id}>
      <${Node} kind="company" place=${company} label=${company.name} isCurrent=${is("company", company)} />
      ${systems.filter((system) => system.company_id === company.id).map((system) => html`<${Node}
        key=${system.id} kind="system" place=${system} label=${within(system, company)}
        isCurrent=${is("system", system)} />`)}
    </div>`)}
    ${shared.length > 0 && html`<div><h3>Shared with you</h3>${shared.map((system) => html`<${Node}
      key=${system.id} kind="system" place=${system} label=${system.name} isCurrent=${is("system", system)} />`)}</div>`}
    ${isWelcomed && companies.length === 0 && html`<p class="muted">You work for no company yet. Make one,
      or ask an administrator or agent to add you.</p>`}
    <${NewCompany} reload=${reload} />
  </nav>`;
}

export function Structure() {
  const place = useApp((state) => state.place);
  const session = useApp((state) => state.session);
  const companies = useLoaded(listCompanies, [session.id]);
  const systems = useLoaded(listSystems, [session.id]);
  // With a company or system of one's own one may do more than before.
  const reload = () => Promise.all([companies.reload(), systems.reload(), learnSession()]);
  const problem = companies.error ?? systems.error;
  const [all, parts] = [companies.data ?? [], systems.data ?? []];
  const company = place?.kind === "company" && all.find((one) => one.id === place.id);
  const system = place?.kind === "system" && parts.find((one) => one.id === place.id);
  const isKnown = companies.data && systems.data;
  return html`<div class=${`split ${place ? "has-choice" : ""}`}>
    <${Tree} companies=${all} systems=${parts} place=${place} reload=${reload} isWelcomed=${isKnown} />
    <div class="split-detail">
      ${problem && html`<p class="bad-text" role="alert">${problem.message}</p>`}
      ${company && html`<${Company} company=${company} reload=${reload}
        systems=${parts.filter((one) => one.company_id === company.id)} />`}
      ${system && html`<${System} system=${system} reload=${reload} />`}
      ${place && isKnown && !company && !system && html`<p class="nothing">There is no such ${place.kind},
        or it is not yours to see.</p>`}
      ${!place && isKnown && html`<p class="nothing">Companies have systems; systems have devices and
        programs (clients) and agents who look after them. Choose one to see who works with it.</p>`}
    </div>
  </div>`;
}
