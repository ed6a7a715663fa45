/** Lengths of time: the presets of the chart, bucket widths, and their short names. */

const SECOND = 1e6;
const UNITS = [
  ["y", 365 * 86400 * SECOND],
  ["d", 86400 * SECOND],
  ["h", 3600 * SECOND],
  ["m", 60 * SECOND],
  ["s", SECOND],
  ["ms", 1e3],
  ["us", 1],
];

/** What the range buttons offer, in microseconds. */
export const PRESETS = ["1m", "5m", "15m", "1h", "6h", "24h", "7d", "30d", "1y"];

/** Shortest and longest span that zooming reaches. */
export const MIN_SPAN = 1e3;
export const MAX_SPAN = 20 * 365 * 86400 * SECOND;

/** `"15m"` to microseconds; null when it is not a span. */
export function parseSpan(text) {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m|h|d|y)$/.exec(text ?? "");
  if (!match) return null;
  const span = Number(match[1]) * UNITS.find(([name]) => name === match[2])[1];
  return span >= MIN_SPAN && span <= MAX_SPAN ? span : null;
}

/** Microseconds to the shortest exact name, presets as they are written on the buttons. */
export function formatSpan(spanUs) {
  const preset = PRESETS.find((name) => parseSpan(name) === spanUs);
  if (preset) return preset;
  const whole = Math.round(spanUs);
  const [name, size] = UNITS.find(([, unit]) => whole >= unit && whole % unit === 0) ?? ["us", 1];
  return `${whole / size}${name}`;
}

/** A span for reading: `12 s`, `3.5 min`, `2 d`. */
export function readableSpan(spanUs) {
  const seconds = spanUs / SECOND;
  if (seconds < 1) return `${round3(seconds * 1e3)} ms`;
  if (seconds < 120) return `${round3(seconds)} s`;
  if (seconds < 7200) return `${round3(seconds / 60)} min`;
  if (seconds < 172800) return `${round3(seconds / 3600)} h`;
  return `${round3(seconds / 86400)} d`;
}

/** Bucket widths that nest into each other, so that roll-ups can answer. */
const WIDTHS = [
  1e3,
  2e3,
  5e3,
  10e3,
  20e3,
  50e3,
  100e3,
  200e3,
  500e3,
  ...[
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
    172800, 604800, 1209600, 2592000,
  ].map((s) => s * SECOND),
];

/** The smallest such width that cuts `spanUs` into at most `points` buckets. */
export function bucketWidth(spanUs, points) {
  return WIDTHS.find((width) => spanUs / width <= points) ?? WIDTHS.at(-1);
}

const round3 = (value) => Number(value.toPrecision(3));
