/** Icons as inline SVG; they take the colour of the text around them. */

import { html } from "./html.js";

const PATHS = {
  streams: "M4 6h16M4 12h16M4 18h10",
  chart: "M4 19V5M4 19h16M7 15l4-5 3 3 5-7",
  values: "M4 5h16v14H4zM4 10h16M4 14.5h16M10 10v9",
  health: "M3 12h4l3-7 4 14 3-7h4",
  alarms: "M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 21h4M12 3v2",
  devices: "M8 8h8v8H8zM10 8V4M14 8V4M10 20v-4M14 20v-4M8 10H4M8 14H4M20 10h-4M20 14h-4",
  apps: "M4 5h16v14H4zM7.5 9l3 3-3 3M12.5 15h4",
  things: "M5 4h5v5H5zM14 15h5v5h-5zM14 4h5v5h-5zM10 6.5h4M16.5 9v6M7.5 9v8.5H14",
  organisation: "M9 4h6v5H9zM3 15h6v5H3zM15 15h6v5h-6zM12 9v3M6 15v-3h12v3",
  person: "M12 4a4 4 0 1 0 0 8a4 4 0 0 0 0-8zM4.5 20.5c1-4 4-6 7.5-6s6.5 2 7.5 6",
  close: "M6 6l12 12M18 6L6 18",
  search: "M11 4a7 7 0 1 0 0 14a7 7 0 0 0 0-14zM16 16l4.5 4.5",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  sun: "M12 8a4 4 0 1 0 0 8a4 4 0 0 0 0-8zM12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.8 1.8M17.2 17.2L19 19M5 19l1.8-1.8M17.2 6.8L19 5",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  check: "M5 12.5l4.5 4.5L19 7.5",
  copy: "M8 8h11v12H8zM16 8V4H5v12h3",
};

export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}
