/** Points of one series in time order, in typed arrays that slide over the newest. */

const FIRST_CAPACITY = 1024;

/** Index of the first element of `times[start..end)` that is not before `time`. */
export function lowerBound(times, time, start, end) {
  let low = start;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class SlidingBuffer {
  /** @param {number} limit most points held; older ones are dropped a quarter at a time. */
  constructor(limit) {
    this.limit = Math.max(limit, FIRST_CAPACITY);
    this.times = new Float64Array(FIRST_CAPACITY);
    this.values = new Float64Array(FIRST_CAPACITY);
    this.start = 0;
    this.end = 0;
    /** Time of the last point ever dropped for lack of room; the buffer is whole after it. */
    this.droppedUs = -Infinity;
  }

  get length() {
    return this.end - this.start;
  }

  get lastTime() {
    return this.end > this.start ? this.times[this.end - 1] : -Infinity;
  }

  /** Add a point; one at a time already held replaces it. Returns whether it came in order. */
  push(time, value) {
    if (time > this.lastTime) {
      this.#makeRoom();
      this.times[this.end] = time;
      this.values[this.end] = value;
      this.end += 1;
      return true;
    }
    const at = lowerBound(this.times, time, this.start, this.end);
    if (this.times[at] === time) {
      this.values[at] = value;
      return true;
    }
    if (time <= this.droppedUs) return false;
    this.#makeRoom();
    const place = lowerBound(this.times, time, this.start, this.end);
    this.times.copyWithin(place + 1, place, this.end);
    this.values.copyWithin(place + 1, place, this.end);
    this.times[place] = time;
    this.values[place] = value;
    this.end += 1;
    return false;
  }

  /** Forget points before `time`. */
  dropBefore(time) {
    this.start = lowerBound(this.times, time, this.start, this.end);
  }

  #makeRoom() {
    if (this.end < this.times.length) return;
    if (this.length >= this.limit) {
      this.start += this.limit >>> 2;
      this.droppedUs = this.times[this.start - 1];
    }
    const grown = this.start > this.times.length >>> 2 ? this.times.length : this.times.length * 2;
    this.times = this.#copy(this.times, grown);
    this.values = this.#copy(this.values, grown);
    this.end -= this.start;
    this.start = 0;
  }

  #copy(array, capacity) {
    const copy = new Float64Array(capacity);
    copy.set(array.subarray(this.start, this.end));
    return copy;
  }
}
