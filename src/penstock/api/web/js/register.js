/** The form of those who want to become users, where the platform lets them. */

import { html, useState } from "./html.js";
import { Field, Said } from "./form.js";
import { useDoing } from "./loading.js";
import { PASSWORD_HINT, passwordProblem } from "./people/account.js";
import { register } from "./people/api.js";
import { signIn } from "./session.js";

const EMPTY = { name: "", display_name: "", note: "", password: "", again: "" };

export function Register({ mode, onBack }) {
  const [draft, setDraft] = useState(EMPTY);
  const [isWaiting, setWaiting] = useState(false);
  const doing = useDoing();
  const set = (name) => (value) => setDraft((before) => ({ ...before, [name]: value }));
  const submit = (event) => {
    event.preventDefault();
    doing.run(async () => {
      const problem = passwordProblem(draft.password, draft.again);
      if (problem) throw new Error(problem);
      const { again, ...user } = draft;
      user.name = user.name.trim();
      const { status } = await register(user);
      if (status === "user") await signIn(user.name, user.password);
      else setWaiting(true);
    });
  };
  if (isWaiting) {
    return html`<section class="card" aria-label="Registered">
      <h1><img src="icon.svg" alt="" width="28" height="28" />Penstock</h1>
      <p role="status">Thank you, ${draft.name.trim()}. An administrator of this platform looks at it;
        then you can sign in with the password that you chose.</p>
      <button type="button" class="primary" onClick=${onBack}>Back to signing in</button>
    </section>`;
  }
  return html`<form class="card" onSubmit=${submit} aria-label="Register">
    <h1><img src="icon.svg" alt="" width="28" height="28" />Penstock</h1>
    <p class="muted">${mode === "open"
      ? "You can sign in at once, make a company, or be added to one."
      : "An administrator approves new users; then you can make a company, or be added to one."}</p>
    <${Field} label="Name" value=${draft.name} onValue=${set("name")} autocomplete="username"
      autocapitalize="none" hint="To sign in with, like an e-mail address" />
    <${Field} label="Full name" value=${draft.display_name} onValue=${set("display_name")}
      autocomplete="name" maxlength="200" />
    ${mode === "approval" && html`<${Field} label="Note to the administrator" as="textarea" rows="2"
      maxlength="500" value=${draft.note} onValue=${set("note")} />`}
    <${Field} label="Password" type="password" autocomplete="new-password" hint=${PASSWORD_HINT}
      value=${draft.password} onValue=${set("password")} />
    <${Field} label="Password again" type="password" autocomplete="new-password"
      value=${draft.again} onValue=${set("again")} />
    <${Said} doing=${doing} />
    <button type="submit" class="primary" disabled=${doing.isBusy || !draft.name.trim()}>
      ${doing.isBusy ? "Registering \u2026" : "Register"}</button>
    <button type="button" class="as-link" onClick=${onBack}>I have an account</button>
  </form>`;
}
