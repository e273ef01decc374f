// A recorded grid of clamps in a page without a kernel: the sliders choose among the texts that were written beforehand.

/** The key of a set of clamps without their strengths: the same features in the same scope. */
const kindOf = (clamps) =>
  clamps
    .map(([feature, , scope]) => `${feature}@${scope}`)
    .sort()
    .join("+");

/**
 * The recorded text nearest to these clamps [[feature, value, scope], ...] with this seed, as the record's own `nearest`
 * chooses it: distance in multiples of each feature's maximum; of two as near the weaker. null where there is none.
 */
export function nearest(recording, clamps, seed) {
  const asked = kindOf(clamps);
  const wanted = new Map(clamps.map(([feature, value]) => [feature, value]));
  const unit = (feature) => recording.units[feature] || 1;
  const square = (x) => x * x;
  let best = null;
  for (const text of recording.texts) {
    if (text.seed !== seed || kindOf(text.clamps) !== asked) continue;
    const apart = text.clamps.reduce((sum, [f, value]) => sum + square((value - wanted.get(f)) / unit(f)), 0);
    const size = text.clamps.reduce((sum, [f, value]) => sum + square(value / unit(f)), 0);
    if (!best || apart < best.apart || (apart === best.apart && size < best.size)) best = { text, apart, size };
  }
  return best?.text ?? null;
}

/** The tokens of a recorded text, as a stream has them: [id, text, logprob, kl]. */
export function unpacked(recording, text) {
  const tokens = [];
  for (let i = 0; i < text.t.length; i += 3) {
    const [id, piece] = recording.pool[text.t[i]];
    tokens.push([id, piece, text.t[i + 1], text.t[i + 2]]);
  }
  return tokens;
}

/** What a kernel would have answered: the trait `_texts` for the settings that the model holds. */
export function played(model) {
  const recording = model.get("_recording");
  const multiples = model.get("multiples");
  const on = model.get("features").filter((f) => (multiples[f] ?? null) !== null);
  const clamps = on.map((f) => [f, multiples[f] * recording.maxima[f], String(model.get("scope"))]);
  const before = nearest(recording, [], model.get("seed"));
  const after = nearest(recording, clamps, model.get("seed"));
  return {
    default: before ? unpacked(recording, before) : [],
    clamped: after ? unpacked(recording, after) : [],
    under: after ? after.clamps.map(([f, value]) => [f, Math.round((value / recording.maxima[f]) * 1e6) / 1e6]) : [],
    missing: !after,
    code: after?.code ?? "",
  };
}
