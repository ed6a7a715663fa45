/** Who is signed in, and what one may do about it: keys, password, sign out. */

import { html, useEffect, useRef, useState } from "./html.js";
import { Icon } from "./icons.js";
import { signOut } from "./session.js";
import { app, useApp } from "./state.js";

const PLACES = [["keys", "Your keys"], ["password", "Change password"]];

export function UserMenu() {
  const session = useApp((state) => state.session);
  const [isOpen, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const away = (event) => box.current.contains(event.target) || setOpen(false);
    const escape = (event) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      box.current.querySelector("button").focus();
    };
    addEventListener("pointerdown", away);
    addEventListener("keydown", escape);
    // Tabbed out of it: it would cover what has the focus.
    const leave = (event) => event.relatedTarget && !box.current.contains(event.relatedTarget) && setOpen(false);
    const held = box.current;
    held.addEventListener("focusout", leave);
    box.current.querySelector(".menu button").focus();
    return () => {
      removeEventListener("pointerdown", away);
      removeEventListener("keydown", escape);
      held.removeEventListener("focusout", leave);
    };
  }, [isOpen]);
  if (session?.kind !== "user") return null;
  const go = (part) => () => {
    setOpen(false);
    app.set({ view: "account", part });
  };
  return html`<div class="user" ref=${box}>
    <button class="quiet user-button" aria-expanded=${isOpen}
        aria-label=${`Signed in as ${session.name}`} onClick=${() => setOpen(!isOpen)}>
      <${Icon} name="person" /><span class="user-name">${session.name}</span>
    </button>
    ${isOpen && html`<div class="menu">
      <p class="menu-head">${session.name}
        ${session.administrator && html`<span class="muted"> · administrator</span>`}</p>
      ${PLACES.map(([part, label]) =>
        html`<button key=${part} onClick=${go(part)}>${label}</button>`)}
      <button onClick=${signOut}>Sign out</button>
    </div>`}
  </div>`;
}
