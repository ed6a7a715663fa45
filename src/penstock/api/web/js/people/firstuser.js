/** Before there are accounts: a quiet hint, and the form that makes the first user. */

import { html, useState } from "../html.js";
import { Field, Said } from "../form.js";
import { useDoing } from "../loading.js";
import { signIn, whileSigningIn } from "../session.js";
import { PASSWORD_HINT, passwordProblem } from "./account.js";
import { addUser } from "./api.js";

export function FirstUser() {
  const [isOpen, setOpen] = useState(false);
  const [draft, setDraft] = useState({ name: "", password: "", again: "" });
  const doing = useDoing();
  const set = (name) => (value) => setDraft((before) => ({ ...before, [name]: value }));
  const submit = (event) => {
    event.preventDefault();
    doing.run(async () => {
      const problem = passwordProblem(draft.password, draft.again);
      if (problem) throw new Error(problem);
      const name = draft.name.trim();
      await whileSigningIn(async () => {
        await addUser({ name, password: draft.password, administrator: true });
        await signIn(name, draft.password);
      });
    });
  };
  return html`<section class="card first-user" aria-label="No accounts">
    <p><strong>No accounts:</strong> everybody who reaches this Penstock may do everything.
      ${!isOpen && html` <button class="as-link" onClick=${() => setOpen(true)}>Make the first user</button>`}</p>
    ${isOpen && html`<form class="column-form" onSubmit=${submit}>
      <p class="muted">From then on everybody signs in, and devices and programs need keys: make a client
        of the system <em>default</em> for those that send already, and give them its key, or their
        messages stay outside.</p>
      <${Field} label="Name" value=${draft.name} onValue=${set("name")} autocomplete="username"
        autocapitalize="none" hint="To sign in with, like an e-mail address" />
      <${Field} label="Password" type="password" autocomplete="new-password" hint=${PASSWORD_HINT}
        value=${draft.password} onValue=${set("password")} />
      <${Field} label="Password again" type="password" autocomplete="new-password"
        value=${draft.again} onValue=${set("again")} />
      <div class="actions">
        <button type="submit" class="primary" disabled=${doing.isBusy || !draft.name.trim()}>
          Make the first user and switch accounts on</button>
        <button type="button" onClick=${() => setOpen(false)}>Not now</button>
      </div>
      <${Said} doing=${doing} />
    </form>`}
  </section>`;
}
