/** The chart: panels by unit over one stretch of time, fed by history and live rows. */

import { History } from "./history.js";
import { Live } from "./live.js";
import { Panel, PLOT_LEFT, PLOT_RIGHT } from "./panel.js";
import { Trace } from "./trace.js";
import { listenToGestures } from "./gestures.js";
import { look, shownTheme } from "./palette.js";
import { unitText } from "./format.js";
import { app, createStore, learnLatest } from "./state.js";
import { edges, followAgain, pan, show, zoom } from "./timeline.js";

/** At most 20 drawings a second while data flows, fewer where drawing is slow; gestures at once. */
const FRAME_MS = 50;
const PANEL_MIN_PX = 96;
/** A page hidden for longer drops its stream and catches up from the store on return. */
const HIDDEN_GRACE_MS = 5000;
const TEXT_TYPES = ["Category", "Complex"];

export class Chart {
  /** @param {HTMLElement} area where panels go; `scroll` around them */
  constructor(area) {
    this.area = area;
    this.traces = new Map();
    this.panels = new Map();
    /** What the page around the chart shows of it. */
    this.status = createStore({ busy: false, error: null, cursor: null, revision: 0 });
    this.history = new History(
      () => [...this.traces.values()],
      () => this.invalidate(),
      (error) => {
        this.status.set({ error: error?.message ?? null });
      },
    );
    this.live = new Live({
      rows: (columns) => this.#take(columns),
      begun: (start) => this.#begin(start),
      state: (link) => app.set({ link }),
    });
    this.cursorLine = this.#overlay("cursor-line");
    this.selectBox = this.#overlay("select-box");
    this.lastDraw = 0;
    this.frame = 0;
    this.cost = 0;
    this.fit = true;
    this.colours = {};
    this.#listen();
  }

  #overlay(name) {
    const element = document.createElement("div");
    element.className = name;
    element.hidden = true;
    this.area.append(element);
    return element;
  }

  #listen() {
    listenToGestures(this.area, () => this.plotBox(), {
      pan,
      zoom,
      select: (a, b) => {
        const { from, to } = edges();
        show(from + (to - from) * a, from + (to - from) * b);
      },
      selecting: (a, b) => this.#showSelection(a, b),
      point: (share) => this.#point(share),
      reset: followAgain,
    });
    new ResizeObserver(() => this.#layout()).observe(this.area);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    app.subscribe((state, before) => {
      if (state.range !== before.range) this.fit = true;
      if (state.picked !== before.picked) this.#repick(state.picked);
      else if (state.infos !== before.infos) this.#regroup();
      if (state.theme !== before.theme) this.restyle();
      if (state.range !== before.range || state.utc !== before.utc) this.invalidate(true);
      if (state.view !== before.view) requestAnimationFrame(() => this.#layout());
    });
    let hiddenTimer = 0;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(hiddenTimer);
      if (document.hidden) hiddenTimer = setTimeout(() => this.pause(), HIDDEN_GRACE_MS);
      else this.resume();
    });
    this.restyle();
    this.#repick(app.get().picked);
    // A stretch that stands still is drawn again only when something waits to be read.
    setInterval(() => (edges().follows || this.#isBehind()) && this.invalidate(), FRAME_MS * 2);
  }

  #isBehind() {
    return [...this.traces.values()].some((trace) => trace.isBehind);
  }

  /** Stop receiving; what is missed is read from the store by `resume`. */
  pause() {
    this.isPaused = true;
    this.live.close();
  }

  resume() {
    if (this.isPaused) this.live.reopen();
    this.isPaused = false;
    this.invalidate(true);
  }

  #repick(picked) {
    const { infos } = app.get();
    const isText = (id) => TEXT_TYPES.includes(infos.get(id)?.observation_type);
    const before = this.traces;
    this.traces = new Map(
      picked.map((id) => [id, before.get(id) ?? new Trace(id, picked.length, isText(id))]),
    );
    this.#regroup();
    this.live.watch(picked);
    this.fit = true;
    this.invalidate(true);
  }

  #regroup() {
    const { infos, picked } = app.get();
    const groups = new Map();
    for (const id of picked) {
      const info = infos.get(id);
      const trace = this.traces.get(id);
      const isText = TEXT_TYPES.includes(info?.observation_type);
      // Texts are asked for otherwise than numbers; what was read in ignorance is read again.
      if (trace.isText !== isText) this.history.reset();
      trace.isText = isText;
      if (trace.isText || !info) continue;
      const unit = unitText(info.unit) || info.observed_property || "";
      groups.set(unit, [...(groups.get(unit) ?? []), trace]);
    }
    for (const [unit, panel] of this.panels) {
      if (groups.has(unit)) continue;
      panel.destroy();
      this.panels.delete(unit);
    }
    for (const [unit, traces] of groups) {
      if (!this.panels.has(unit)) this.panels.set(unit, new Panel(this.area, unit, this.#look()));
      const panel = this.panels.get(unit);
      panel.traces = traces;
      this.area.append(panel.element);
    }
    this.#layout();
  }

  #look() {
    return {
      utc: () => app.get().utc,
      colours: () => this.colours,
      style: (id) => look(app.get().picked.indexOf(id), this.theme),
    };
  }

  /** Read the colours of the theme anew. */
  restyle() {
    this.theme = shownTheme(app.get().theme);
    requestAnimationFrame(() => {
      const style = getComputedStyle(this.area);
      this.colours = {
        axis: style.getPropertyValue("--text-2"),
        grid: style.getPropertyValue("--grid"),
      };
      this.invalidate(true);
    });
  }

  #layout() {
    const { clientWidth, clientHeight } = this.area;
    if (!clientWidth || !clientHeight) return;
    const panels = [...this.panels.values()];
    const height = Math.max(PANEL_MIN_PX, Math.floor((clientHeight - 32) / panels.length));
    panels.forEach((panel, at) => {
      const isLast = at === panels.length - 1;
      panel.resize(clientWidth, isLast ? height + 32 : height, isLast);
    });
    this.invalidate(true);
  }

  /** Where the plots lie within the area, CSS pixels. */
  plotBox() {
    return { left: PLOT_LEFT, width: Math.max(1, this.area.clientWidth - PLOT_LEFT - PLOT_RIGHT) };
  }

  /** Draw soon; at once when a person waits for it. */
  invalidate(atOnce = false) {
    if (this.frame || document.hidden) return;
    const draw = (now) => {
      this.frame = 0;
      if (!atOnce && now - this.lastDraw < Math.max(FRAME_MS, this.cost * 2)) {
        this.frame = requestAnimationFrame(draw);
        return;
      }
      this.lastDraw = now;
      this.#draw();
      // Painting happens after this task; its cost shows in when the next frame begins.
      requestAnimationFrame((next) => {
        this.cost += (next - now - this.cost) * 0.3;
      });
    };
    this.frame = requestAnimationFrame(draw);
  }

  #draw() {
    const shown = edges();
    const isVisible = this.area.clientWidth > 0;
    if (this.traces.size) this.history.need(shown, this.plotBox().width);
    if (isVisible)
      for (const panel of this.panels.values()) panel.draw(shown.from, shown.to, this.fit);
    this.fit = false;
    const { revision } = this.status.get();
    this.status.set({ busy: this.history.isBusy, revision: revision + 1 });
  }

  #begin(start) {
    for (const trace of this.traces.values()) trace.begin(start);
    this.invalidate();
  }

  #take({ datastream, time, number, text }) {
    const latest = new Map();
    for (let row = 0; row < time.length; row += 1) {
      const id = datastream[row];
      const trace = this.traces.get(id);
      if (!trace) continue;
      trace.push(time[row], number?.[row], text?.[row]);
      const newest = latest.get(id);
      if (!newest || newest.time <= time[row]) {
        latest.set(id, {
          time: time[row],
          number: number?.[row] ?? null,
          text: text?.[row] ?? null,
        });
      }
    }
    learnLatest(latest);
    this.invalidate();
  }

  #point(share) {
    const { from, to } = edges();
    this.status.set({ cursor: share === null ? null : from + (to - from) * share });
    this.cursorLine.hidden = share === null || this.panels.size === 0;
    const { left, width } = this.plotBox();
    if (share !== null) this.cursorLine.style.transform = `translateX(${left + width * share}px)`;
  }

  #showSelection(a, b) {
    this.selectBox.hidden = a === null;
    if (a === null) return;
    const { left, width } = this.plotBox();
    this.selectBox.style.left = `${left + width * Math.min(a, b)}px`;
    this.selectBox.style.width = `${width * Math.abs(a - b)}px`;
  }
}
