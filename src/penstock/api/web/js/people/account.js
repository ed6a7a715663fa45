/** One's own account: keys, password, and where one is signed in. */

import { html, useEffect, useRef, useState } from "../html.js";
import { nowUs } from "../api.js";
import { Field, Said, Sure } from "../form.js";
import { formatAge, formatTime } from "../format.js";
import { useDoing, useLoaded } from "../loading.js";
import { signIn, whileSigningIn } from "../session.js";
import { useApp } from "../state.js";
import { endSessions, listSessions, setPassword } from "./api.js";
import { Keys } from "./keys.js";

export const MIN_PASSWORD = 10;
export const PASSWORD_HINT = `At least ${MIN_PASSWORD} characters; a few words make a good one.`;

/** What is wrong with a new password and its repetition; "" when nothing is. */
export function passwordProblem(password, again) {
  if (password.length < MIN_PASSWORD) return `The password needs ${MIN_PASSWORD} characters or more.`;
  return password === again ? "" : "The two passwords differ.";
}

function ChangePassword({ session }) {
  const empty = { old: "", new: "", again: "" };
  const [draft, setDraft] = useState(empty);
  const doing = useDoing();
  const set = (name) => (value) => setDraft((before) => ({ ...before, [name]: value }));
  const submit = (event) => {
    event.preventDefault();
    doing.run(async () => {
      const problem = passwordProblem(draft.new, draft.again);
      if (problem) throw new Error(problem);
      await whileSigningIn(async () => {
        await setPassword(session.id, { new: draft.new, old: draft.old });
        // All sessions have ended, this one too.
        await signIn(session.name, draft.new);
      });
      setDraft(empty);
    }, "Changed. Everywhere else you are signed out.");
  };
  return html`<form onSubmit=${submit} class="column-form">
    <input type="hidden" name="username" autocomplete="username" value=${session.name} />
    <${Field} label="Old password" type="password" autocomplete="current-password"
      value=${draft.old} onValue=${set("old")} />
    <${Field} label="New password" type="password" autocomplete="new-password"
      hint=${PASSWORD_HINT} value=${draft.new} onValue=${set("new")} />
    <${Field} label="New password again" type="password" autocomplete="new-password"
      value=${draft.again} onValue=${set("again")} />
    <button type="submit" class="primary" disabled=${doing.isBusy}>Change password</button>
    <${Said} doing=${doing} />
  </form>`;
}

const BROWSERS = { Edg: "Edge", OPR: "Opera", Firefox: "Firefox", Chrome: "Chrome", Safari: "Safari" };

/** What somebody signed in with, in a few words. */
function agentText(agent) {
  const name = Object.keys(BROWSERS).find((one) => agent.includes(`${one}/`));
  const [, system] = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(agent) ?? [];
  if (name) return system ? `${BROWSERS[name]} on ${system}` : BROWSERS[name];
  return agent || "unknown program";
}

function Places({ session }) {
  const utc = useApp((state) => state.utc);
  const found = useLoaded(() => listSessions(session.id), [session.id]);
  const doing = useDoing();
  const end = () => doing.run(() => endSessions(session.id).then(() => location.reload()));
  return html`<section class="card" aria-label="Where you are signed in">
    <h2>Where you are signed in</h2>
    <ul class="rows">${(found.data ?? []).map((place) => html`<li key=${place.id}>
      <span class="row-name">${place.address || "unknown address"}</span>
      <span class="muted ellipsis" title=${place.agent}>${agentText(place.agent)}</span>
      <span class="muted">since ${formatTime(place.created_us, utc)} · seen
        ${" "}${formatAge(nowUs() - place.used_us)}${nowUs() - place.used_us < 2e6 ? "" : " ago"}</span>
    </li>`)}</ul>
    <div class="actions"><${Sure} label="Sign out everywhere" sure="Really, here too?" act=${end} /></div>
    <${Said} doing=${doing} />
  </section>`;
}

export function AccountView({ isShown }) {
  const session = useApp((state) => state.session);
  const part = useApp((state) => state.part);
  const view = useRef(null);
  useEffect(() => {
    const wanted = isShown && view.current?.querySelector(`[data-part="${part}"]`);
    if (wanted) wanted.scrollIntoView({ block: "nearest" });
    if (wanted && part === "password") wanted.querySelector("input[type=password]").focus();
  }, [isShown, part]);
  if (!isShown || session?.kind !== "user") return null;
  return html`<section class="view cards" ref=${view} aria-label="Your account">
    <section class="card wide" data-part="keys" aria-label="Your keys">
      <h2>Your keys</h2>
      <p class="muted">For your own programs and the command line: a key acts as you do.</p>
      <${Keys} holder=${{}} />
    </section>
    <section class="card" data-part="password" aria-label="Change password">
      <h2>Change password</h2>
      <${ChangePassword} session=${session} />
    </section>
    <${Places} session=${session} />
  </section>`;
}
