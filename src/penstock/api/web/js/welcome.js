/** What a new user sees before the first message: how to send one. */

import { html, useState } from "./html.js";
import { Icon } from "./icons.js";
import { useApp } from "./state.js";

/** Where devices publish to, as the door says it; else the default port of where this page is. */
function brokerAddress(health) {
  const door = health?.checks.find(({ name }) => name === "door")?.message ?? "";
  const [, host, port] = /MQTT on (\S+):(\d+)/.exec(door) ?? [null, "", "1883"];
  const isAnywhere = ["", "0.0.0.0", "::", "[::]"].includes(host);
  return [isAnywhere ? location.hostname || "localhost" : host, port];
}

function examples([host, port]) {
  const python = "import paho.mqtt.publish as p; p.single('room/kitchen', "
    + `'{\\"temperature\\": 21.5}', qos=1, hostname='${host}', port=${port})`;
  const publish = `mosquitto_pub -h ${host} -p ${port} -q 1 -t room/kitchen`;
  const simulate = `penstock simulate stations --broker ${host}:${port}`;
  return [
    ["With mosquitto_pub", `${publish} -m '{"temperature": 21.5}'`],
    ["With Python (pip install paho-mqtt)", `python -c "${python}"`],
    ["With the simulators that come with Penstock", simulate],
  ];
}

function Example({ title, line }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(line);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<div class="example">
    <h3>${title}</h3>
    <div class="example-line">
      <pre tabindex="0"><code>${line}</code></pre>
      <button class="quiet square" onClick=${copy} aria-label=${`Copy: ${title}`} title="Copy">
        <${Icon} name=${isCopied ? "check" : "copy"} /></button>
    </div>
  </div>`;
}

export function Welcome() {
  const health = useApp((state) => state.health);
  return html`<section class="view welcome" aria-label="First steps">
    <h1>Nothing has arrived yet</h1>
    <p>Publish a first message. It is on disk before it is acknowledged, and shows here a moment
      later.</p>
    ${examples(brokerAddress(health)).map(([title, line]) =>
      html`<${Example} key=${title} title=${title} line=${line} />`)}
    <p class="muted">This page watches for the first datastream and opens by itself.</p>
  </section>`;
}
