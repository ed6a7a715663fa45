/** Explore the SensorThings API: a set, a filter, an order, what to expand, page by page. */

import { html, useEffect, useRef, useState } from "../html.js";
import { Copyable, Field } from "../form.js";
import { formatCount } from "../format.js";
import { useLoaded } from "../loading.js";
import { app, useApp } from "../state.js";
import { Entity } from "./entity.js";
import { SETS, addressOf, linksOf, placeOf, readPage, segmentsOf, setAt } from "./service.js";

const SIZE = 20;
export const FIRST = { path: "Things", filter: "", order: "", expand: [] };

/** The text of an option with the place that an error speaks of marked. */
function Mistake({ place, value }) {
  const at = Math.min(place.at, value.length);
  return html`<p class="things-mistake" role="alert">
    <code>${value.slice(0, at)}<mark>${value.slice(at, at + 1) || "\u00a0"}</mark>${value.slice(at + 1)}</code>
    <span class="bad-text">${place.says}</span>
  </p>`;
}

/** Where one is: each part of the path leads back to it. */
function Trail({ path, go }) {
  const segments = segmentsOf(path);
  return html`<nav class="things-trail" aria-label="Path">
    ${segments.map((segment, number) => html`<button key=${number} class="as-link"
      aria-current=${number === segments.length - 1 ? "location" : undefined}
      onClick=${() => go(segments.slice(0, number + 1).join("/"))}>${segment}</button>`)}
  </nav>`;
}

/** All sets: in a row, or where there is no room for it, to choose from. */
function Sets({ path, go }) {
  return html`<div class="range-buttons not-phone" role="group" aria-label="Entity sets">
      ${SETS.map((one) => html`<button key=${one} class="segment" aria-pressed=${path === one}
        onClick=${() => go(one)}>${one}</button>`)}
    </div>
    <select class="only-phone things-set" aria-label="Entity set" value=${SETS.includes(path) ? path : ""}
      onChange=${(event) => go(event.currentTarget.value)}>
      ${!SETS.includes(path) && html`<option value="" disabled>another set \u2026</option>`}
      ${SETS.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
    </select>`;
}

function Question({ asked, problem, ask }) {
  const [filter, setFilter] = useState(asked.filter);
  const [order, setOrder] = useState(asked.order);
  useEffect(() => {
    setFilter(asked.filter);
    setOrder(asked.order);
  }, [asked]);
  const place = problem && placeOf(problem);
  const send = (event) => {
    event.preventDefault();
    ask({ filter: filter.trim(), order: order.trim() });
  };
  const turn = (link) => ask({
    filter: filter.trim(),
    order: order.trim(),
    expand: asked.expand.includes(link)
      ? asked.expand.filter((one) => one !== link)
      : [...asked.expand, link],
  });
  return html`<form class="things-question" onSubmit=${send}>
    <div class="inline-form">
      <${Field} label="Filter" value=${filter} onValue=${setFilter} placeholder="name eq 'oven'"
        aria-invalid=${place?.option === "filter"} />
      <${Field} label="Order by" value=${order} onValue=${setOrder} placeholder="name desc"
        aria-invalid=${place?.option === "orderby"} />
      <button class="primary">Ask</button>
    </div>
    ${place && html`<${Mistake} place=${place} value=${{ filter: asked.filter, orderby: asked.order, expand: asked.expand.join(",") }[place.option] ?? ""} />`}
    ${problem && !place && html`<p class="bad-text" role="alert">${problem.message}</p>`}
    <div class="actions things-expand" role="group" aria-label="Expand">
      <span class="muted small">Expand</span>
      ${linksOf(setAt(asked.path)).map((link) => html`<button type="button" key=${link} class="segment things-link"
        aria-pressed=${asked.expand.includes(link)} onClick=${() => turn(link)}>${link}</button>`)}
    </div>
  </form>`;
}

/** Pages are kept by their addresses, so that one can go back. */
function usePages(asked, isShown) {
  const first = addressOf(asked, SIZE);
  const [pages, setPages] = useState([first]);
  useEffect(() => setPages([first]), [first]);
  const address = pages[0] === first ? pages.at(-1) : first;
  const { data, error } = useLoaded(
    async () => (isShown ? { ...(await readPage(address)), address } : null),
    [address, isShown],
  );
  const page = data?.address === address ? data : null;
  return {
    first,
    page,
    error: page ? null : error,
    number: pages.length,
    onward: page?.next && (() => setPages([...pages, page.next])),
    back: pages.length > 1 && (() => setPages(pages.slice(0, -1))),
  };
}

export function ThingsView({ isShown }) {
  const asked = useApp((state) => state.things) ?? FIRST;
  const { first, page, error, number, onward, back } = usePages(asked, isShown);
  const top = useRef(null);
  useEffect(() => top.current?.scrollTo(0, 0), [number]);
  const ask = (patch) => app.set({ things: { ...asked, ...patch } });
  const go = (path) => app.set({ things: { ...FIRST, path } });
  const set = setAt(asked.path);
  return html`<section class="view things-view" hidden=${!isShown} ref=${top} aria-label="SensorThings API">
    <${Sets} path=${asked.path} go=${go} />
    <div class="card">
      ${segmentsOf(asked.path).length > 1 && html`<${Trail} path=${asked.path} go=${go} />`}
      <${Question} asked=${asked} problem=${error} ask=${ask} />
    </div>
    <div class="card things-page" aria-busy=${!page && !error}>
      <div class="things-bar">
        <h2>${set} ${page?.count !== null && page && html`<span class="count">${formatCount(page.count)}</span>`}</h2>
        <div class="actions">
          <button onClick=${back || undefined} disabled=${!back}>Back</button>
          <span class="muted small">page ${number}</span>
          <button onClick=${onward || undefined} disabled=${!onward}>Next</button>
        </div>
      </div>
      ${page?.entities.length === 0 && html`<p class="muted">${asked.filter ? "Nothing matches." : "There is none yet."}</p>`}
      <ul class="rows">${(page?.entities ?? []).map((entity) => html`<${Entity}
        key=${entity["@iot.selfLink"] ?? entity["@iot.id"]} set=${set} entity=${entity} go=${go} />`)}</ul>
    </div>
    <${Copyable} text=${first} label="address" />
  </section>`;
}
