/** A form for a range of one's own: from, to. */

import { html, useState } from "./html.js";
import { fromInput, toInput, zoneName } from "./format.js";
import { useApp } from "./state.js";
import { edges, show } from "./timeline.js";

export function RangeForm({ close }) {
  const utc = useApp((state) => state.utc);
  const [draft, setDraft] = useState(() => {
    const { from, to } = edges();
    return { from: toInput(from, utc), to: toInput(to, utc), utc };
  });
  const [problem, setProblem] = useState("");
  const set = (name) => (event) => setDraft({ ...draft, [name]: event.target.value });
  const submit = (event) => {
    event.preventDefault();
    const [from, to] = [fromInput(draft.from, draft.utc), fromInput(draft.to, draft.utc)];
    if (from === null || to === null) setProblem("Give both times.");
    else if (from >= to) setProblem("The first time must be before the second.");
    else {
      show(from, to);
      close();
    }
  };
  return html`<form class="range-form" onSubmit=${submit}>
    ${[["from", "From"], ["to", "To"]].map(([name, label]) => html`<label key=${name}>
      ${label} <input type="datetime-local" step="1" value=${draft[name]} onInput=${set(name)} />
    </label>`)}
    <button type="submit" class="primary">Show</button>
    <span class="range-said">${zoneName(draft.utc)}</span>
    <span class="bad-text" role="alert">${problem}</span>
  </form>`;
}
