/** An entity of the SensorThings API: one line, and on demand everything about it. */

import { html, useState } from "../html.js";
import { hashWith } from "../state.js";
import { linked, linksOf, nameOf, noteOf, pathOf, propertiesOf, setOf } from "./service.js";

const text = (value) => (typeof value === "object" ? JSON.stringify(value, null, 1) : String(value));

/** The Datastream whose chart shows an entity, or null. */
function chartOf(set, entity) {
  if (set === "Datastreams") return entity["@iot.id"];
  const stream = set === "Observations" ? entity.Datastream?.["@iot.id"] : null;
  return typeof stream === "number" ? stream : null;
}

function Properties({ entity }) {
  return html`<dl class="things-properties">
    ${propertiesOf(entity).map(([name, value]) => html`<div key=${name}>
      <dt>${name}</dt>
      <dd>${typeof value === "object" ? html`<pre>${text(value)}</pre>` : text(value)}</dd>
    </div>`)}
  </dl>`;
}

/** Entities in place of a link, with the way to the rest of them. */
function Expanded({ name, entities, path, next, go }) {
  return html`<section class="things-expanded" aria-label=${name}>
    <h3>${name} ${entities.length === 0 && html`<span class="muted">none</span>`}</h3>
    <ul class="rows">${entities.map((entity) => html`<${Entity} key=${entity["@iot.id"]}
      set=${setOf(name)} entity=${entity} go=${go} />`)}</ul>
    ${next && html`<button class="as-link" onClick=${() => go(`${path}/${name}`)}>all ${name}</button>`}
  </section>`;
}

/** A row; `go(path)` leads elsewhere. */
export function Entity({ set, entity, go }) {
  const [isOpen, setOpen] = useState(false);
  const path = pathOf(set, entity);
  const chart = chartOf(set, entity);
  const shown = linked(entity);
  const inPlace = shown.map(([name]) => name);
  return html`<li class="things-entity">
    <button class="opener" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
      <span class="row-name">${nameOf(set, entity)}<code>${entity["@iot.id"]}</code></span>
      <span class="muted ellipsis">${noteOf(set, entity)}</span>
    </button>
    ${chart !== null && html`<a class="quiet" href=${hashWith({ view: "chart", picked: [chart] })}>Chart</a>`}
    ${isOpen && html`<div class="opened">
      <${Properties} entity=${entity} />
      <div class="actions">
        ${linksOf(set).filter((link) => !inPlace.includes(link)).map((link) => html`<button key=${link}
          class="as-link" onClick=${() => go(`${path}/${link}`)}>${link}</button>`)}
        <a class="small" href=${entity["@iot.selfLink"]} target="_blank" rel="noreferrer">as JSON</a>
      </div>
    </div>`}
    ${shown.map(([name, entities, next]) => html`<${Expanded} key=${name} name=${name}
      entities=${entities} path=${path} next=${next} go=${go} />`)}
  </li>`;
}
