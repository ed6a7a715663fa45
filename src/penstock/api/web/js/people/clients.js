/** Clients of a system: the programs and devices that act for it, and their keys. */

import { html, useState } from "../html.js";
import { Field, Said, Sure, Tick } from "../form.js";
import { useDoing, useLoaded } from "../loading.js";
import { addClient, changeClient, listClients, removeClient } from "./api.js";
import { Keys } from "./keys.js";

const rights = (client) =>
  [client.may_read && "reads", client.may_write && "writes"].filter(Boolean).join(" and ") || "no rights";

function Client({ client, mayChange, reload }) {
  const [isOpen, setOpen] = useState(false);
  const doing = useDoing();
  const change = (patch, said) => doing.run(() => changeClient(client.id, patch).then(reload), said);
  const topics = client.topics ? ` · only ${client.topics.join(", ")}` : "";
  return html`<li class=${`client ${client.disabled ? "over" : ""}`}>
    <button class="opener" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
      <span class="row-name">${client.name}</span>
      <span class="muted">${client.description}</span>
      <span class="muted">${client.disabled ? "disabled" : rights(client)}${topics}</span>
    </button>
    ${isOpen && html`<div class="opened">
      ${mayChange && html`<div class="actions">
        <${Tick} label="reads" checked=${client.may_read} disabled=${doing.isBusy}
          onChange=${(may) => change({ may_read: may }, "Changed.")} />
        <${Tick} label="writes" checked=${client.may_write} disabled=${doing.isBusy}
          onChange=${(may) => change({ may_write: may }, "Changed.")} />
        <${Tick} label="disabled" checked=${client.disabled} disabled=${doing.isBusy}
          onChange=${(off) => change({ disabled: off }, off ? "It is kept out now." : "It may come in.")} />
        <${Sure} label="Remove" name=${`Remove client ${client.name}`} sure="Really, with its keys?"
          act=${() => doing.run(() => removeClient(client.id).then(reload))} disabled=${doing.isBusy} />
      </div>`}
      <${Said} doing=${doing} />
      <h3>Keys of ${client.name}</h3>
      <${Keys} holder=${{ client: client.id }} mayChange=${mayChange} />
    </div>`}
  </li>`;
}

function NewClient({ system, reload }) {
  const empty = { name: "", description: "", may_read: true, may_write: true };
  const [draft, setDraft] = useState(empty);
  const doing = useDoing();
  const set = (name) => (value) => setDraft((before) => ({ ...before, [name]: value }));
  const submit = (event) => {
    event.preventDefault();
    const client = { ...draft, system, name: draft.name.trim(), description: draft.description.trim() };
    doing.run(() => addClient(client).then(reload).then(() => setDraft(empty)),
      `${client.name} made. Open it and make a key for it.`);
  };
  return html`<form class="inline-form" onSubmit=${submit} aria-label="New client">
    <${Field} label="Name of the new client" value=${draft.name} onValue=${set("name")} maxlength="60"
      autocapitalize="none" hint="Letters, digits, _ and -" />
    <${Field} label="Description" value=${draft.description} onValue=${set("description")} />
    <${Tick} label="reads" checked=${draft.may_read} onChange=${set("may_read")} />
    <${Tick} label="writes" checked=${draft.may_write} onChange=${set("may_write")} />
    <button type="submit" disabled=${doing.isBusy || !draft.name.trim()}>Make a client</button>
    <${Said} doing=${doing} />
  </form>`;
}

export function Clients({ system, mayChange }) {
  const found = useLoaded(() => listClients(system), [system]);
  const [words, setWords] = useState("");
  const all = found.data ?? [];
  const shown = all.filter((client) =>
    `${client.name} ${client.description}`.toLowerCase().includes(words.toLowerCase()));
  return html`<section class="card" aria-label="Clients">
    <h2>Clients <span class="count">${found.data && all.length}</span></h2>
    <p class="muted">Programs and devices that act for this system, each with keys of its own.</p>
    ${found.error && html`<p class="bad-text">${found.error.message}</p>`}
    ${all.length > 20 && html`<input type="search" placeholder="Search clients" aria-label="Search clients"
      value=${words} onInput=${(event) => setWords(event.currentTarget.value)} />`}
    <ul class="rows">${shown.slice(0, 200).map((client) => html`<${Client} key=${client.id}
      client=${client} mayChange=${mayChange} reload=${found.reload} />`)}</ul>
    ${shown.length > 200 && html`<p class="muted">${shown.length - 200} more; search to find them.</p>`}
    ${mayChange && html`<${NewClient} system=${system} reload=${found.reload} />`}
  </section>`;
}
