/** Devices that were seen but not enrolled: approve or refuse them. */

import { html } from "../html.js";
import { Said } from "../form.js";
import { formatCount, formatTime } from "../format.js";
import { useDoing, useLoaded } from "../loading.js";
import { may } from "../session.js";
import { useApp } from "../state.js";
import { decideDevice, listDevices } from "./api.js";

const SHOWN = 100;
const EVERY_MS = 5000;

/** `isQuiet` shows nothing while nobody waits; `decided` is called after each decision. */
export function Waiting({ pending, isQuiet = false, decided = () => {} }) {
  const utc = useApp((state) => state.utc);
  const session = useApp((state) => state.session);
  const found = useLoaded(
    () => listDevices({ status: "pending", limit: SHOWN }), [pending], isQuiet ? EVERY_MS : 0,
  );
  const doing = useDoing();
  const devices = found.data?.items ?? [];
  const decide = async (device, decision) => {
    const said = `${device.name} ${decision === "approve" ? "approved" : "refused"}.`;
    await doing.run(() => decideDevice(device, decision), said);
    await found.reload();
    decided();
  };
  if (isQuiet && devices.length === 0 && !doing.said) return null;
  const count = found.data?.next ? Math.max(pending, devices.length) : devices.length || pending;
  return html`<section class="card wide waiting" aria-label="Devices waiting">
    <h2>Devices waiting <span class="count">${formatCount(count)}</span></h2>
    ${devices.length === 0
      ? html`<p class="muted">No device waits for approval.</p>`
      : html`<ul class="devices">${devices.map((device) => html`<li key=${`${device.system} ${device.name}`}>
          <span class="device-name">${device.name}</span>
          <span class="muted">first seen ${formatTime(device.first_seen_us, utc)}</span>
          ${may.runSystem({ session }, device.system) && html`<span class="actions">
            <button class="primary" aria-label=${`Approve ${device.name}`} disabled=${doing.isBusy}
              onClick=${() => decide(device, "approve")}>Approve</button>
            <button aria-label=${`Refuse ${device.name}`} disabled=${doing.isBusy}
              onClick=${() => decide(device, "refuse")}>Refuse</button>
          </span>`}
        </li>`)}</ul>`}
    ${found.error && html`<p class="bad-text">${found.error.message}</p>`}
    <${Said} doing=${doing} />
  </section>`;
}
