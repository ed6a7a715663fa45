/** The view of devices: all of them, or one. */

import { html } from "../html.js";
import { useApp } from "../state.js";
import { DeviceDetail } from "./device.js";
import { DeviceList } from "./list.js";

export function DevicesView({ isShown }) {
  const device = useApp((state) => state.device);
  if (!isShown) return null;
  return html`<section class="view devices-view" aria-label="Devices">
    ${device
      ? html`<${DeviceDetail} key=${`${device.system} ${device.name}`} which=${device} />`
      : html`<${DeviceList} />`}
  </section>`;
}
