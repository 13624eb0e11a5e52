/**
 * The buttons of headsets, and of what a system shows of a call, where the browser hands them to pages.
 * @module
 */

/**
 * @param {import('./call.js').Call} call
 * @param {() => void} toggleMute
 */
export function mountHeadset(call, toggleMute) {
  const media = /** @type {any} */ (navigator).mediaSession;
  if (!media) {
    return;
  }
  /** @type {[string, () => void][]} */
  const actions = [
    ['togglemicrophone', toggleMute],
    ['hangup', () => call.leave()],
  ];
  let told = '';
  call.addEventListener('change', () => {
    const { room, voice, talk } = call;
    const active = room !== null && !talk.listenOnly && !voice.silent && !voice.held && !voice.suppressed;
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
      media.metadata = room ? new MediaMetadata({ title: room.name, artist: 'Mini LiveChat' }) : null;
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
