/** The stretch of time that the chart shows: following now, or standing still. */

import { MAX_SPAN, MIN_SPAN } from "./spans.js";
import { nowUs } from "./api.js";
import { app } from "./state.js";

/** Edges now, `{from, to, follows}`. */
export function edges() {
  const { range } = app.get();
  if (!range.live) return { ...range, follows: false };
  const to = nowUs();
  return { from: to - range.live, to, follows: true };
}

let lastSpan = 300e6;

app.subscribe(({ range }) => {
  if (range.live) lastSpan = range.live;
});

/** Follow now again, with the span that was followed before. */
export const followAgain = () => follow(lastSpan);

/** Follow now, showing the last `spanUs`. */
export const follow = (spanUs) => app.set({ range: { live: clamp(spanUs) } });

/** Show a fixed stretch. */
export function show(from, to) {
  const span = clamp(to - from);
  const middle = (from + to) / 2;
  app.set({ range: { from: Math.round(middle - span / 2), to: Math.round(middle + span / 2) } });
}

/** Move by a share of the span, backwards when negative; reaching now, follow it. */
export function pan(share) {
  const { from, to, follows } = edges();
  if (follows && share > 0) return;
  const move = (to - from) * share;
  if (share > 0 && to + move >= nowUs() && to <= nowUs()) follow(to - from);
  else show(from + move, to + move);
}

/** Zoom by a factor (above 1 is closer) around a point given as share of the width. */
export function zoom(factor, share = 0.5) {
  const { from, to, follows } = edges();
  const span = clamp((to - from) / factor);
  if (follows && (share > 0.9 || factor < 1)) return follow(span);
  const anchor = from + (to - from) * share;
  return show(anchor - span * share, anchor + span * (1 - share));
}

const clamp = (span) => Math.min(MAX_SPAN, Math.max(MIN_SPAN, Math.round(span)));
