/**
 * The page's service worker (sw.js), where the browser has such. In it is what the page says while the server does not answer.
 * @module
 */

import { language, phrases } from './language.js';

/** As sw.js has it. */
const CACHE = 'livechat-waiting';

export class Shell {
  /** @type {Promise<ServiceWorkerRegistration | null>} */
  #registration = Promise.resolve(null);

  /** Begins when the page is there: it is never waited for. */
  begin() {
    const workers = navigator.serviceWorker;
    if (workers) {
      this.#registration = workers.register('sw.js', { updateViaCache: 'none' }).then(() => workers.ready, () => null);
      this.#registration.then(keepWords).catch(() => {});
    }
  }

  /**
   * @param {string} title
   * @param {NotificationOptions & {data: {channelId: string}}} options
   */
  async notify(title, options) {
    const registration = await this.#registration;
    await registration?.showNotification(title, options);
  }

  /** Takes back what was told. */
  async quiet() {
    const registration = await this.#registration;
    (await registration?.getNotifications?.())?.forEach((one) => one.close());
  }
}

async function keepWords() {
  const words = JSON.stringify({ language, dir: phrases.dir, ...phrases.waiting });
  const cache = await caches.open(CACHE);
  await cache.put('waiting.json', new Response(words, { headers: { 'Content-Type': 'application/json' } }));
}
