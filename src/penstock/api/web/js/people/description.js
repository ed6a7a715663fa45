/** A description that can be changed in its place. */

import { html, useState } from "../html.js";
import { Field, Said } from "../form.js";
import { useDoing } from "../loading.js";

/** `save` sets the text given; without the right to, it is only shown. */
export function Description({ text, mayChange, save, label = "Description", none = "No description." }) {
  const [draft, setDraft] = useState(null);
  const doing = useDoing();
  const submit = async (event) => {
    event.preventDefault();
    if (await doing.run(() => save(draft.trim()), "Saved.")) setDraft(null);
  };
  if (draft === null) {
    return html`<p class=${text ? "" : "muted"}>${text || none}
      ${mayChange && html` <button class="as-link" onClick=${() => setDraft(text)}
        aria-label=${`Change ${label.toLowerCase()}`}>Change</button>`}</p>`;
  }
  return html`<form class="inline-form" onSubmit=${submit}>
    <${Field} label=${label} value=${draft} onValue=${setDraft} maxlength="1000" />
    <button type="submit" class="primary" disabled=${doing.isBusy}>Save</button>
    <button type="button" onClick=${() => setDraft(null)}>Leave</button>
    <${Said} doing=${doing} />
  </form>`;
}
