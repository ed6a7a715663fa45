/** Desired and reported state: what a device shall be, as JSON, and what it says that it is. */

import { html, useState } from "../html.js";
import { useDoing, useLoaded } from "../loading.js";
import { readState, setDesired } from "./api.js";
import { agoText } from "./presence.js";

const EVERY_MS = 3000;
const pretty = (value) => JSON.stringify(value, null, 2);

/** The object that a text is; throws what is wrong with it. */
export function readObject(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is no JSON: ${error.message}.`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value))
    throw new Error('It must be an object, like {"interval_s": 10}.');
  return value;
}

function problemOf(text) {
  try {
    readObject(text);
    return "";
  } catch (error) {
    return error.message;
  }
}

function Editor({ device, state, done, cancel }) {
  const [text, setText] = useState(() => pretty(state.desired));
  const [version] = useState(state.desired_version);
  const doing = useDoing();
  const problem = problemOf(text);
  const save = async (event) => {
    event.preventDefault();
    if (!problem && await doing.run(() => setDesired(device, readObject(text), version))) done();
  };
  return html`<form onSubmit=${save} class="state-editor">
    <textarea aria-label="Desired state as JSON" spellcheck="false" rows=${Math.min(18, text.split("\n").length + 2)}
      value=${text} onInput=${(event) => setText(event.currentTarget.value)}></textarea>
    <p class="bad-text" role="alert">${problem || doing.problem}</p>
    <div class="actions"><button type="submit" class="primary" disabled=${Boolean(problem) || doing.isBusy}>Set</button>
      <button type="button" onClick=${cancel}>Leave</button></div>
  </form>`;
}

export function StateCard({ device, mayCommand }) {
  const found = useLoaded(() => readState(device), [device.name, device.system], EVERY_MS);
  const [isEdited, setEdited] = useState(false);
  const state = found.data;
  if (!state) return found.error && html`<section class="card"><h2>State</h2><p class="bad-text">${found.error.message}</p></section>`;
  const open = Object.keys(state.delta).length;
  const done = () => {
    setEdited(false);
    found.reload();
  };
  return html`<section class="card" aria-label="State">
    <h2>State</h2>
    <div class="state-pair">
      <div><h3>Desired <span class="muted">${state.desired_us ? `version ${state.desired_version}, ${agoText(state.desired_us)}` : ""}</span></h3>
        ${isEdited
          ? html`<${Editor} device=${device} state=${state} done=${done} cancel=${() => setEdited(false)} />`
          : html`<pre tabindex="0">${state.desired_us ? pretty(state.desired) : "nothing was set"}</pre>
            ${mayCommand && html`<button onClick=${() => setEdited(true)}>Change desired state</button>`}`}
      </div>
      <div><h3>Reported <span class="muted">${state.reported_us ? agoText(state.reported_us) : ""}</span></h3>
        <pre tabindex="0">${state.reported_us ? pretty(state.reported) : "the device has said nothing"}</pre>
        ${state.desired_us && html`<p class=${`state ${open ? "warn" : "ok"}`} role="status"><span class="dot" aria-hidden="true"></span>
          ${open ? `not yet as desired: ${Object.keys(state.delta).join(", ")}` : "as desired"}</p>`}
      </div>
    </div>
  </section>`;
}
