/** New observations as the server keeps them, over server-sent events that reconnect. */

import { address, nowUs } from "./api.js";
import { timeText } from "./observations.js";

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5000;
/** After so long without contact the page says offline instead of reconnecting. */
const OFFLINE_AFTER_MS = 15000;
/** A new stream begins this long before the newest row seen, for rows that came late. */
const OVERLAP_US = 10e6;
/** How much may be caught up row by row; a longer absence is read as history. */
const CATCH_UP_US = 60e6;

export class Live {
  #source = null;
  #retryMs = FIRST_RETRY_MS;
  #timer = 0;
  #lostAt = 0;
  #ids = [];
  #start = 0;
  #hasBegun = false;

  /**
   * @param handlers `rows(columns)` for every batch, `begun(startUs)` when all rows from a time on
   *   are being handed over, `state(name)`.
   */
  constructor(handlers) {
    this.handlers = handlers;
    /** Time of the newest row seen on this page. */
    this.newest = 0;
    /** Batches received; for tests and the console. */
    this.batches = 0;
  }

  /** Watch these datastreams instead of those watched now. */
  watch(ids) {
    this.#ids = [...ids];
    this.#retryMs = FIRST_RETRY_MS;
    this.reopen();
  }

  /** Drop the connection and make a new one. */
  reopen() {
    this.close();
    if (this.#ids.length === 0) this.handlers.state("idle");
    else this.#open();
  }

  /** Stop; `reopen` goes on. */
  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #open() {
    const now = nowUs();
    const seen = Math.min(this.newest || now, now);
    this.#start = Math.max(seen - OVERLAP_US, now - CATCH_UP_US);
    const url = address("observations/stream", {
      datastream: this.#ids,
      start: timeText(this.#start),
    });
    const source = new EventSource(url);
    this.#hasBegun = false;
    this.#source = source;
    const listen = (name, handle) =>
      source.addEventListener(name, (event) => {
        if (this.#source === source) handle(event.data ? JSON.parse(event.data) : {});
      });
    listen("snapshot", (data) => this.#begin(data));
    listen("observations", (data) => this.#take(data));
    // What is skipped is older than now; a cut snapshot says itself from when it is complete.
    listen("gap", () => this.#hasBegun && this.handlers.begun(nowUs()));
    source.onerror = () => this.#source === source && this.#lose();
  }

  #begin(data) {
    this.#retryMs = FIRST_RETRY_MS;
    this.#lostAt = 0;
    this.#take(data);
    this.#hasBegun = true;
    this.handlers.begun(data.start ?? this.#start);
    this.handlers.state("live");
  }

  #take(columns) {
    if (!columns.time?.length) return;
    this.batches += 1;
    const now = nowUs();
    for (const time of columns.time)
      if (time > this.newest && time <= now + 1e6) this.newest = time;
    this.handlers.rows(columns);
  }

  #lose() {
    this.close();
    const now = performance.now();
    this.#lostAt ||= now;
    this.handlers.state(now - this.#lostAt > OFFLINE_AFTER_MS ? "offline" : "reconnecting");
    this.#timer = setTimeout(() => this.#open(), this.#retryMs * (0.75 + Math.random() / 2));
    this.#retryMs = Math.min(this.#retryMs * 1.7, LAST_RETRY_MS);
  }
}
