// Pages from the server: once, or as a stream that recovers by itself.

const RETRY_MS = 3000;
/** Readers with a token ask again this often: an event stream cannot carry one. */
const POLL_MS = 5000;

/** Ask the server, with the token that the reader gave, if any. */
export function ask(url, options = {}) {
  const token = sessionStorage.getItem("strata-token");
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  return fetch(url, { ...options, headers });
}

/**
 * Watch a page. `told` gets { page }, { refused } or { lost: since }.
 * The answer ends it.
 */
export function watch(page, params, live, told) {
  const query = params.toString();
  const url = `/api/v1/pages/${encodeURIComponent(page)}`;
  let stream = null;
  let timer = null;
  let lost = null;
  let ended = false;
  const again = () => {
    lost = lost ?? Date.now();
    told({ lost });
    timer = setTimeout(load, RETRY_MS);
  };
  async function load() {
    if (ended) return;
    let answer;
    try {
      answer = await ask(`${url}?${query}`);
      const value = await answer.json();
      if (ended) return;
      lost = null;
      told(answer.ok ? { page: value } : { refused: { ...value, status: answer.status } });
      if (!answer.ok || !live) return;
      if (sessionStorage.getItem("strata-token")) timer = setTimeout(load, POLL_MS);
      else listen();
    } catch {
      if (!ended) again();
    }
  }
  function listen() {
    stream = new EventSource(`${url}/live?${query}`);
    stream.addEventListener("page", (event) => { lost = null; told({ page: JSON.parse(event.data) }); });
    stream.addEventListener("refused", (event) => told({ refused: JSON.parse(event.data) }));
    stream.onerror = () => { stream.close(); if (!ended) again(); };
  }
  load();
  return () => { ended = true; clearTimeout(timer); if (stream) stream.close(); };
}
