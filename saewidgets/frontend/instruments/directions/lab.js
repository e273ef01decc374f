// The shape of what the instrument draws, and how one finds one's way in it.

/**
 * What `payloads.directions` makes: shares 0 to 1, null where nothing was measured.
 *
 * @typedef {[a: string, b: string, x: number, y: number, toX: number, toY: number]} Pair
 * @typedef {[a: string, b: string, c: string, d: string, answer: string, kept: string, neighbor: string,
 *   rank: number]} Answer
 * @typedef {[feature: number, label: string, share: number, before: number, after: number]} Part
 * @typedef {{ offset: number | null, kept: number | null, neighbor: number | null, chance: number | null }} Shares
 * @typedef {{ name: string, n: number, skipped: number, shares: Shares, parallel: number | null, null: number | null,
 *   high: number | null, p: number | null, length: number | null, explained: number | null, pairs: Pair[],
 *   answers: Answer[], parts: Part[], error: number | null }} Relation
 * @typedef {{ name: string, label: string, note: string, sae: string, relations: Relation[] }} Space
 * @typedef {{ title: string, note: string, spaces: Space[] }} Lab the trait `_lab`
 */

/**
 * The space of a name, or the first.
 *
 * @param {Lab} lab
 * @param {string} name
 */
export function spaceOf(lab, name) {
  return lab.spaces.find((space) => space.name === name) ?? lab.spaces[0];
}

/**
 * The relation of a name, or the first.
 *
 * @param {Space} space
 * @param {string} name
 */
export function relationOf(space, name) {
  return space.relations.find((relation) => relation.name === name) ?? space.relations[0];
}
