/** Forms for the commands of a device type, made from the parameters that it declares. */

import { html, useState } from "../html.js";
import { Field, Sure } from "../form.js";

/** `change_sample_frequency` as people say it. */
export const commandText = (name) => {
  const words = name.replace(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/** What is allowed, in words. */
export function allowedText(parameter) {
  const { kind, minimum, maximum, above, unit, required } = parameter;
  const number = (value) => value.toLocaleString("en-US", { maximumSignificantDigits: 9 });
  const parts = [];
  if (above !== null) parts.push(`above ${number(above)}`);
  if (minimum !== null) parts.push(`from ${number(minimum)}`);
  if (maximum !== null) parts.push(`up to ${number(maximum)}`);
  if (parts.length && unit) parts.push(unit);
  if (kind === "integer") parts.unshift("a whole number");
  if (!required) parts.push(parts.length ? "(optional)" : "optional");
  return parts.join(" ");
}

/** Value of a parameter from what was typed; undefined when nothing was. Throws what is wrong. */
export function parameterValue(parameter, text) {
  const label = parameter.label || parameter.name;
  if (text === "" || text === undefined) {
    if (parameter.required && parameter.kind !== "text") throw new Error(`${label} is needed.`);
    return parameter.required ? "" : undefined;
  }
  if (parameter.values.length) return parameter.values[Number(text)];
  if (parameter.kind === "boolean") return text === "true";
  if (parameter.kind === "text") return text;
  const value = Number(text);
  const { minimum, maximum, above } = parameter;
  const isWrong = !Number.isFinite(value) || (parameter.kind === "integer" && !Number.isInteger(value))
    || (minimum !== null && value < minimum) || (maximum !== null && value > maximum)
    || (above !== null && value <= above);
  if (isWrong) throw new Error(`${label}: ${text} is not allowed; ${allowedText(parameter)} is.`);
  return value;
}

function Parameter({ parameter, text, onText }) {
  const { kind, label, name, unit, values, required } = parameter;
  const common = {
    label: `${label || name}${unit ? `, ${unit}` : ""}`, value: text ?? "", onValue: onText, hint: allowedText(parameter),
  };
  if (values.length || kind === "boolean") {
    const options = values.length ? values.map((value, at) => [String(at), String(value)]) : [["true", "yes"], ["false", "no"]];
    return html`<${Field} ...${common} as="select" hint=${required ? "" : "optional"}>
      <option value="">${required ? "choose \u2026" : "\u2013"}</option>
      ${options.map(([value, said]) => html`<option key=${value} value=${value}>${said}</option>`)}
    <//>`;
  }
  if (kind === "text") return html`<${Field} ...${common} maxlength=${parameter.max_length} />`;
  return html`<${Field} ...${common} type="number" step=${kind === "integer" ? 1 : "any"}
    inputmode="decimal" min=${parameter.minimum ?? undefined} max=${parameter.maximum ?? undefined} />`;
}

/** One command. `send(name, parameters)` is called; with `sure`, only after a second press. */
function Command({ command, send, sure, isBusy }) {
  const [texts, setTexts] = useState({});
  const [problem, setProblem] = useState("");
  const submit = () => {
    try {
      const given = command.parameters.map((one) => [one.name, parameterValue(one, texts[one.name])]);
      setProblem("");
      send(command.name, Object.fromEntries(given.filter(([, value]) => value !== undefined)));
    } catch (error) {
      setProblem(error.message);
    }
  };
  const onSubmit = (event) => {
    event.preventDefault();
    if (!sure) submit();
  };
  const label = commandText(command.name);
  return html`<form class="command" aria-label=${`Command ${command.name}`} onSubmit=${onSubmit} novalidate>
    <span class="command-text"><strong>${label}</strong>
      ${command.description && html` <span class="muted">${command.description}</span>`}</span>
    ${command.parameters.map((parameter) => html`<${Parameter} key=${parameter.name} parameter=${parameter}
      text=${texts[parameter.name]} onText=${(text) => setTexts((before) => ({ ...before, [parameter.name]: text }))} />`)}
    ${sure
      ? html`<${Sure} label="Send" name=${`Send ${command.name}`} sure=${sure} act=${submit} disabled=${isBusy} />`
      : html`<button type="submit" aria-label=${`Send ${command.name}`} disabled=${isBusy}>Send</button>`}
    ${problem && html`<p class="bad-text" role="alert">${problem}</p>`}
  </form>`;
}

export function CommandForms({ type, send, sure = "", isBusy = false }) {
  return html`<div class="commands">${type.commands.map((command) => html`<${Command} key=${command.name}
    command=${command} send=${send} sure=${sure} isBusy=${isBusy} />`)}
    ${type.commands.length === 0 && html`<p class="muted">Devices of type ${type.name} have no commands.</p>`}
  </div>`;
}
