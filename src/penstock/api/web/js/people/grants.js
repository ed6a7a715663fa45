/** Grants: what systems let each other read, asked for by one side and agreed to by the other. */

import { html, useState } from "../html.js";
import { nowUs } from "../api.js";
import { listDatastreams } from "../catalog.js";
import { Field, Said, Sure } from "../form.js";
import { formatDate } from "../format.js";
import { useDoing, useLoaded } from "../loading.js";
import { may } from "../session.js";
import { useApp } from "../state.js";
import { addGrant, decideGrant, listGrants } from "./api.js";

const STATES = {
  requested: ["warn", "asked for"],
  offered: ["warn", "offered"],
  in_force: ["ok", "in force"],
  refused: ["bad", "refused"],
  revoked: ["bad", "revoked"],
  expired: ["bad", "expired"],
};
const DECISIONS = { in_force: "accepted", expired: "accepted", refused: "refused", revoked: "revoked" };
const REFRESH_MS = 10000;

/** What one may do about a grant: the side that was asked decides, either side ends it. */
function decisions(state, grant) {
  const owns = may.runSystem(state, grant.owner_id);
  const reads = may.runSystem(state, grant.reader_id);
  const asked = { requested: owns, offered: reads }[grant.state];
  const asks = { requested: reads, offered: owns }[grant.state];
  if (asked) return ["accept", "refuse"];
  if (asks) return ["withdraw"];
  return grant.state === "in_force" && (owns || reads) ? ["revoke"] : [];
}

const what = (grant) => {
  if (grant.datastream) return `datastream ${grant.datastream} of`;
  return grant.thing ? `device ${grant.thing} of` : "everything of";
};

function Grant({ grant, doing, reload }) {
  const utc = useApp((state) => state.utc);
  const session = useApp((state) => state.session);
  const [tone, word] = STATES[grant.state];
  const act = (decision, said) => () => doing.run(() => decideGrant(grant.id, decision).then(reload), said);
  const ways = decisions({ session }, grant);
  const decided = grant.decided_us !== null && grant.decided_by
    && `, ${DECISIONS[grant.state] ?? word} by ${grant.decided_by} on ${formatDate(grant.decided_us, utc)}`;
  return html`<li class="grant" data-state=${grant.state}>
    <span class=${`state ${tone}`}><span class="dot" aria-hidden="true"></span>${word}</span>
    <span class="grant-text">
      <strong>${grant.reader}</strong> reads ${what(grant)} <strong>${grant.owner}</strong>
      ${grant.expires_us && ` until ${formatDate(grant.expires_us, utc)}`}
      ${grant.note && html`<q class="muted">${grant.note}</q>`}
      <span class="muted small">by ${grant.created_by || "nobody"} on ${formatDate(grant.created_us, utc)}${decided}</span>
    </span>
    <span class="actions">
      ${ways.includes("accept") && html`<button class="primary" onClick=${act("accept", "Accepted.")}
        aria-label=${`Accept grant ${grant.id}`} disabled=${doing.isBusy}>Accept</button>`}
      ${ways.includes("refuse") && html`<button onClick=${act("refuse", "Refused.")}
        aria-label=${`Refuse grant ${grant.id}`} disabled=${doing.isBusy}>Refuse</button>`}
      ${ways.includes("withdraw") && html`<${Sure} label="Take back" sure="Really?"
        name=${`Take back grant ${grant.id}`} act=${act("revoke", "Taken back.")} />`}
      ${ways.includes("revoke") && html`<${Sure} label="Revoke" sure="Really, at once?"
        name=${`Revoke grant ${grant.id}`} act=${act("revoke", "Revoked.")} />`}
    </span>
  </li>`;
}

/** The id of a datastream by its full name. */
async function datastreamNamed(name) {
  const found = await listDatastreams({ search: name, limit: 100 });
  const one = found.items.find((item) => item.name === name);
  if (!one) throw new Error(`There is no datastream ${name} that you may read.`);
  return one.id;
}

function NewGrant({ systems, doing, reload }) {
  const empty = { own: String(systems[0].id), way: "ask", other: "", only: "", until: "", note: "" };
  const [draft, setDraft] = useState(empty);
  const set = (name) => (value) => setDraft((before) => ({ ...before, [name]: value }));
  const offers = draft.way === "offer";
  const submit = (event) => {
    event.preventDefault();
    doing.run(async () => {
      const [own, other] = [Number(draft.own), draft.other.trim()];
      const only = offers && draft.only.trim();
      const made = await addGrant({
        owner: offers ? own : other,
        reader: offers ? other : own,
        datastream: only ? await datastreamNamed(only) : null,
        note: draft.note.trim(),
        expires_us: draft.until ? Date.parse(draft.until) * 1000 : null,
      });
      setDraft({ ...empty, own: draft.own, way: draft.way });
      await reload();
      return made;
    }, (made) => made.state === "in_force" ? "In force: you speak for both sides." : "The other side decides now.");
  };
  return html`<form class="inline-form" onSubmit=${submit} aria-label="New grant">
    <${Field} label="Your system" as="select" value=${draft.own} onValue=${set("own")}>
      ${systems.map((system) => html`<option key=${system.id} value=${String(system.id)}>${system.name}</option>`)}
    <//>
    <${Field} label="It" as="select" value=${draft.way} onValue=${set("way")}>
      <option value="ask">asks to read</option><option value="offer">lets read</option>
    <//>
    <${Field} label=${offers ? "Reader: name of the other system" : "Owner: name of the other system"}
      value=${draft.other} onValue=${set("other")} />
    ${offers && html`<${Field} label="Only this datastream" value=${draft.only} onValue=${set("only")}
      hint="Full name; empty is everything" />`}
    <${Field} label="Until" type="date" value=${draft.until} onValue=${set("until")} hint="Empty is without end" />
    <${Field} label="Note" value=${draft.note} onValue=${set("note")} maxlength="500" />
    <button type="submit" disabled=${doing.isBusy || !draft.other.trim()}>${offers ? "Offer" : "Ask"}</button>
  </form>`;
}

export function Grants() {
  const systems = useApp((state) => state.session.systems);
  const session = useApp((state) => state.session);
  const found = useLoaded(listGrants, [session.id], REFRESH_MS);
  const doing = useDoing();
  const all = found.data ?? [];
  const isWaiting = (grant) => decisions({ session }, grant).includes("accept");
  const now = nowUs();
  const isNow = (grant) => ["requested", "offered", "in_force"].includes(grant.state)
    && !(grant.expires_us && grant.expires_us < now);
  const groups = [
    ["Waiting for you", all.filter(isWaiting)],
    ["Now", all.filter((grant) => isNow(grant) && !isWaiting(grant))],
    ["Before", all.filter((grant) => !isNow(grant) && !isWaiting(grant))],
  ];
  return html`<div class="stack">
    <section class="card" aria-label="Grants">
      <h2>Grants</h2>
      <p class="muted">A system reads another one's data once an agent of each side has agreed.</p>
      <${Said} doing=${doing} />
      ${found.error && html`<p class="bad-text">${found.error.message}</p>`}
      ${groups.map(([title, grants]) => grants.length > 0 && html`<div key=${title}>
        <h3 class="muted">${title}</h3>
        <ul class="rows">${grants.map((grant) => html`<${Grant} key=${grant.id} grant=${grant}
          doing=${doing} reload=${found.reload} />`)}</ul>
      </div>`)}
      ${found.data && all.length === 0 && html`<p class="muted">There are none yet.</p>`}
    </section>
    ${systems.length > 0 && html`<section class="card" aria-label="Ask or offer">
      <h2>Ask or offer</h2>
      <${NewGrant} systems=${systems} doing=${doing} reload=${found.reload} />
    </section>`}
  </div>`;
}
