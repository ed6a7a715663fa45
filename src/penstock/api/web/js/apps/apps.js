/** Stream apps: which there are and how they fare; and a console for questions in SQL. */

import { html, useState } from "../html.js";
import { useLoaded } from "../loading.js";
import { listApps } from "./api.js";
import { Console } from "./console.js";
import { Editor } from "./editor.js";
import { Row } from "./row.js";

const EVERY_MS = 2000;

export function AppsView({ isShown }) {
  return isShown ? html`<${Shown} />` : null;
}

function Shown() {
  /** What the editor holds: `{turn, held, spec}`, or null; a new turn is a new editor. */
  const [edited, setEdited] = useState(null);
  const found = useLoaded(listApps, [], EVERY_MS);
  const items = found.data?.items ?? [];
  const edit = (held, spec) => setEdited((before) => ({ turn: (before?.turn ?? 0) + 1, held, spec }));
  const close = () => {
    setEdited(null);
    found.reload();
  };
  return html`<section class="view apps-view" aria-label="Apps">
    ${edited && html`<${Editor} key=${edited.turn} held=${edited.held} spec=${edited.spec} close=${close} />`}
    <section class="card" aria-label="Stream apps">
      <div class="actions"><h2>Stream apps <span class="count">${found.data ? items.length : ""}</span></h2>
        <button class="primary" onClick=${() => edit(null)}>New app</button></div>
      ${found.error && html`<p class="bad-text" role="alert">${found.error.message}</p>`}
      ${found.data && items.length === 0 && html`<p class="muted">No apps yet. An app is a SELECT with a name that runs live; what it computes becomes Datastreams, or messages on a topic.</p>`}
      <ul class="apps-list">${items.map((one) => html`<${Row} key=${one.id} one=${one} edit=${edit} reload=${found.reload} />`)}</ul>
    </section>
    <${Console} />
  </section>`;
}
