/** Asks for what was measured, and turns the columns of the answers into typed arrays. */

import { request } from "./api.js";

const PAGE_ROWS = 50e3;
const TEXT_ROWS = 200;
/** Read before a stretch of few rows; enough for one unusual pause among them not to count. */
const ROWS_BEFORE = 8;

/** Rows of each id in an answer's `datastream` column, as index lists in time order. */
function rowsById({ datastream }) {
  const rows = new Map();
  datastream.forEach((id, row) => {
    if (!rows.has(id)) rows.set(id, []);
    rows.get(id).push(row);
  });
  return rows;
}

const pick = (column, rows) => Float64Array.from(rows, (row) => column[row] ?? NaN);

/** A time as the API takes it: small numbers would be read as seconds or milliseconds. */
export const timeText = (timeUs) =>
  timeUs >= 1e15 ? String(Math.round(timeUs)) : new Date(timeUs / 1000).toISOString();

/** Newest row of each datastream: pairs of id and `{time, number, text}`. */
export async function readLatest(ids) {
  const { datastream, time, number, text } = await request("latest", { datastream: ids });
  return datastream.map((id, row) => [
    id,
    { time: time[row], number: number[row], text: text?.[row] ?? null },
  ]);
}

/** Buckets by datastream, `{width, rows, times, min, max, mean}`; none for those without rows. */
export async function readBuckets(ids, start, end, width, signal) {
  const buckets = await request(
    "observations",
    {
      datastream: ids,
      start: timeText(start),
      end: timeText(end),
      width: `${width}us`,
      agg: ["min", "max", "mean", "count"],
    },
    { signal },
  );
  const found = new Map();
  for (const [id, rows] of rowsById(buckets)) {
    found.set(id, {
      width,
      rows: rows.reduce((sum, row) => sum + buckets.count[row], 0),
      times: pick(buckets.time, rows),
      min: pick(buckets.min, rows),
      max: pick(buckets.max, rows),
      mean: pick(buckets.mean, rows),
    });
  }
  return found;
}

/** Raw rows by datastream, `{times, values, texts}`; null when there are more than `limit`. */
export async function readRows(ids, start, end, limit, signal) {
  const found = new Map(ids.map((id) => [id, { times: [], values: [], texts: [] }]));
  const asked = { datastream: ids, start: timeText(start), end: timeText(end), limit: PAGE_ROWS };
  for (let [count, after, isMore] = [0, null, true]; isMore; isMore = Boolean(after)) {
    const { datastream, time, number, text, next } = await request(
      "observations",
      { ...asked, after },
      { signal },
    );
    datastream.forEach((id, row) => {
      if (number[row] !== null) {
        found.get(id).times.push(time[row]);
        found.get(id).values.push(number[row]);
      } else if (text?.[row]) found.get(id).texts.push({ time: time[row], text: text[row] });
    });
    count += datastream.length;
    if (count > limit) return null;
    after = next;
  }
  for (const rows of found.values()) {
    rows.times = Float64Array.from(rows.times);
    rows.values = Float64Array.from(rows.values);
  }
  return found;
}

/** Newest text results by datastream, `[{time, text}]`. */
export async function readTexts(ids, start, end, signal) {
  const answers = ids.map(async (id) => {
    const { time, text } = await request(
      "observations",
      {
        datastream: id,
        start: timeText(start),
        end: timeText(end),
        order: "desc",
        limit: TEXT_ROWS,
      },
      { signal },
    );
    return [
      id,
      time
        .map((at, row) => ({ time: at, text: text?.[row] ?? null }))
        .filter((e) => e.text !== null),
    ];
  });
  return new Map(await Promise.all(answers));
}

/**
 * Add to sparse raw rows the numbers next to the stretch, so that lines cross the edges: one behind
 * it, and as many before it as tell how long a pause is usual.
 */
export async function addNeighbours(found, start, end, signal) {
  const sides = [
    [{ end: timeText(start), order: "desc", limit: ROWS_BEFORE }, (old, few) => [...few, ...old]],
    [{ start: timeText(end), order: "asc", limit: 1 }, (old, few) => [...old, ...few]],
  ];
  const reading = [...found].flatMap(([id, rows]) => sides.map(async ([side, put]) => {
    const { time, number } = await request(
      "observations", { datastream: id, ...side }, { signal },
    );
    const numbers = [...time.keys()].filter((row) => number[row] !== null);
    if (side.order === "desc") numbers.reverse();
    rows.times = Float64Array.from(put(rows.times, numbers.map((row) => time[row])));
    rows.values = Float64Array.from(put(rows.values, numbers.map((row) => number[row])));
  }));
  await Promise.all(reading);
}
