// The points of a map: their columns, an index of where they lie, and the geometry of choosing among them. No drawing.

const CELLS = 96; // of the index, a side

/**
 * The columns of `payloads.map_points` as typed arrays, and what follows from them. `names()` gives the reader's labels by
 * point, which come first.
 */
export function unpackMap(map, names = () => ({})) {
  const view = (name, Kind) => {
    const bytes = map[name];
    return new Kind(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)); // aligned
  };
  const place = view("place", Uint16Array);
  const n = map.n;
  const points = {
    n,
    saes: map.saes,
    concepts: map.concepts,
    threshold: map.threshold,
    x: Float32Array.from(place.subarray(0, n), (v) => v / 32767.5 - 1),
    y: Float32Array.from(place.subarray(n), (v) => v / 32767.5 - 1),
    sae: view("sae", Uint8Array),
    feature: view("feature", Int32Array),
    density: view("density", Float32Array),
    maximum: view("maximum", Float32Array),
    precision: view("precision", Float32Array),
    concept: view("concept", Int16Array),
    parent: view("parent", Int32Array),
    child: view("child", Int32Array),
    cosine: view("cosine", Float32Array),
  };
  const tokens = view("tokens", Int32Array);
  const each = n ? tokens.length / n : 0;
  points.label = (i) => names()[String(i)] ?? (Object.hasOwn(map.labels, String(i)) ? map.labels[String(i)] : "");
  points.tokens = (i) =>
    [...tokens.subarray(i * each, (i + 1) * each)].filter((word) => word >= 0).map((word) => map.words[word]);
  points.about = (i) => (points.concept[i] < 0 ? "" : points.concepts[points.concept[i]].replaceAll("_", " "));
  points.at = (feature, sae) => {
    for (let i = 0; i < n; i += 1) if (points.feature[i] === feature && points.sae[i] === sae) return i;
    return -1;
  };
  points.linked = (i) => {
    const found = [];
    for (let k = 0; k < points.parent.length; k += 1) {
      if (points.parent[k] === i) found.push({ point: points.child[k], cosine: points.cosine[k], child: true });
      else if (points.child[k] === i) found.push({ point: points.parent[k], cosine: points.cosine[k], child: false });
    }
    return found.sort((a, b) => Number(a.child) - Number(b.child) || b.cosine - a.cosine);
  };
  points.near = index(points);
  return points;
}

/** near(x, y, reach, allowed): the nearest allowed point within `reach` of a place, or -1. A grid of cells, looked up from the middle. */
function index({ n, x, y }) {
  const cell = (v) => Math.max(0, Math.min(CELLS - 1, Math.floor(((v + 1) / 2) * CELLS)));
  const start = new Int32Array(CELLS * CELLS + 1);
  for (let i = 0; i < n; i += 1) start[cell(y[i]) * CELLS + cell(x[i]) + 1] += 1;
  for (let c = 0; c < CELLS * CELLS; c += 1) start[c + 1] += start[c];
  const listed = new Int32Array(n);
  const next = start.slice();
  for (let i = 0; i < n; i += 1) listed[next[cell(y[i]) * CELLS + cell(x[i])]++] = i;
  return (px, py, reach, allowed) => {
    let best = -1;
    let least = reach * reach;
    const [x0, x1, y0, y1] = [cell(px - reach), cell(px + reach), cell(py - reach), cell(py + reach)];
    for (let row = y0; row <= y1; row += 1) {
      for (let k = start[row * CELLS + x0]; k < start[row * CELLS + x1 + 1]; k += 1) {
        const i = listed[k];
        const d = (x[i] - px) ** 2 + (y[i] - py) ** 2;
        if (d <= least && allowed(i)) [best, least] = [i, d];
      }
    }
    return best;
  };
}

/** Whether a place is inside a polygon [[x, y], ...]: a ray to the right crosses its border an odd number of times. */
export function inside(polygon, px, py) {
  let within = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i, i += 1) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > py !== yj > py && px < ((xj - xi) * (py - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}

/** The nearest allowed point that lies more to one side (dx, dy: a unit step along an axis) of point `from` than across; or -1. */
export function toward({ n, x, y }, from, dx, dy, allowed) {
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < n; i += 1) {
    if (i === from) continue;
    const along = (x[i] - x[from]) * dx + (y[i] - y[from]) * dy;
    const across = Math.abs((x[i] - x[from]) * dy - (y[i] - y[from]) * dx);
    if (along <= 0 || across > along) continue;
    const d = along * along + across * across;
    if (d < least && allowed(i)) [best, least] = [i, d];
  }
  return best;
}

/** The points that a search finds, best first: a number, the start of a label or concept, then any part of these or of a token. */
export function findPoints(points, query, allowed) {
  const asked = query.trim().toLowerCase();
  if (!asked) return [];
  const number = /^#?(\d+)$/.exec(asked);
  const ranked = [];
  for (let i = 0; i < points.n; i += 1) {
    if (!allowed(i)) continue;
    const names = [points.label(i), points.about(i)].map((name) => name.toLowerCase());
    let rank = 9;
    if (number && points.feature[i] === Number(number[1])) rank = 0;
    else if (names.some((name) => name.startsWith(asked))) rank = 1;
    else if (names.some((name) => name.includes(asked))) rank = 2;
    else {
      const tokens = points.tokens(i).map((token) => token.toLowerCase());
      const place = tokens.findIndex((token) => token.trim() === asked);
      if (place >= 0) rank = 3 + place / 10;
      else if (tokens.some((token) => token.includes(asked))) rank = 4;
    }
    if (rank < 9) ranked.push([rank, i]);
  }
  return ranked.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
}
