/** Numbers and times as text for people. Times are microseconds UTC. */

const MINUS = "\u2212";

/** A value with at most six significant digits; thin and stable for tables. */
export function formatNumber(value, digits = 6) {
  if (value === null || value === undefined || Number.isNaN(value)) return "\u2013";
  if (!Number.isFinite(value)) return value > 0 ? "\u221e" : `${MINUS}\u221e`;
  const size = Math.abs(value);
  let text;
  if (size !== 0 && (size >= 1e9 || size < 1e-4)) {
    const [mantissa, exponent] = value.toExponential(Math.min(digits - 1, 4)).split("e");
    text = `${Number(mantissa)}e${Number(exponent)}`;
  } else text = String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", MINUS);
}

/** A tick label: as many decimals as the step between ticks needs. */
export function formatTick(value, step) {
  const size = Math.abs(value);
  if (value !== 0 && (size >= 1e6 || step < 1e-5)) return formatNumber(value, 5);
  let decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  // A step of 2.5 needs one more than its size says.
  if (Math.abs(step * 10 ** decimals - Math.round(step * 10 ** decimals)) > 1e-6) decimals += 1;
  return value.toFixed(Math.min(decimals, 8)).replace("-", MINUS);
}

/** A count: `1,234,567`. */
export const formatCount = (value) => Math.round(value).toLocaleString("en-US");

/** A rate with three significant digits and k or M. */
export function formatRate(value) {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`;
  if (value >= 1e4) return `${(value / 1e3).toPrecision(3)} k`;
  return value >= 100 ? formatCount(value) : String(Number(value.toPrecision(2)));
}

/** How long ago: `now`, `12 s`, `5 min`, `3 h`, `9 d`. */
export function formatAge(ageUs) {
  const seconds = ageUs / 1e6;
  if (seconds < -2) return "ahead";
  if (seconds < 2) return "now";
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** Calendar fields of a time, local or UTC. */
export function fields(timeUs, utc) {
  const date = new Date(Math.floor(timeUs / 1000));
  const get = (name) => (utc ? date[`getUTC${name}`]() : date[`get${name}`]());
  return {
    year: get("FullYear"),
    month: get("Month") + 1,
    day: get("Date"),
    hour: get("Hours"),
    minute: get("Minutes"),
    second: get("Seconds"),
    micro: timeUs - Math.floor(timeUs / 1e6) * 1e6,
  };
}

const two = (value) => String(value).padStart(2, "0");

/** `2026-11-22`. */
export function formatDate(timeUs, utc) {
  const { year, month, day } = fields(timeUs, utc);
  return `${year}-${two(month)}-${two(day)}`;
}

/** `14:05:09` and as many decimals of the second as asked for. */
export function formatClock(timeUs, utc, decimals = 0) {
  const { hour, minute, second, micro } = fields(timeUs, utc);
  const clock = `${two(hour)}:${two(minute)}:${two(second)}`;
  if (!decimals) return clock;
  return `${clock}.${String(Math.floor(micro)).padStart(6, "0").slice(0, decimals)}`;
}

/** Date and clock time. */
export const formatTime = (timeUs, utc, decimals = 0) =>
  `${formatDate(timeUs, utc)} ${formatClock(timeUs, utc, decimals)}`;

/** Name of the zone that times are shown in. */
export function zoneName(utc) {
  return utc ? "UTC" : Intl.DateTimeFormat().resolvedOptions().timeZone || "local time";
}

/** What the machine's zone is called on a clock: `CET`, `GMT+2`, `UTC`. */
export function zoneLabel() {
  const parts = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" }).formatToParts(new Date());
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "?";
}

/** Labels of a time axis: clock or date by the step, the date again where the day changes. */
export function timeTicks(splitsUs, stepUs, utc) {
  let day = "";
  return splitsUs.map((time) => {
    if (time === null) return null;
    const date = formatDate(time, utc);
    const { month, day: dayOfMonth, year } = fields(time, utc);
    if (stepUs >= 365 * 86400e6) return String(year);
    if (stepUs >= 28 * 86400e6) return `${year}-${two(month)}`;
    if (stepUs >= 86400e6) return `${two(month)}-${two(dayOfMonth)}`;
    const decimals = stepUs >= 1e6 ? 0 : Math.min(6, Math.ceil(6 - Math.log10(stepUs) - 1e-9));
    const clock = formatClock(time, utc, decimals);
    const short = stepUs >= 60e6 ? clock.slice(0, 5) : clock;
    const label = date === day ? short : `${short}\n${date}`;
    day = date;
    return label;
  });
}

/** Value and unit of a row for tables: numbers formatted, text as it is. */
export function formatValue(row, type) {
  if (!row) return "\u2013";
  if (row.text !== null && row.text !== undefined) return row.text;
  if (type === "Truth") return row.number ? "true" : "false";
  return formatNumber(row.number);
}

/** How a unit is written behind a value. */
export const unitText = (unit) => unit?.symbol || unit?.name || "";

/** Name within its thing: the thing's own name is not said twice. */
export const shortName = (info) =>
  info.name.startsWith(`${info.thing}.`) ? info.name.slice(info.thing.length + 1) : info.name;

/** A `datetime-local` value for a time, and back. */
export const toInput = (timeUs, utc) => `${formatDate(timeUs, utc)}T${formatClock(timeUs, utc)}`;
export function fromInput(text, utc) {
  const ms = Date.parse(utc ? `${text}Z` : text);
  return Number.isNaN(ms) ? null : ms * 1000;
}
