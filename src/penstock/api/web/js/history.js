/** Reads what the server holds for the shown stretch, at the resolution that the screen has. */

import { addNeighbours, readBuckets, readRows, readTexts } from "./observations.js";
import { bucketWidth } from "./spans.js";
import { rawHistory } from "./trace.js";

/** Rows asked for raw in one go, all series together. */
const RAW_ROWS = 60e3;
/** Up to so many rows for each bucket a series is drawn raw, above as a band and a line. */
const ROWS_PER_BUCKET = 6;
/** Buckets asked for in one go, all series together. */
const BUCKETS = 80e3;
/** Share of the span read beyond each edge, so that a small pan needs nothing new. */
const MARGIN = 0.5;
const SETTLE_MS = 120;
/** So few rows say nothing of what lies beside them; for so many series one asks. */
const FEW = 3;
const NEIGHBOURED = 8;
const NOTHING = { times: new Float64Array(0), values: new Float64Array(0) };

export class History {
  #timer = 0;
  #abort = null;
  #loaded = null;
  #loadedAt = 0;

  /**
   * @param traces function that returns the traces shown
   * @param changed called when there is something new to draw
   * @param failed called with an error, or null when reading works again
   */
  constructor(traces, changed, failed) {
    this.traces = traces;
    this.changed = changed;
    this.failed = failed;
  }

  /** Read soon if the shown stretch or the traces need it. Cheap enough for every frame. */
  need(edges, pixels) {
    if (this.#timer || this.#abort || !this.#isWanting(edges, pixels)) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = 0;
        this.#read(pixels);
      },
      this.#loaded ? SETTLE_MS : 0,
    );
    this.latest = edges;
  }

  /** Forget what was read; the next `need` reads again. */
  reset() {
    this.#abort?.abort();
    this.#abort = null;
    this.#loaded = null;
  }

  /** Whether something is being read. */
  get isBusy() {
    return Boolean(this.#abort || this.#timer);
  }

  #isWanting(edges, pixels) {
    this.latest = edges;
    const traces = this.traces();
    if (traces.length === 0) return false;
    const loaded = this.#loaded;
    if (!loaded || traces.some((trace) => !loaded.traces.has(trace))) return true;
    if (edges.from < loaded.from || (edges.to > loaded.to && !loaded.joinsLive)) return true;
    const width = widthFor(edges, pixels, traces.length);
    if (loaded.bucketed ? width !== loaded.width : width > loaded.width * 4) return true;
    const age = performance.now() - this.#loadedAt;
    if (age > 1000 && traces.some((trace) => trace.isBehind)) return true;
    return edges.follows && loaded.bucketed && age > Math.max(30e3, loaded.width / 10);
  }

  async #read(pixels) {
    const abort = new AbortController();
    this.#abort = abort;
    try {
      await this.#readInto(this.latest, pixels, abort.signal);
      this.failed(null);
    } catch (error) {
      if (!abort.signal.aborted) {
        this.failed(error);
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
    } finally {
      if (this.#abort === abort) this.#abort = null;
      this.changed();
    }
  }

  async #readInto(edges, pixels, signal) {
    const traces = this.traces();
    const ids = traces.filter((trace) => !trace.isText).map((trace) => trace.id);
    const margin = (edges.to - edges.from) * MARGIN;
    const width = widthFor(edges, pixels, traces.length);
    const from = Math.floor((edges.from - margin) / width) * width;
    const to = Math.ceil((edges.to + margin) / width) * width;
    // Taken before reading: what the live buffer holds until here, the answer holds as well.
    const marks = new Map(traces.map((trace) => [trace, [trace.wholeFrom, trace.live.lastTime]]));
    const buckets = ids.length ? await readBuckets(ids, from, to, width, signal) : new Map();
    const [rows, texts] = await Promise.all([
      readSparse(pickSparse(ids, buckets, (to - from) / width), from, to, signal),
      readTexts(
        traces.filter((trace) => trace.isText).map((trace) => trace.id),
        from,
        to,
        signal,
      ),
    ]);
    if (signal.aborted) return;
    for (const [trace, [wholeFrom, lastTime]] of marks) {
      const raw = rows.get(trace.id) ?? (buckets.has(trace.id) ? null : NOTHING);
      if (raw) trace.setHistory(rawHistory(raw.times, raw.values), wholeFrom);
      else {
        const whole = Math.ceil(wholeFrom / width) * width;
        const shared = Math.floor(Math.min(to, lastTime) / width) * width;
        trace.setHistory(buckets.get(trace.id), Math.max(whole, shared));
      }
    }
    for (const trace of traces)
      for (const { time, text } of texts.get(trace.id) ?? []) trace.push(time, null, text);
    this.#loaded = {
      from,
      to,
      width,
      bucketed: traces.some((trace) => trace.history.width > 0),
      traces: new Set(traces),
      joinsLive: traces.every((trace) => trace.completeFrom <= to),
    };
    this.#loadedAt = performance.now();
  }
}

/** Raw rows of series that are sparse enough; none of them when there turn out to be too many. */
async function readSparse(ids, from, to, signal) {
  if (ids.length === 0) return new Map();
  const found = await readRows(ids, from, to, RAW_ROWS * 2, signal);
  if (!found) return new Map();
  const sparsest = [...found].filter(([, rows]) => rows.times.length < FEW).slice(0, NEIGHBOURED);
  await addNeighbours(new Map(sparsest), from, to, signal);
  return found;
}

function widthFor(edges, pixels, series) {
  const points = Math.max(150, Math.min(pixels, BUCKETS / series / (1 + 2 * MARGIN)));
  return bucketWidth(edges.to - edges.from, points);
}

/** Series to be read raw: of few rows for each bucket, and few enough together. */
function pickSparse(ids, buckets, count) {
  const sized = ids.map((id) => [id, buckets.get(id)?.rows ?? 0]).sort((a, b) => a[1] - b[1]);
  let room = RAW_ROWS;
  const sparse = [];
  for (const [id, rows] of sized) {
    room -= rows;
    if (room < 0 || rows > count * ROWS_PER_BUCKET) break;
    sparse.push(id);
  }
  return sparse;
}
