/** Pieces of forms: fields with labels, what was said about them, buttons that ask twice, copying. */

import { html, useId, useRef, useState } from "./html.js";
import { Icon } from "./icons.js";

/** A labelled input; `hint` says what is allowed. All else goes to the input. */
export function Field({ label, hint, value, onValue, as = "input", children, ...more }) {
  const id = useId();
  const given = {
    id,
    value,
    onInput: (event) => onValue(event.currentTarget.value),
    "aria-describedby": hint ? `${id}-hint` : undefined,
    autocomplete: "off",
    spellcheck: false,
    ...more,
  };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${as === "select" && html`<select ...${given}>${children}</select>`}
    ${as === "textarea" && html`<textarea ...${given}></textarea>`}
    ${as === "input" && html`<input type="text" ...${given} />`}
    ${hint && html`<span class="field-hint" id=${`${id}-hint`}>${hint}</span>`}
  </div>`;
}

/** A box to tick, with its label behind it. */
export function Tick({ label, checked, onChange, disabled = false }) {
  return html`<label class="tick-label">
    <input type="checkbox" checked=${checked} disabled=${disabled}
      onChange=${(event) => onChange(event.currentTarget.checked)} /> ${label}
  </label>`;
}

/** What became of what was asked for. */
export function Said({ doing }) {
  return html`<p class="said" role="status" aria-live="polite">
    ${doing.problem
      ? html`<span class="bad-text" role="alert">${doing.problem}</span>`
      : html`<span class="muted">${doing.isBusy ? "working \u2026" : doing.said}</span>`}
  </p>`;
}

/** A button that must be pressed twice. */
export function Sure({ label, sure, act, disabled = false, name }) {
  const [isAsked, setAsked] = useState(false);
  const press = () => {
    if (isAsked) act();
    setAsked(!isAsked);
  };
  return html`<button type="button" class=${isAsked ? "danger" : "mild"} disabled=${disabled}
    aria-label=${isAsked ? undefined : name} onClick=${press} onBlur=${() => setAsked(false)}>
    ${isAsked ? sure : label}</button>`;
}

/** Copy text, also where the browser has no clipboard for pages without HTTPS. */
async function copy(text, element) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    getSelection().selectAllChildren(element);
    document.execCommand("copy");
  }
}

/** Text in one line with a button that copies it. */
export function Copyable({ text, label }) {
  const [isCopied, setCopied] = useState(false);
  const code = useRef(null);
  const press = async () => {
    await copy(text, code.current);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<div class="copyable">
    <code ref=${code}>${text}</code>
    <button type="button" class="quiet" aria-label=${`Copy ${label}`} onClick=${press}>
      <${Icon} name=${isCopied ? "check" : "copy"} />${isCopied ? "Copied" : "Copy"}</button>
  </div>`;
}
