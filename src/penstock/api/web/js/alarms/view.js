/** The view of alarms: what wants attention, and the rules. */

import { html } from "../html.js";
import { AlarmList } from "./list.js";
import { Rules } from "./rules.js";

export function AlarmsView({ isShown }) {
  if (!isShown) return null;
  return html`<section class="view alarms-view" aria-label="Alarms"><${AlarmList} /><${Rules} /></section>`;
}
