/** The view of those who must sign in first. */

import { html, useEffect, useRef, useState } from "./html.js";
import { nowUs } from "./api.js";
import { Field } from "./form.js";
import { Register } from "./register.js";
import { learnSession, signIn } from "./session.js";
import { useApp } from "./state.js";

/** Seconds until one may try again; counts down. */
function useWait() {
  const [untilUs, setUntil] = useState(0);
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const look = () => setLeft(Math.max(0, Math.ceil((untilUs - nowUs()) / 1e6)));
    look();
    const timer = setInterval(look, 250);
    return () => clearInterval(timer);
  }, [untilUs]);
  return [left, (seconds) => setUntil(nowUs() + seconds * 1e6)];
}

const waitText = (seconds) =>
  seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} minutes`;

export function SignIn() {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [wait, setWait] = useWait();
  const form = useRef(null);
  const theme = useApp((state) => state.theme);
  const mode = useApp((state) => state.session?.registration ?? "closed");
  const [isRegistering, setRegistering] = useState(false);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    form.current?.querySelector("input").focus();
  }, [isRegistering]);
  const submit = async (event) => {
    event.preventDefault();
    if (!name.trim() || !password) {
      setProblem("Give your name and your password.");
      return;
    }
    setBusy(true);
    setProblem("");
    try {
      await signIn(name.trim(), password);
    } catch (error) {
      setPassword("");
      if (error.status === 429) setWait(error.retryAfterS || 5);
      else if (error.status === 409) learnSession();
      setProblem(error.status === 401 ? "Name or password is wrong." : error.message);
      form.current?.querySelector("[type=password]").focus();
    }
    setBusy(false);
  };
  if (isRegistering) {
    return html`<main class="sign-in" id="main">
      <${Register} mode=${mode} onBack=${() => setRegistering(false)} />
      <p class="muted">${location.host}</p>
    </main>`;
  }
  const said = wait ? `Too many attempts. Try again in ${waitText(wait)}.` : problem;
  return html`<main class="sign-in" id="main">
    <form class="card" ref=${form} onSubmit=${submit} aria-label="Sign in" novalidate>
      <h1><img src="icon.svg" alt="" width="28" height="28" />Penstock</h1>
      <${Field} label="Name" value=${name} onValue=${setName} name="username"
        autocomplete="username" autocapitalize="none" />
      <${Field} label="Password" value=${password} onValue=${setPassword} type="password"
        name="password" autocomplete="current-password" />
      <p class="bad-text" role="alert">${said}</p>
      <button type="submit" class="primary" disabled=${isBusy || wait > 0}>
        ${isBusy ? "Signing in \u2026" : "Sign in"}</button>
      ${mode !== "closed" && html`<button type="button" class="as-link"
        onClick=${() => setRegistering(true)}>Register</button>`}
    </form>
    <p class="muted">${location.host}</p>
  </main>`;
}
