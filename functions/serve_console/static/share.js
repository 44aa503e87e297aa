// What did not change stays the same object, so that only what changed is drawn again.
export function share(before, after) {
  if (Object.is(before, after)) return before;
  if (typeof before !== "object" || typeof after !== "object" || !before || !after) return after;
  if (Array.isArray(before) !== Array.isArray(after)) return after;
  const keys = Object.keys(after);
  let same = keys.length === Object.keys(before).length;
  for (const key of keys) {
    const kept = share(before[key], after[key]);
    same &&= kept === before[key] && key in before;
    after[key] = kept;
  }
  return same ? before : after;
}
