// The picture of a map: two canvases, the points below, and above them what changes with the pointer.

import { glyphs } from "../../shared/tokens.js";

const NAMED_POINTS = 70; // as many or fewer in view have their names written beside them
const FAINT = 0.1; // opacity of a point that is not asked for
const CLOSEST = 400; // the largest zoom
const QUICK = 9; // ms: what takes longer to draw is not drawn in every frame of a movement
const REST = 90; // ms without a movement after which it is drawn anew

/** `host` takes the canvases. What is drawn is in `state`, which `render` of map.js makes. */
export function mapCanvas(host, root, state) {
  const below = document.createElement("canvas");
  const above = document.createElement("canvas");
  below.className = "saew-map-points";
  below.setAttribute("aria-hidden", "true");
  above.className = "saew-map-picture";
  host.append(below, above);
  const view = { x: 0, y: 0, zoom: 1 };
  let [width, height, ratio] = [0, 0, 1];
  let sprites = new Map();
  let asked = 0;
  let both = false;
  let cost = 0; // ms of the last drawing of the points
  let seen = { ...view }; // the view of that drawing
  let pause = 0;

  const unit = () => 0.48 * Math.min(width, height) * view.zoom; // px for one unit of the map
  const right = (x) => width / 2 + (x - view.x) * unit();
  const down = (y) => height / 2 - (y - view.y) * unit();
  const place = (px, py) => [view.x + (px - width / 2) / unit(), view.y - (py - height / 2) / unit()];
  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const grown = () => Math.min(2.4, view.zoom ** 0.3);

  /** A dot of a color and size, painted once. */
  const sprite = (ink, radius) => {
    const quarters = Math.round(radius * 4);
    const r = quarters / 4;
    const key = 1024 * ink + quarters;
    if (!sprites.has(key)) {
      const size = 2 * Math.ceil(r * ratio + 1.5);
      const dot = new OffscreenCanvas(size, size);
      const pen = dot.getContext("2d");
      pen.beginPath();
      pen.arc(size / 2, size / 2, r * ratio, 0, 2 * Math.PI);
      pen.fillStyle = color(state.inks[ink]);
      pen.fill();
      if (state.inks[ink] !== "--saew-rest") {
        pen.lineWidth = 0.7 * ratio; // a rim, which parts a point from those below it
        pen.strokeStyle = color("--card");
        pen.stroke();
      }
      sprites.set(key, dot);
    }
    return sprites.get(key);
  };

  const drawPoints = () => {
    const begun = performance.now();
    const pen = below.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, below.width, below.height);
    const { points, order } = state;
    const [k, ox, oy] = [unit() * ratio, right(0) * ratio, down(0) * ratio];
    const margin = 12 * ratio;
    const grow = grown();
    const inView = [];
    let was = null;
    if (state.links === "all") drawLinks(pen);
    for (const i of order) {
      if (!state.shown(i)) continue;
      const px = ox + points.x[i] * k;
      const py = oy - points.y[i] * k;
      if (px < -margin || py < -margin || px > below.width + margin || py > below.height + margin) continue;
      const lit = state.bright[i] === 1;
      const dot = sprite(
        state.ink[i],
        (state.asked && lit ? Math.max(3, 1.3 * state.radius[i]) : state.radius[i]) * grow,
      );
      if (lit !== was) pen.globalAlpha = lit ? 0.92 : FAINT;
      was = lit;
      pen.drawImage(dot, Math.round(px - dot.width / 2), Math.round(py - dot.height / 2));
      if (lit && inView.length <= NAMED_POINTS) inView.push([i, px / ratio, py / ratio]);
    }
    pen.globalAlpha = 1;
    if (inView.length <= NAMED_POINTS) drawNames(pen, inView);
    below.style.removeProperty("transform");
    seen = { ...view };
    cost = performance.now() - begun;
  };

  const drawLinks = (pen) => {
    const { points } = state;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.strokeStyle = color("--ink");
    pen.lineWidth = 0.7;
    pen.beginPath();
    for (let l = 0; l < points.parent.length; l += 1) {
      const [a, b] = [points.parent[l], points.child[l]];
      if (!state.shown(a) || !state.shown(b)) continue;
      pen.moveTo(right(points.x[a]), down(points.y[a]));
      pen.lineTo(right(points.x[b]), down(points.y[b]));
    }
    pen.globalAlpha = 0.22;
    pen.stroke();
    pen.globalAlpha = 1;
    pen.setTransform(1, 0, 0, 1, 0, 0);
  };

  const drawNames = (pen, inView) => {
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = "11.5px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    pen.strokeStyle = color("--card");
    pen.fillStyle = color("--ink");
    const taken = [];
    for (const [i, x, y] of inView) {
      const words = nameOfPoint(state.points, i, 22);
      const box = [x + 8, y - 7, x + 10 + pen.measureText(words).width, y + 7];
      if (taken.some(([a, b, c, d]) => box[0] < c && a < box[2] && box[1] < d && b < box[3])) continue;
      taken.push(box);
      pen.strokeText(words, box[0], y);
      pen.fillText(words, box[0], y);
    }
  };

  const drawAbove = () => {
    const pen = above.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const { points, selected, hover, chosen, lasso } = state;
    pen.strokeStyle = color("--ink");
    pen.lineWidth = 1;
    for (const i of chosen) {
      if (!state.shown(i)) continue;
      pen.beginPath();
      pen.arc(right(points.x[i]), down(points.y[i]), state.radius[i] * grown() + 1.5, 0, 2 * Math.PI);
      pen.stroke();
    }
    if (selected >= 0 && state.links !== "none") {
      for (const { point, child } of points.linked(selected)) {
        if (!state.shown(point)) continue;
        const [x0, y0, x1, y1] = [
          right(points.x[selected]),
          down(points.y[selected]),
          right(points.x[point]),
          down(points.y[point]),
        ];
        pen.strokeStyle = color("--focus");
        pen.lineWidth = 1.6;
        pen.setLineDash(child ? [] : [5, 4]);
        pen.beginPath();
        pen.moveTo(x0, y0);
        pen.lineTo(x1, y1);
        pen.stroke();
        pen.setLineDash([]);
        pen.beginPath();
        pen.arc(x1, y1, state.radius[point] * grown() + 2.5, 0, 2 * Math.PI);
        pen.stroke();
      }
    }
    const ring = (i, wide, ink, around) => {
      if (i < 0 || !state.shown(i)) return;
      pen.beginPath();
      pen.arc(right(points.x[i]), down(points.y[i]), state.radius[i] * grown() + around, 0, 2 * Math.PI);
      pen.lineWidth = wide + 3;
      pen.strokeStyle = color("--card");
      pen.stroke();
      pen.lineWidth = wide;
      pen.strokeStyle = color(ink);
      pen.stroke();
    };
    ring(hover, 1.5, "--ink", 3);
    ring(selected, 2.6, "--focus", 5);
    if (lasso && lasso.length > 1) {
      pen.beginPath();
      lasso.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      pen.closePath();
      pen.fillStyle = color("--focus");
      pen.globalAlpha = 0.12;
      pen.fill();
      pen.globalAlpha = 1;
      pen.lineWidth = 1.5;
      pen.strokeStyle = color("--focus");
      pen.stroke();
    }
  };

  const frame = () => {
    asked = 0;
    if (both) drawPoints();
    both = false;
    drawAbove();
  };
  /** The view has moved. On a slow machine the last drawing is moved along and drawn sharply when the hand rests. */
  const moved = () => {
    clearTimeout(pause);
    if (cost < QUICK) return draw();
    const by = view.zoom / seen.zoom;
    const [left, top] = [
      ((1 - by) * width) / 2 + (seen.x - view.x) * unit(),
      ((1 - by) * height) / 2 + (view.y - seen.y) * unit(),
    ];
    below.style.setProperty("transform", `translate(${left}px, ${top}px) scale(${by})`);
    pause = setTimeout(draw, REST);
    return draw(false);
  };
  /** Draw anew at the next frame; `points`: the lower canvas too. */
  const draw = (points = true) => {
    both = both || points;
    if (!asked) asked = requestAnimationFrame(frame);
  };

  const kept = () => {
    view.zoom = Math.max(1, Math.min(CLOSEST, view.zoom));
    for (const axis of ["x", "y"]) view[axis] = Math.max(-1, Math.min(1, view[axis]));
  };
  return {
    above,
    view,
    place,
    right: (i) => right(state.points.x[i]),
    down: (i) => down(state.points.y[i]),
    unit,
    draw,
    size(w, h) {
      [width, height, ratio] = [w, h, Math.min(2, window.devicePixelRatio || 1)];
      for (const canvas of [below, above]) {
        canvas.width = Math.round(w * ratio);
        canvas.height = Math.round(h * ratio);
        canvas.style.setProperty("width", `${w}px`);
        canvas.style.setProperty("height", `${h}px`);
      }
      host.style.setProperty("height", `${h}px`);
      sprites = new Map();
      if (asked) cancelAnimationFrame(asked);
      both = true;
      frame();
    },
    /** The colors have changed. */
    repaint() {
      sprites = new Map();
      draw();
    },
    /** Zoom by a factor and keep what lies under (px, py) where it is. */
    zoom(factor, px = width / 2, py = height / 2) {
      const [x, y] = place(px, py);
      view.zoom *= factor;
      kept();
      view.x = x - (px - width / 2) / unit();
      view.y = y + (py - height / 2) / unit();
      kept();
      moved();
    },
    pan(dx, dy) {
      view.x -= dx / unit();
      view.y += dy / unit();
      kept();
      moved();
    },
    whole() {
      Object.assign(view, { x: 0, y: 0, zoom: 1 });
      draw();
    },
    /** Bring a point into view, in the middle if it is outside. */
    reveal(i) {
      const [px, py] = [right(state.points.x[i]), down(state.points.y[i])];
      if (px < 20 || py < 20 || px > width - 20 || py > height - 20) {
        Object.assign(view, { x: state.points.x[i], y: state.points.y[i] });
        kept();
        draw();
      }
    },
    stop() {
      cancelAnimationFrame(asked);
      clearTimeout(pause);
    },
  };
}

/** What a point is called in few words: its label, its concept, or the token that it promotes most. */
export function nameOfPoint(points, i, limit = 30) {
  return (
    glyphs(points.label(i) || points.about(i) || points.tokens(i)[0] || `#${points.feature[i]}`, limit)
      .replaceAll("·", " ")
      .trim() || `#${points.feature[i]}`
  );
}
