// The address of a page: path, range of time, parameters. A link reproduces the view.

const RANGE = ["since", "start", "end"];

/** What the address says. */
export function here() {
  const params = new URLSearchParams(location.search);
  return { page: location.pathname.slice(1) || "overview", params };
}

/** The parameters that give the range of time. */
function range() {
  const kept = new URLSearchParams();
  const now = new URLSearchParams(location.search);
  RANGE.forEach((name) => now.has(name) && kept.set(name, now.get(name)));
  return kept;
}

/** Address of a link of a page; the range of time is kept. */
export function address(link) {
  const params = range();
  for (const [name, value] of link.params || []) params.set(name, value);
  const text = params.toString();
  return `/${link.page}${text ? `?${text}` : ""}`;
}

/** Go to an address of ours without loading anew. */
export function go(url, replace) {
  history[replace ? "replaceState" : "pushState"](null, "", url);
  dispatchEvent(new Event("strata-route"));
}

/** Change parameters of the current address; null removes one. */
export function change(changes) {
  const params = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) params.delete(name); else params.set(name, value);
  }
  const text = params.toString();
  go(`${location.pathname}${text ? `?${text}` : ""}`);
}

/** A click on a link of ours goes without loading anew. */
export function follow(event) {
  const link = event.target.closest && event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const url = new URL(link.href, location.href);
  if (url.origin !== location.origin || url.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(url.pathname + url.search);
}
