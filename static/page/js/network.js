/**
 * News of the network, and of the page itself coming and going, for a session that is to live through both.
 * @module
 */

/**
 * @typedef {object} Traveller
 * @property {() => void} moved the network may be another one: what went over the old one may be dead
 * @property {() => void} seen somebody looks at the page again: time has passed
 * @property {() => void} gone the page is left, and is not waited for
 * @property {() => void} back the browser had kept the page, and shows it again
 */

/**
 * @param {Traveller} traveller
 * @returns {() => void} ends it
 */
export function watchNetwork({ moved, seen, gone, back }) {
  const end = new AbortController();
  const { signal } = end;
  window.addEventListener('online', moved, { signal });
  document.addEventListener('visibilitychange', () => !document.hidden && seen(), { signal });
  window.addEventListener('pagehide', gone, { signal });
  window.addEventListener('pageshow', (e) => e.persisted && back(), { signal });
  // By which kind of network the device is connected, where the browser tells.
  const connection = /** @type {any} */ (navigator).connection;
  let type = connection?.type;
  const look = () => {
    // It also changes when the browser only thinks anew about how fast the network is.
    if (connection.type !== type) {
      ({ type } = connection);
      moved();
    }
  };
  connection?.addEventListener?.('change', look, { signal });
  return () => end.abort();
}
