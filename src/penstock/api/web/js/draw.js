/** Draws one trace into a chart panel: a line, broken at gaps, over a band of min and max. */

/** Closest drawing of points, in device pixels; denser ones are drawn as columns. */
const DENSE = 0.6;
/** Buckets narrower than so many CSS pixels are bars, wider ones corners of an outline. */
const NARROW = 3;
/** Radius of a point that stands alone, CSS pixels. */
const DOT = 2;

/**
 * @param u uPlot panel
 * @param trace what to draw
 * @param style `{colour, dash, ratio}`; ratio is device pixels per CSS pixel
 */
export function drawTrace(u, trace, style, fromUs, toUs) {
  const { left, top, width, height } = u.bbox;
  const { min, max } = u.scales.y;
  const view = {
    gap: trace.gapUs(),
    ratio: style.ratio,
    x: (time) => left + ((time - fromUs) / (toUs - fromUs)) * width,
    y: (value) => top + (1 - (value - min) / (max - min)) * height,
  };
  const { ctx } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.strokeStyle = style.colour;
  ctx.fillStyle = style.colour;
  const parts = trace.parts(fromUs, toUs);
  const points = parts.reduce((sum, part) => sum + part.end - part.start, 0);
  // Dashes cannot be seen on dense lines, and are what costs most to draw.
  const isDense = points * 4 > width / style.ratio;
  ctx.lineWidth = (isDense ? 1.2 : 1.6) * style.ratio;
  ctx.lineJoin = "bevel";
  ctx.setLineDash(isDense ? [] : style.dash.map((length) => length * style.ratio));
  if (parts[0]?.min) fillBand(ctx, parts, view);
  const dots = strokeLine(ctx, parts, view);
  ctx.restore();
  fillDots(ctx, dots, DOT * style.ratio, u.bbox, style.colour);
}

/** Fill between min and max of the buckets, broken at gaps. */
function fillBand(ctx, parts, view) {
  ctx.globalAlpha = 0.2;
  const wide = view.x(parts[0].width) - view.x(0);
  if (wide < NARROW * view.ratio) fillColumns(ctx, parts, view);
  else fillRuns(ctx, parts, view);
  ctx.globalAlpha = 1;
}

/** Narrow buckets as upright bars on whole pixels: many times faster than one ragged outline. */
function fillColumns(ctx, parts, view) {
  let edge = -Infinity;
  for (const { times, width, min, max, start, end } of parts) {
    for (let at = start; at < end; at += 1) {
      const left = Math.max(edge, Math.round(view.x(times[at])));
      edge = Math.max(edge, Math.round(view.x(times[at] + width)));
      const top = view.y(max[at]);
      ctx.fillRect(left, top, edge - left, view.y(min[at]) - top);
    }
  }
}

function fillRuns(ctx, parts, view) {
  ctx.beginPath();
  let run = [];
  let last = -Infinity;
  for (const part of parts) {
    for (let at = part.start; at < part.end; at += 1) {
      const time = part.times[at];
      if (time - last > view.gap) {
        outline(ctx, run, view);
        run = [];
      }
      run.push([time, part.width, part.min[at], part.max[at]]);
      last = time;
    }
  }
  outline(ctx, run, view);
  ctx.fill();
}

/** Trace one run of buckets: along the tops and back along the bottoms; one alone is a box. */
function outline(ctx, run, view) {
  if (run.length === 0) return;
  if (run.length === 1) {
    const [[time, width, min, max]] = run;
    ctx.rect(
      view.x(time),
      view.y(max),
      view.x(time + width) - view.x(time),
      view.y(min) - view.y(max),
    );
    return;
  }
  run.forEach(([time, width, , max], at) => {
    const x = view.x(time + width / 2);
    if (at === 0) ctx.moveTo(x, view.y(max));
    else ctx.lineTo(x, view.y(max));
  });
  for (const [time, width, min] of run.reverse()) ctx.lineTo(view.x(time + width / 2), view.y(min));
  ctx.closePath();
}

/** Points that no line reaches; one on the edge, as the newest is, is seen whole. */
function fillDots(ctx, dots, radius, { left, top, width, height }, colour) {
  if (dots.length === 0) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left - radius, top - radius, width + 2 * radius, height + 2 * radius);
  ctx.clip();
  ctx.fillStyle = colour;
  ctx.beginPath();
  for (const [x, y] of dots) {
    ctx.moveTo(x, y);
    ctx.arc(x, y, radius, 0, 2 * Math.PI);
  }
  ctx.fill();
  ctx.restore();
}

/** One line through all parts; returns the points alone between gaps, `[x, y]`. */
function strokeLine(ctx, parts, view) {
  const dots = [];
  const pen = { last: -Infinity, alone: null };
  ctx.beginPath();
  for (const part of parts) {
    const pixels = Math.abs(view.x(part.times[part.end - 1]) - view.x(part.times[part.start]));
    if (part.end - part.start > pixels / DENSE + 8) traceColumns(ctx, part, view, pen, dots);
    else tracePoints(ctx, part, view, pen, dots);
  }
  if (pen.alone) dots.push(pen.alone);
  ctx.stroke();
  return dots;
}

function moveOrLine(ctx, x, y, isNewRun, pen, dots) {
  if (isNewRun) {
    if (pen.alone) dots.push(pen.alone);
    ctx.moveTo(x, y);
    pen.alone = [x, y];
  } else {
    ctx.lineTo(x, y);
    pen.alone = null;
  }
}

/** Whether a point begins a line: the first one does, whatever the gap. */
function startsRun(time, pen, view) {
  return pen.last === -Infinity || time - pen.last > view.gap;
}

function tracePoints(ctx, part, view, pen, dots) {
  const half = part.width / 2;
  for (let at = part.start; at < part.end; at += 1) {
    const time = part.times[at];
    const x = view.x(time + half);
    moveOrLine(ctx, x, view.y(part.mean[at]), startsRun(time, pen, view), pen, dots);
    pen.last = time;
  }
}

/** Points denser than pixels: per pixel column the first, lowest, highest and last. */
function traceColumns(ctx, part, view, pen, dots) {
  const half = part.width / 2;
  const { times, mean, end } = part;
  let at = part.start;
  while (at < end) {
    const column = Math.floor(view.x(times[at] + half));
    const isNewRun = startsRun(times[at], pen, view);
    const first = mean[at];
    let [low, high, last] = [first, first, first];
    let previous = times[at];
    for (at += 1; at < end; at += 1) {
      if (Math.floor(view.x(times[at] + half)) !== column || times[at] - previous > view.gap) break;
      last = mean[at];
      if (last < low) low = last;
      if (last > high) high = last;
      previous = times[at];
    }
    moveOrLine(ctx, column, view.y(first), isNewRun, pen, dots);
    if (low !== high) {
      const top = view.y(high);
      ctx.fillRect(column, top, view.ratio, view.y(low) - top);
      ctx.lineTo(column, view.y(last));
      pen.alone = null;
    }
    pen.last = previous;
  }
}
