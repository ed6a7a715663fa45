/** The view of alarms: what wants attention, the rules, and who is told. */

import { html } from "../html.js";
import { useLoaded } from "../loading.js";
import { listRules, listTargets } from "./api.js";
import { AlarmList } from "./list.js";
import { Rules } from "./rules.js";
import { Targets } from "./targets.js";

const EVERY_MS = 5000;

function Shown() {
  const rules = useLoaded(listRules, [], EVERY_MS);
  const targets = useLoaded(listTargets, [], EVERY_MS);
  return html`<section class="view alarms-view" aria-label="Alarms">
    <${AlarmList} rules=${rules.data ?? []} />
    <${Rules} found=${rules} targets=${targets.data ?? []} />
    <${Targets} found=${targets} rules=${rules.data ?? []} />
  </section>`;
}

export const AlarmsView = ({ isShown }) => (isShown ? html`<${Shown} />` : null);
