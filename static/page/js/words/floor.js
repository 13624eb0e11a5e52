/**
 * Words about the floor, where one talks at a time.
 * @module
 */

import { phrases } from '../language.js';

/** Why one was cut off. @type {Record<string, string>} */
const CUT = {
  too_long: phrases.floor.timeUp,
  preempted: phrases.floor.preempted,
  no_ping: phrases.floor.lostSight,
  unreachable: phrases.floor.unreachable,
  forbidden: phrases.floor.forbidden,
};

/** Why one does not get it. @type {Record<string, string>} */
const DENIED = {
  busy: phrases.floor.busy,
  queue_full: phrases.floor.queueFull,
  often: phrases.floor.often,
  ended: phrases.floor.ended,
  unsettled: phrases.floor.unreachable,
};

/**
 * What stands on the button, and below it.
 * @param {import('../floor.js').Floor} floor
 * @param {boolean} toggles whether one press begins and another ends it
 * @param {boolean} muted whether one would not be heard
 * @returns {[string, string]}
 */
export function floorWords({ standing, holder, over, position, size, leftS, warned, cause, by }, toggles, muted) {
  const says = phrases.floor;
  const talks = over ?? holder;
  const others = talks ? says.talking(talks.name) : '';
  switch (standing) {
    case 'asking':
      return [says.asking, ''];
    case 'granted':
      if (warned) {
        return [says.onAir, says.comeToEnd(leftS ?? 0)];
      }
      return [says.onAir, leftS !== null ? says.left(leftS) : toggles ? says.pressToEnd : says.letGoToEnd];
    case 'queued':
      return [others || says.wait, size > 1 ? says.place(position, size) : says.next];
    case 'denied':
      return [DENIED[cause] ?? says.failed, toggles ? '' : says.letGo];
    case 'cut': {
      const words = cause === 'moderator' ? says.tookBack(by || phrases.common.moderatorFirst) : (CUT[cause] ?? says.cutOff);
      return [words, toggles ? '' : says.letGo];
    }
  }
  if (muted) {
    return [others || phrases.hold.youAreMuted, others ? phrases.hold.youAreMuted : phrases.hold.unmuteFirst];
  }
  if (others) {
    return [others, toggles ? says.pressToWait : says.holdToWait];
  }
  return [toggles ? phrases.hold.pressToTalk : phrases.hold.holdToTalk, says.nobody];
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
export const BREAK_IN = { over: phrases.floor.over, priority: phrases.floor.priority, emergency: phrases.floor.emergency };
