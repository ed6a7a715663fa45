/** Devices that were seen but not enrolled: approve or refuse them. */

import { html, useEffect, useState } from "./html.js";
import { decideDevice, listDevices } from "./catalog.js";
import { formatCount, formatTime } from "./format.js";
import { useApp } from "./state.js";

export function Devices({ pending }) {
  const utc = useApp((state) => state.utc);
  const [devices, setDevices] = useState([]);
  const [said, setSaid] = useState("");
  const load = () => listDevices("pending").then(setDevices, (error) => setSaid(error.message));
  useEffect(() => {
    if (pending === 0) setDevices([]);
    else load();
  }, [pending]);
  const decide = async (name, decision) => {
    try {
      await decideDevice(name, decision);
      setSaid(`${name} ${decision === "approve" ? "approved" : "refused"}.`);
    } catch (error) {
      setSaid(error.message);
    }
    load();
  };
  return html`<section class="card wide" aria-label="Devices waiting">
    <h2>Devices waiting <span class="count">${formatCount(devices.length || pending)}</span></h2>
    ${devices.length === 0
      ? html`<p class="muted">No device waits for approval.</p>`
      : html`<ul class="devices">${devices.map((device) => html`<li key=${device.name}>
          <span class="device-name">${device.name}</span>
          <span class="muted">first seen ${formatTime(device.first_seen_us, utc)}</span>
          <span class="actions">
            <button class="primary" aria-label=${`Approve ${device.name}`}
              onClick=${() => decide(device.name, "approve")}>Approve</button>
            <button aria-label=${`Refuse ${device.name}`}
              onClick=${() => decide(device.name, "refuse")}>Refuse</button>
          </span>
        </li>`)}</ul>`}
    <p role="status" class="muted">${said}</p>
  </section>`;
}
