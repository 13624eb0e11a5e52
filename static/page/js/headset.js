/**
 * The buttons of headsets, and of what a system shows of a call, where the browser hands them to pages.
 * @module
 */

import { phrases } from './language.js';

/** As the manifest has them. */
const ARTWORK = ['192', '512'].map((size) => ({ src: `icons/icon-${size}.png`, sizes: `${size}x${size}`, type: 'image/png' }));

/**
 * @param {import('./call.js').Call} call
 * @param {import('./push.js').Push} push
 * @param {() => void} toggleMute
 */
export function mountHeadset(call, push, toggleMute) {
  const media = /** @type {any} */ (navigator).mediaSession;
  if (!media) {
    return;
  }
  // Where one talks at a time a headset's button asks for the floor, and gives it back.
  const toggle = () => {
    if (push.by === 'floor' && push.hold.enabled && !call.voice.silent && !call.voice.held) {
      push.hold.toggle();
    } else {
      toggleMute();
    }
  };
  /** @type {[string, () => void][]} */
  const actions = [
    ['togglemicrophone', toggle],
    ['hangup', () => call.leave()],
  ];
  let told = '';
  call.addEventListener('change', () => {
    const { room, voice, talk, floor } = call;
    const turn = !floor.there || floor.standing === 'granted';
    const active = room !== null && turn && !talk.listenOnly && !voice.silent && !voice.held && !voice.suppressed;
    const now = JSON.stringify([room?.name, active]);
    if (now === told) {
      return;
    }
    told = now;
    for (const [action, run] of actions) {
      attempt(() => media.setActionHandler(action, room ? run : null));
    }
    attempt(() => media.setMicrophoneActive?.(active));
    attempt(() => {
      media.metadata = room ? new MediaMetadata({ title: room.name, artist: phrases.common.name }) : null;
      media.playbackState = room ? 'playing' : 'none';
    });
  });
}

/**
 * What a browser does not have is no harm.
 * @param {() => unknown} step
 */
async function attempt(step) {
  try {
    await step();
  } catch {
    // As above.
  }
}
