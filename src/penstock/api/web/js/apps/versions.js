/** What was said of an app over time, newest first. */

import { html } from "../html.js";
import { formatTime } from "../format.js";
import { useLoaded } from "../loading.js";
import { useApp } from "../state.js";
import { listVersions } from "./api.js";

/** `edit(spec)` opens the editor with what was said then. */
export function Versions({ one, edit }) {
  const utc = useApp((state) => state.utc);
  const found = useLoaded(() => listVersions(one.id), [one.id, one.version]);
  if (found.error) return html`<p class="bad-text" role="alert">${found.error.message}</p>`;
  return html`<ol class="apps-versions" aria-label=${`Versions of ${one.spec.name}`}>
    ${(found.data?.items ?? []).map((old) => html`<li key=${old.version}><details>
      <summary>Version ${old.version} <span class="muted">by ${old.by}, ${formatTime(old.changed_us, utc)}${old.version === one.version ? ", the present one" : ""}</span></summary>
      <pre class="apps-text" tabindex="0">${old.spec.sql}</pre>
      ${old.version !== one.version && html`<div class="actions"><button onClick=${() => edit(old.spec)}>Edit from version ${old.version}</button></div>`}
    </details></li>`)}
  </ol>`;
}
