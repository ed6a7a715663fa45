/** What to show when the address does not say: a few datastreams that are alive. */

import { nowUs } from "./api.js";
import { app } from "./state.js";

const HOW_MANY = 4;
const FRESH_US = 120e6;
const NUMBERS = ["Measurement", "Count"];

/** Up to `HOW_MANY` fresh series of numbers: first of properties and things not there yet. */
export function suggest({ infos, latest }) {
  const now = nowUs();
  const rest = [...infos.values()].filter((info) => {
    const row = latest.get(info.id);
    return (
      NUMBERS.includes(info.observation_type) && row?.number != null && now - row.time < FRESH_US
    );
  });
  const chosen = [];
  const isNew = (info, name) => chosen.every((other) => other[name] !== info[name]);
  while (chosen.length < HOW_MANY && rest.length) {
    const property = "observed_property";
    const next =
      rest.find((info) => isNew(info, property) && isNew(info, "thing")) ??
      rest.find((info) => isNew(info, property)) ??
      rest[0];
    chosen.push(next);
    rest.splice(rest.indexOf(next), 1);
  }
  return chosen.map((info) => info.id);
}

/** Show a suggestion once values are known, unless somebody chose before. */
export function suggestWhenKnown() {
  const stop = app.subscribe((state, before) => {
    if (state.picked.length) stop();
    else if (state.latest !== before.latest) {
      const picked = suggest(state);
      if (picked.length) app.set({ picked });
    }
  });
}
