/**
 * What a telephone is asked for while one is in a channel, where its browser can: to keep the screen on, which many need to go on
 * carrying voice, and to treat the sound as a call's, by which some choose between the ear and the loudspeaker.
 * @module
 */

/** Whether this is held in the hand. */
const handheld = matchMedia('(pointer: coarse)');

/** Whether the screen can be kept on here, and going off by itself would be a loss. */
export const sleeps = () => handheld.matches && 'wakeLock' in navigator;

/**
 * @param {import('./call.js').Call} call
 * @param {import('./choices.js').Choices} choices
 */
export function mountTelephone(call, choices) {
  /** @type {WakeLockSentinel | null} */
  let lock = null;
  let asking = false;

  const keepAwake = async () => {
    const wanted = () => call.room !== null && choices.get('keepAwake') && sleeps() && !document.hidden;
    if (!wanted()) {
      lock?.release().catch(() => {});
      lock = null;
    } else if ((!lock || lock.released) && !asking) {
      asking = true;
      // A system refuses it when the battery is low, and takes it away when the page is hidden.
      lock = await navigator.wakeLock.request('screen').catch(() => null);
      asking = false;
      if (!wanted()) {
        keepAwake();
      }
    }
  };
  const sound = () => {
    const session = /** @type {any} */ (navigator).audioSession;
    const type = !call.room ? 'auto' : call.talk.listenOnly ? 'playback' : 'play-and-record';
    if (session && session.type !== type) {
      session.type = type;
    }
  };
  call.addEventListener('change', () => {
    keepAwake();
    sound();
  });
  choices.addEventListener('change', keepAwake);
  document.addEventListener('visibilitychange', keepAwake);
}
