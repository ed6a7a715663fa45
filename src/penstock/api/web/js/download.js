/** Downloads of what is shown, straight from the API. */

import { html } from "./html.js";
import { Icon } from "./icons.js";
import { address } from "./api.js";
import { timeText } from "./observations.js";
import { app, useApp } from "./state.js";
import { edges } from "./timeline.js";

const FORMATS = [["csv", "CSV"], ["parquet", "Parquet"], ["arrow", "Arrow"]];

/** Address of the shown stretch of the chosen datastreams in a file format. */
export function downloadAddress(format) {
  const { from, to } = edges();
  return address("observations", {
    datastream: app.get().picked,
    start: timeText(Math.floor(from)),
    end: timeText(Math.ceil(to)),
    format,
  });
}

export function Downloads() {
  const picked = useApp((state) => state.picked);
  // A following range ends when one clicks, so the address is made then.
  const refresh = (format) => (event) => {
    event.currentTarget.href = downloadAddress(format);
  };
  return html`<div class="downloads" role="group" aria-label="Download what is shown">
    <${Icon} name="download" />
    ${FORMATS.map(([format, label]) => picked.length
      ? html`<a key=${format} class="quiet" href=${downloadAddress(format)} download
          onClick=${refresh(format)} onAuxClick=${refresh(format)} aria-label=${`Download ${label}`}>${label}</a>`
      : html`<span key=${format} class="quiet off">${label}</span>`)}
  </div>`;
}
