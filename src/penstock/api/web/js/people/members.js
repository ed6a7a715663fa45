/** Users in a role: administrators of a company, agents of a system. */

import { html, useState } from "../html.js";
import { Field, Said, Sure } from "../form.js";
import { formatDate } from "../format.js";
import { useDoing } from "../loading.js";
import { useApp } from "../state.js";
import { addMember, removeMember } from "./api.js";

/**
 * @param place Path of the role, `systems/5/agents`.
 * @param role What they are called, in the singular.
 */
export function Members({ place, role, members, mayChange, reload }) {
  const utc = useApp((state) => state.utc);
  const session = useApp((state) => state.session);
  const [name, setName] = useState("");
  const doing = useDoing();
  const add = (event) => {
    event.preventDefault();
    const user = name.trim();
    if (user) doing.run(() => addMember(place, user).then(reload).then(() => setName("")), `${user} added.`);
  };
  const remove = (member) =>
    doing.run(() => removeMember(place, member.id).then(reload), `${member.name} removed.`);
  return html`<div>
    <ul class="rows">${members.map((member) => html`<li key=${member.id}>
      <span class="row-name">${member.name}</span>
      <span class="muted">since ${formatDate(member.since_us, utc)}, by ${member.by || "nobody"}</span>
      ${mayChange && member.id !== session.id && html`<span class="actions">
        <${Sure} label="Remove" name=${`Remove ${role} ${member.name}`} sure="Really remove?"
          act=${() => remove(member)} disabled=${doing.isBusy} />
      </span>`}
    </li>`)}</ul>
    ${members.length === 0 && html`<p class="muted">Nobody yet.</p>`}
    ${mayChange && session.accounts && html`<form class="inline-form" onSubmit=${add}>
      <${Field} label=${`Name of the new ${role}`} value=${name} onValue=${setName} autocapitalize="none" />
      <button type="submit" disabled=${doing.isBusy || !name.trim()}>Add</button>
    </form>`}
    <${Said} doing=${doing} />
  </div>`;
}
