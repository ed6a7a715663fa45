/** Mouse, wheel, touch and keys on the chart, turned into pan, zoom, select and point. */

const WHEEL_STEP = 0.0016;
const KEY_PAN = 0.15;
const KEY_ZOOM = 1.5;

/**
 * @param {HTMLElement} area
 * @param plot function returning `{left, width}` of the plots in CSS pixels within `area`
 * @param act `{pan(share), zoom(factor, share), select(from, to) shares, point(share | null),
 *   reset(), selecting(from, to) | selecting(null)}`
 */
export function listenToGestures(area, plot, act) {
  const pointers = new Map();
  let selection = null;
  const shareOf = (clientX) => {
    const { left, width } = plot();
    return Math.min(1, Math.max(0, (clientX - area.getBoundingClientRect().left - left) / width));
  };
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { distance: Math.max(24, Math.abs(a - b)), middle: (a + b) / 2 };
  };

  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target.closest("button")) return;
    if (event.pointerType !== "touch") area.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event.clientX);
    if (event.shiftKey) selection = shareOf(event.clientX);
  });
  area.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) {
      if (event.pointerType !== "touch") act.point(shareOf(event.clientX));
      return;
    }
    if (selection !== null) {
      act.selecting(selection, shareOf(event.clientX));
    } else if (pointers.size === 1) {
      const moved = event.clientX - pointers.get(event.pointerId);
      if (moved) act.pan(-moved / plot().width);
      act.point(shareOf(event.clientX));
    } else if (pointers.size === 2) {
      const before = spread();
      pointers.set(event.pointerId, event.clientX);
      const after = spread();
      act.pan((before.middle - after.middle) / plot().width);
      act.zoom(after.distance / before.distance, shareOf(after.middle));
    }
    pointers.set(event.pointerId, event.clientX);
  });
  const end = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (selection !== null) {
      const share = shareOf(event.clientX);
      if (event.type === "pointerup" && Math.abs(share - selection) > 0.01) {
        act.select(Math.min(share, selection), Math.max(share, selection));
      }
      selection = null;
      act.selecting(null);
    }
    if (event.pointerType === "touch" && event.type === "pointerup")
      act.point(shareOf(event.clientX));
  };
  for (const name of ["pointerup", "pointercancel"]) area.addEventListener(name, end);
  area.addEventListener(
    "pointerleave",
    (event) => event.pointerType !== "touch" && act.point(null),
  );
  area.addEventListener("dblclick", () => act.reset());
  area.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) act.pan(event.deltaX / plot().width);
      else
        act.zoom(
          Math.exp(-event.deltaY * (event.deltaMode ? 20 : 1) * WHEEL_STEP),
          shareOf(event.clientX),
        );
    },
    { passive: false },
  );
  area.addEventListener("keydown", (event) => {
    const keys = {
      ArrowLeft: () => act.pan(-KEY_PAN),
      ArrowRight: () => act.pan(KEY_PAN),
      "+": () => act.zoom(KEY_ZOOM, 0.5),
      "=": () => act.zoom(KEY_ZOOM, 0.5),
      "-": () => act.zoom(1 / KEY_ZOOM, 0.5),
      Home: () => act.reset(),
    };
    if (event.target !== area || !keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
}
