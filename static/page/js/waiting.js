/**
 * Waits for the server, and then shows what was asked for.
 * @module
 */

/** How often it is looked for, in milliseconds. */
const LOOK_MS = 2_000;

const words = await fetch('waiting.json').then((response) => response.json(), () => null);
if (words) {
  document.documentElement.lang = words.language;
  document.documentElement.dir = words.dir;
  for (const id of ['title', 'text']) {
    /** @type {HTMLElement} */ (document.getElementById(id)).textContent = words[id];
  }
}

async function look() {
  try {
    const { ok } = await fetch('./', { method: 'HEAD', cache: 'no-store' });
    if (ok) {
      location.reload();
      return;
    }
  } catch {
    // Not yet.
  }
  setTimeout(look, LOOK_MS);
}
setTimeout(look, LOOK_MS);
window.addEventListener('online', look);
