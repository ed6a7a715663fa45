/** Users of the platform; for its administrators. */

import { html, useState } from "../html.js";
import { Field, Said, Sure, Tick } from "../form.js";
import { formatDate, formatTime } from "../format.js";
import { useDoing, useLoaded } from "../loading.js";
import { useApp } from "../state.js";
import { PASSWORD_HINT } from "./account.js";
import {
  addUser, approveRegistration, changeUser, endSessions, listRegistrations, listUsers,
  refuseRegistration, removeUser, setPassword,
} from "./api.js";
import { Keys } from "./keys.js";

function ResetPassword({ user, doing }) {
  const [password, setText] = useState("");
  const submit = (event) => {
    event.preventDefault();
    doing.run(() => setPassword(user.id, { new: password }).then(() => setText("")),
      `Set. ${user.name} must sign in with it now.`);
  };
  return html`<form class="inline-form" onSubmit=${submit} aria-label=${`Password of ${user.name}`}>
    <${Field} label="New password" type="password" autocomplete="new-password" hint=${PASSWORD_HINT}
      value=${password} onValue=${setText} />
    <button type="submit" disabled=${doing.isBusy || !password}>Set password</button>
  </form>`;
}

function User({ user, isSelf, reload }) {
  const utc = useApp((state) => state.utc);
  const [isOpen, setOpen] = useState(false);
  const doing = useDoing();
  const change = (patch) => doing.run(() => changeUser(user.id, patch).then(reload), "Changed.");
  const facts = [
    user.administrator && "administrator", user.disabled && "disabled", `since ${formatDate(user.created_us, utc)}`,
  ].filter(Boolean).join(" · ");
  return html`<li class=${`client ${user.disabled ? "over" : ""}`}>
    <button class="opener" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>
      <span class="row-name">${user.name}${isSelf ? " (you)" : ""}</span>
      <span class="muted">${user.display_name}</span><span class="muted">${facts}</span>
    </button>
    ${isOpen && html`<div class="opened">
      <div class="actions">
        <${Tick} label="administrator of the platform" checked=${user.administrator} disabled=${doing.isBusy}
          onChange=${(administrator) => change({ administrator })} />
        <${Tick} label="disabled" checked=${user.disabled} disabled=${doing.isBusy || isSelf}
          onChange=${(disabled) => change({ disabled })} />
        <button class="mild" disabled=${doing.isBusy} onClick=${() => doing.run(() => endSessions(user.id),
          (ended) => `Signed out of ${ended.ended} places.`)}>Sign out everywhere</button>
        ${!isSelf && html`<${Sure} label="Remove" name=${`Remove user ${user.name}`} sure="Really remove?"
          act=${() => doing.run(() => removeUser(user.id).then(reload))} disabled=${doing.isBusy} />`}
      </div>
      <${Said} doing=${doing} />
      ${!isSelf && html`<${ResetPassword} user=${user} doing=${doing} />`}
      ${!isSelf && html`<h3>Keys of ${user.name}</h3><${Keys} holder=${{ user: user.id }} />`}
    </div>`}
  </li>`;
}

function NewUser({ reload }) {
  const empty = { name: "", display_name: "", password: "", administrator: false };
  const [draft, setDraft] = useState(empty);
  const doing = useDoing();
  const set = (name) => (value) => setDraft((before) => ({ ...before, [name]: value }));
  const submit = (event) => {
    event.preventDefault();
    const user = { ...draft, name: draft.name.trim(), password: draft.password || null };
    doing.run(() => addUser(user).then(reload).then(() => setDraft(empty)),
      `${user.name} may sign in now; add them to companies and systems.`);
  };
  return html`<section class="card" aria-label="New user">
    <h2>New user</h2>
    <form class="inline-form" onSubmit=${submit}>
      <${Field} label="Name" value=${draft.name} onValue=${set("name")} autocapitalize="none"
        hint="To sign in with, like an e-mail address" />
      <${Field} label="Full name" value=${draft.display_name} onValue=${set("display_name")} />
      <${Field} label="Password" type="password" autocomplete="new-password" hint=${PASSWORD_HINT}
        value=${draft.password} onValue=${set("password")} />
      <${Tick} label="administrator of the platform" checked=${draft.administrator} onChange=${set("administrator")} />
      <button type="submit" disabled=${doing.isBusy || !draft.name.trim()}>Make the user</button>
    </form>
    <${Said} doing=${doing} />
  </section>`;
}

function Registration({ one, reload }) {
  const utc = useApp((state) => state.utc);
  const doing = useDoing();
  const act = (work) => () => doing.run(() => work(one.id).then(reload));
  return html`<li class="client">
    <div class="opened">
      <p><span class="row-name">${one.name}</span> <span class="muted">${one.display_name}</span></p>
      ${one.note && html`<p class="quoted">${one.note}</p>`}
      <p class="muted">${formatTime(one.at_us, utc)}, from ${one.address}</p>
      <div class="actions">
        <button class="primary" disabled=${doing.isBusy} onClick=${act(approveRegistration)}
          aria-label=${`Approve ${one.name}`}>Approve</button>
        <${Sure} label="Refuse" name=${`Refuse ${one.name}`} sure="Really refuse?" disabled=${doing.isBusy}
          act=${act(refuseRegistration)} />
      </div>
      <${Said} doing=${doing} />
    </div>
  </li>`;
}

/** Who wants to become a user; nothing when nobody does. */
function Registrations({ reload }) {
  const found = useLoaded(listRegistrations, []);
  const all = found.data ?? [];
  const reloadAll = () => Promise.all([found.reload(), reload()]);
  if (all.length === 0) return null;
  return html`<section class="card" aria-label="Registrations">
    <h2>Waiting for approval <span class="count">${all.length}</span></h2>
    <ul class="rows">${all.map((one) => html`<${Registration} key=${one.id} one=${one}
      reload=${reloadAll} />`)}</ul>
  </section>`;
}

export function Users() {
  const session = useApp((state) => state.session);
  const found = useLoaded(listUsers, [session.id]);
  const [words, setWords] = useState("");
  const all = found.data ?? [];
  const shown = all.filter((user) =>
    `${user.name} ${user.display_name}`.toLowerCase().includes(words.toLowerCase()));
  return html`<div class="stack">
    ${session.accounts && html`<${Registrations} reload=${found.reload} />`}
    <section class="card" aria-label="Users">
      <h2>Users <span class="count">${found.data && all.length}</span></h2>
      ${found.error && html`<p class="bad-text">${found.error.message}</p>`}
      ${all.length > 20 && html`<input type="search" placeholder="Search users" aria-label="Search users"
        value=${words} onInput=${(event) => setWords(event.currentTarget.value)} />`}
      <ul class="rows">${shown.slice(0, 200).map((user) => html`<${User} key=${user.id} user=${user}
        isSelf=${user.id === session.id} reload=${found.reload} />`)}</ul>
      ${shown.length > 200 && html`<p class="muted">${shown.length - 200} more; search to find them.</p>`}
    </section>
    ${session.accounts && html`<${NewUser} reload=${found.reload} />`}
  </div>`;
}
