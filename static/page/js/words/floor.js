/**
 * Words about the floor, where one talks at a time.
 * @module
 */

/** Why one was cut off. @type {Record<string, string>} */
const CUT = {
  too_long: 'Your time is up',
  preempted: 'Somebody more urgent talks',
  no_ping: 'The server lost sight of you',
  forbidden: 'You may not talk now',
};

/** Why one does not get it. @type {Record<string, string>} */
const DENIED = {
  busy: 'You cannot talk now',
  queue_full: 'Too many wait already',
  often: 'Too often: wait a moment',
  ended: 'You wait no more',
};

/**
 * What stands on the button, and below it.
 * @param {import('../floor.js').Floor} floor
 * @param {boolean} toggles whether one press begins and another ends it
 * @param {boolean} muted whether one would not be heard
 * @returns {[string, string]}
 */
export function floorWords({ standing, holder, over, position, size, leftS, warned, cause, by }, toggles, muted) {
  const end = toggles ? 'Press to end' : 'Let go to end';
  const press = toggles ? 'Press' : 'Hold';
  const others = over ? `${over.name} is talking` : holder ? `${holder.name} is talking` : '';
  switch (standing) {
    case 'asking':
      return ['Asking …', ''];
    case 'granted':
      if (warned) {
        return ['You are on air', `${leftS ?? 0} s left: come to an end`];
      }
      return ['You are on air', leftS === null ? end : `${leftS} s left`];
    case 'queued':
      return [others || 'You wait', size > 1 ? `You are number ${position} of ${size} who wait` : 'You are next'];
    case 'denied':
      return [DENIED[cause] ?? 'That did not work', toggles ? '' : 'Let go'];
    case 'cut': {
      const words = cause === 'moderator' ? `${by || 'A moderator'} took the floor back` : (CUT[cause] ?? 'You are cut off');
      return [words, toggles ? '' : 'Let go'];
    }
  }
  if (muted) {
    return [others || 'You are muted', others ? 'You are muted' : 'Unmute first, then talk'];
  }
  return others ? [others, `${press} to wait for your turn`] : [`${press} to talk`, 'Nobody is talking'];
}

/**
 * @param {import('../floor.js').Floor} floor
 * @param {boolean} toggles
 * @returns {string} what one is told who pressed in vain, and has nothing left to let go
 */
export function floorHint(floor, toggles) {
  return floorWords(floor, toggles, false)[0];
}

/** What stands on the button by which those talk who are more urgent. @type {Record<'over' | 'priority' | 'emergency', string>} */
export const BREAK_IN = { over: 'Speak over', priority: 'Break in', emergency: 'Emergency' };
