/** Keeps the newest values of what is on the screen fresh, by asking for them together. */

import { readLatest } from "./observations.js";
import { learnLatest } from "./state.js";

const EVERY_MS = 1500;
/** Ids in one request: an address stays well below the length that servers take. */
const CHUNK = 400;

const wanted = new Map();
let timer = 0;

/** Keep `ids` fresh for a part of the page, until it wants others; an empty list wants nothing. */
export function wantLatest(part, ids) {
  wanted.set(part, ids);
  clearTimeout(timer);
  timer = setTimeout(refresh, 0);
  return () => wanted.set(part, []);
}

async function refresh() {
  const ids = [...new Set([...wanted.values()].flat())];
  try {
    if (!document.hidden) {
      for (let at = 0; at < ids.length; at += CHUNK)
        learnLatest(await readLatest(ids.slice(at, at + CHUNK)));
    }
  } catch {
    // The header says when the server does not answer; the values grow old visibly.
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, EVERY_MS);
}
