// A release's windows as the columns that pictures are drawn from. Where windows are missing, so is the line.

// Times are the middle of each window, and both ends of a row of windows, so that a lone one is a line as well; requests are a
// second's.
export function series(points) {
  const made = { x: [], oldRate: [], total: [], oldShare: [], newShare: [], oldLow: [], oldHigh: [], newLow: [], newHigh: [], oldP95: [], newP95: [], position: [] };
  const put = (x, values) => {
    made.x.push(x);
    for (const key of Object.keys(made)) if (key !== "x") made[key].push(values[key] ?? null);
  };
  let before = null, evidence = null, last = null;
  const ends = () => before && put(before.end, last);
  for (const point of points) {
    const long = point.end - point.start;
    if (long <= 0) continue;
    const gap = before && point.start - before.end > long / 2;
    if (gap) {
      ends();
      put((point.start + before.end) / 2, {});
    }
    // Evidence stands where it was until it is looked at again; a new weight begins anew.
    if (gap || before?.weight !== point.weight) evidence = null;
    evidence = point.position ?? evidence;
    const oldRate = point.old.requests / long;
    last = {
      oldRate,
      total: oldRate + point.new.requests / long,
      ...side("old", point.old),
      ...side("new", point.new),
      position: evidence,
    };
    if (gap || !before) put(point.start, last);
    put((point.start + point.end) / 2, last);
    before = point;
  }
  ends();
  return made;
}

function side(name, arm) {
  const share = arm.requests ? arm.errors / arm.requests : null;
  return { [`${name}Share`]: share, [`${name}Low`]: arm.low, [`${name}High`]: arm.high, [`${name}P95`]: arm.p95 };
}

// Where traffic was moved, and to how much; what each window had says when.
export function marks(points) {
  const moved = [];
  let weight = null;
  for (const point of points) {
    if (point.weight !== weight && (weight !== null || point.weight > 0)) moved.push({ at: point.start, title: `${point.weight}%` });
    weight = point.weight;
  }
  return moved;
}

// The newest that is known of a column; null where nothing is.
export const newest = (column) => column.findLast((value) => value !== null) ?? null;
