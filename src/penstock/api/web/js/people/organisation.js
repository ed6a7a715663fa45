/** The organisation: companies and systems, grants between them, users, and who changed what. */

import { html } from "../html.js";
import { may } from "../session.js";
import { hashWith, useApp } from "../state.js";
import { Audit } from "./audit.js";
import { FirstUser } from "./firstuser.js";
import { Grants } from "./grants.js";
import { Structure } from "./structure.js";
import { Users } from "./users.js";

const PARTS = [
  ["companies", "Companies", Structure],
  ["grants", "Grants", Grants],
  ["users", "Users", Users],
  ["audit", "Audit trail", Audit],
];

export function OrganisationView({ isShown }) {
  const session = useApp((state) => state.session);
  const part = useApp((state) => state.part) ?? "companies";
  const isPlatform = useApp((state) => Boolean(state.session && may.runPlatform(state)));
  if (!isShown || !session) return null;
  const parts = PARTS.filter(([id]) => id !== "users" || (isPlatform && session.accounts));
  const [current, , Part] = parts.find(([id]) => id === part) ?? parts[0];
  const link = (id) => hashWith({ view: "organisation", part: id === "companies" ? null : id, place: null });
  return html`<section class="view organisation" aria-label="Organisation">
    ${!session.accounts && html`<${FirstUser} />`}
    <nav class="range-buttons parts" aria-label="Parts of the organisation">
      ${parts.map(([id, label]) => html`<a key=${id} class="segment" href=${link(id)}
        aria-current=${id === current ? "page" : undefined}>${label}</a>`)}
    </nav>
    <${Part} />
  </section>`;
}
