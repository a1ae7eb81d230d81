// The plumb line: one moment, shown through all layers and charts of a page.

const readers = new Set();
let now = null;

/** Set the moment in milliseconds, or null for none. */
export function set(ms) {
  if (ms === now) return;
  now = ms;
  readers.forEach((reader) => reader(ms));
}

/** The moment. */
export const get = () => now;

/** Be told of changes; the answer ends it. */
export function watch(reader) {
  readers.add(reader);
  return () => readers.delete(reader);
}
