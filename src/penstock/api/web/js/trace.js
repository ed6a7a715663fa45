/** One datastream on the chart: stored history up to a seam, live points from there on. */

import { SlidingBuffer, lowerBound } from "./buffer.js";

/** Points held of all live buffers together, about 64 MB. */
const LIVE_POINTS = 4e6;
const LIVE_POINTS_MAX = 400e3;
const EVENTS_KEPT = 500;
/** A pause of so many usual intervals is drawn as a gap. */
const GAP_INTERVALS = 8;

const EMPTY = {
  width: 0,
  times: new Float64Array(0),
  min: null,
  max: null,
  mean: new Float64Array(0),
};

/** History as the server gave it: `width` 0 is raw, with the values in `mean`. */
export function rawHistory(times, values) {
  return { width: 0, times, min: null, max: null, mean: values };
}

export class Trace {
  /**
   * @param {number} id datastream
   * @param {number} sharers how many traces share the memory for live points
   * @param {boolean} isText results are categories or JSON, for the table, not for the chart
   */
  constructor(id, sharers, isText = false) {
    this.id = id;
    this.isText = isText;
    this.history = EMPTY;
    /** The history is drawn before this time, live points from it on. */
    this.seam = -Infinity;
    /** All points kept from this time on are, or were, in the live buffer. */
    this.completeFrom = Infinity;
    this.live = new SlidingBuffer(Math.min(LIVE_POINTS_MAX, Math.floor(LIVE_POINTS / sharers)));
    /** Newest text results, `{time, text}`, newest first. */
    this.events = [];
    /** A row arrived that belongs before the seam: the history must be read again. */
    this.stale = false;
    this.interval = 0;
    this.measured = 0;
  }

  /** Take over what the server holds before `seam`. */
  setHistory(history, seam) {
    this.history = history;
    this.seam = seam;
    this.stale = false;
    this.measured = 0;
    this.#join();
  }

  /** From `startUs` on every point is being pushed. */
  begin(startUs) {
    this.completeFrom = startUs;
    this.#join();
  }

  /** Join a history that was read before there was a stream; rows late in between need another. */
  #join() {
    if (this.seam !== Infinity || this.completeFrom === Infinity) return;
    const { width } = this.history;
    this.seam = width ? Math.ceil(this.completeFrom / width) * width : this.completeFrom;
    this.stale = true;
  }

  /** From this time on the live buffer holds every point kept; Infinity when it does not. */
  get wholeFrom() {
    return Math.max(this.completeFrom, this.live.droppedUs + 1);
  }

  /** Whether the history should be read again: it misses late rows, or ends before `wholeFrom`. */
  get isBehind() {
    return this.stale || this.wholeFrom > this.seam;
  }

  /** Add a live row. */
  push(time, number, text) {
    if (text !== null && text !== undefined) this.#keepEvent(time, text);
    else if (number !== null && number !== undefined) {
      const inOrder = this.live.push(time, number);
      if (time < this.seam && !inOrder) this.stale = true;
    }
  }

  #keepEvent(time, text) {
    let at = this.events.findIndex((event) => event.time <= time);
    if (at < 0) at = this.events.length;
    if (this.events[at]?.time === time) this.events[at] = { time, text };
    else this.events.splice(at, 0, { time, text });
    this.events.length = Math.min(this.events.length, EVENTS_KEPT);
  }

  /**
   * What to draw between two times: up to two parts `{width, times, min, max, mean, start, end}`.
   * The first reaches one point beyond the left edge, the last one beyond the right.
   */
  parts(fromUs, toUs) {
    const { history, live } = this;
    const parts = [];
    const until = lowerBound(history.times, this.seam, 0, history.times.length);
    const start = Math.max(0, lowerBound(history.times, fromUs - history.width, 0, until) - 1);
    const end = Math.min(until, lowerBound(history.times, toUs, start, until) + 1);
    if (end > start) parts.push({ ...history, start, end });
    const first = lowerBound(live.times, this.seam, live.start, live.end);
    const left = Math.max(first, lowerBound(live.times, fromUs, first, live.end) - 1);
    const right = Math.min(live.end, lowerBound(live.times, toUs, left, live.end) + 1);
    if (right > left) {
      parts.push(history.width ? this.#bucketed(left, right) : this.#rawLive(left, right));
    }
    return parts;
  }

  #rawLive(start, end) {
    return {
      width: 0,
      times: this.live.times,
      min: null,
      max: null,
      mean: this.live.values,
      start,
      end,
    };
  }

  /** Live points in buckets as wide as those of the history, so that the seam does not show. */
  #bucketed(from, to) {
    const { times, values } = this.live;
    const { width } = this.history;
    const out = { width, times: [], min: [], max: [], mean: [], start: 0, end: 0 };
    for (let at = from; at < to;) {
      const bucket = Math.floor(times[at] / width) * width;
      let [min, max, sum, count] = [Infinity, -Infinity, 0, 0];
      for (; at < to && times[at] < bucket + width; at += 1) {
        const value = values[at];
        if (value < min) min = value;
        if (value > max) max = value;
        sum += value;
        count += 1;
      }
      out.times.push(bucket);
      out.min.push(min);
      out.max.push(max);
      out.mean.push(sum / count);
    }
    out.end = out.times.length;
    return out;
  }

  /** Pause after which the line is broken, from the usual interval between points. */
  gapUs() {
    const count = this.live.length + this.history.times.length;
    if (!this.measured || count > this.measured * 1.25) {
      this.interval = this.#usualInterval();
      this.measured = count;
    }
    const usual = Math.max(this.interval, this.history.width);
    return usual ? usual * (this.history.width ? 2.5 : GAP_INTERVALS) : Infinity;
  }

  #usualInterval() {
    const gaps = [];
    const collect = (times, start, end) => {
      const step = Math.max(1, Math.floor((end - start) / 200));
      for (let at = start + 1; at < end; at += step) gaps.push(times[at] - times[at - 1]);
    };
    collect(this.history.times, 0, this.history.times.length);
    if (!this.history.width) collect(this.live.times, this.live.start, this.live.end);
    // A handful of points tells less than what was seen before one zoomed in.
    if (gaps.length < 6 && this.interval) return this.interval;
    gaps.sort((a, b) => a - b);
    return gaps.length ? gaps[gaps.length >>> 1] : 0;
  }

  /** Smallest, largest and average value between two times, or null when there is none. */
  extent(fromUs, toUs) {
    let [min, max, sum, count] = [Infinity, -Infinity, 0, 0];
    for (const part of this.parts(fromUs, toUs)) {
      const low = part.min ?? part.mean;
      const high = part.max ?? part.mean;
      for (let at = part.start; at < part.end; at += 1) {
        if (part.times[at] + part.width < fromUs || part.times[at] >= toUs) continue;
        if (low[at] < min) min = low[at];
        if (high[at] > max) max = high[at];
        sum += part.mean[at];
        count += 1;
      }
    }
    return count ? { min, max, mean: sum / count } : null;
  }

  /**
   * Smallest and largest value of what is drawn between two times, or null when nothing is: of the
   * points, and without any of the line that crosses from a point before to one after.
   */
  reach(fromUs, toUs) {
    return this.extent(fromUs, toUs) ?? this.#crossing(fromUs, toUs);
  }

  #crossing(fromUs, toUs) {
    let [before, after] = [null, null];
    for (const part of this.parts(fromUs, toUs)) {
      for (let at = part.start; at < part.end; at += 1) {
        const point = { time: part.times[at] + part.width / 2, value: part.mean[at] };
        if (point.time < fromUs) before = point;
        else after ??= point;
      }
    }
    if (!before || !after || after.time - before.time > this.gapUs()) return null;
    const slope = (after.value - before.value) / (after.time - before.time);
    const ends = [fromUs, toUs].map((time) => before.value + slope * (time - before.time));
    return { min: Math.min(...ends), max: Math.max(...ends) };
  }

  /** The point nearest to `time` within `reachUs`: `{time, value}` or null. */
  nearest(time, reachUs) {
    let best = null;
    for (const part of this.parts(time - reachUs, time + reachUs)) {
      const at = lowerBound(part.times, time - part.width / 2, part.start, part.end);
      for (const index of [at - 1, at]) {
        if (index < part.start || index >= part.end) continue;
        const centre = part.times[index] + part.width / 2;
        const distance = Math.abs(centre - time);
        if (distance <= reachUs && (!best || distance < best.distance)) {
          best = { distance, time: centre, value: part.mean[index] };
        }
      }
    }
    return best;
  }

  /** Raw points between two times as `[times, values]`, for tests and for people at the console. */
  points(fromUs = -Infinity, toUs = Infinity) {
    const times = [];
    const values = [];
    for (const part of this.parts(fromUs, toUs)) {
      for (let at = part.start; at < part.end; at += 1) {
        if (part.times[at] < fromUs || part.times[at] >= toUs) continue;
        times.push(part.times[at]);
        values.push(part.mean[at]);
      }
    }
    return [times, values];
  }
}
