/**
 * Tells a screen reader what others see happen: one's own state, and who comes and goes.
 * @module
 */

import { language, phrases } from '../language.js';
import { noteWords } from '../words/chat.js';
import { floorWords } from '../words/floor.js';
import { byId } from './dom.js';

/**
 * @param {import('../session.js').Session} session
 * @param {import('../keys.js').Keys} keys one of which says who is speaking, which is not said by itself
 * @returns {() => void} renders
 */
export function mountAnnouncer(session, keys) {
  const { call } = session;
  const region = byId('announcer');
  /** @param {string} words */
  const say = (words) => {
    region.textContent = '';
    requestAnimationFrame(() => (region.textContent = words)); // the same words are read out again only if they come anew
  };
  keys.add({
    chords: ['S', 'Alt+S'],
    words: phrases.keys.speaking,
    when: () => call.room !== null,
    run: () => {
      const names = [...(call.room?.speaking ?? [])].flatMap((id) => call.room?.members.get(id)?.name ?? []);
      say(names.length > 0 ? phrases.people.speak(new Intl.ListFormat(language).format(names)) : phrases.people.nobodySpeaks);
    },
  });
  let muted = false;
  let deaf = false;
  let mediaState = '';
  let floor = '';
  /** @type {import('../call.js').Call['room']} */
  let room = null;
  let lastKey = 0;

  return () => {
    /** @type {string[]} */
    const said = [];
    if (call.voice.deaf !== deaf) {
      said.push(call.voice.deaf ? phrases.announce.deafened : phrases.announce.hearAgain);
    } else if (call.voice.silent !== muted) {
      said.push(call.voice.silent ? phrases.announce.muted : phrases.announce.unmuted);
    }
    ({ deaf, silent: muted } = call.voice);
    if (room && !call.room) {
      said.push(phrases.announce.left(room.name));
    }
    room = call.room;
    const [talking] = call.floor.there ? floorWords(call.floor, true, false) : [''];
    const { standing, holder, over } = call.floor;
    if (talking !== floor && (standing || holder || over)) {
      said.push(talking);
    }
    floor = talking;
    if (room && call.media.state !== mediaState && call.media.state === 'connected') {
      said.push(phrases.announce.connected);
    }
    mediaState = call.media.state;
    for (const entry of room?.chat.entries ?? []) {
      // Messages are read out by the chat's own log.
      if (entry.key > lastKey && entry.note) {
        said.push(noteWords(entry));
      }
      lastKey = Math.max(lastKey, entry.key);
    }
    if (said.length > 0) {
      region.textContent = said.join('. ');
    }
  };
}
