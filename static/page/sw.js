/**
 * The page's service worker. While the server does not answer it shows a small page that waits for it, and it shows what the
 * system tells of new messages. Nothing else goes through it: what the server says, and what the page is made of, is the server's,
 * so that a new version of it is there at the next load.
 * @module
 */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));

/** What there is without the server, and the words for it, which the page leaves here in the language it speaks. */
const CACHE = 'livechat-waiting';
const PAGE = new URL('waiting.html', worker.registration.scope).href;
const FILES = [PAGE, ...['css/waiting.css', 'js/waiting.js', 'icon.svg'].map((name) => new URL(name, worker.registration.scope).href)];
const WORDS = new URL('waiting.json', worker.registration.scope).href;
/** What a proxy says whose server is away. */
const AWAY = [502, 503, 504];

/** Keeps what there is without the server as it is now. */
async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((url) => new Request(url, { cache: 'no-cache' })));
}

/**
 * @param {Request} request
 * @returns {Promise<Response | null>} null while the server is away
 */
async function ask(request) {
  try {
    const response = await fetch(request);
    return AWAY.includes(response.status) ? null : response;
  } catch {
    return null;
  }
}

/** @param {string} url of something that is kept */
const kept = async (url) => (await caches.match(url)) ?? Response.error();

/**
 * @param {FetchEvent} event somebody loads the page
 * @returns {Promise<Response>}
 */
async function load(event) {
  const response = await ask(event.request);
  if (response) {
    event.waitUntil(keep().catch(() => {})); // next time
  }
  return response ?? kept(PAGE);
}

/**
 * Shows the page, and where in it something was written.
 * @param {string} channelId
 */
async function show(channelId) {
  const pages = await worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const [page] = pages.filter(({ url }) => url.startsWith(worker.registration.scope));
  if (page) {
    page.postMessage({ show: channelId });
    await page.focus();
  } else {
    await worker.clients.openWindow(new URL(`./#channel=${encodeURIComponent(channelId)}`, worker.registration.scope));
  }
}

worker.addEventListener('install', (event) => {
  event.waitUntil(keep().then(() => worker.skipWaiting()));
});

// Without navigation preload: it has the browser ask twice for what does not go through here, such as the way back from a
// provider, which is good for once.
worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = request.url.replace(/[?#].*/, '');
  if (request.mode === 'navigate' && url === worker.registration.scope) {
    event.respondWith(load(event));
  } else if (url === WORDS) {
    event.respondWith(kept(WORDS));
  } else if (FILES.includes(url)) {
    event.respondWith(ask(request).then((response) => response ?? kept(url)));
  }
});

worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(show(event.notification.data.channelId));
});
