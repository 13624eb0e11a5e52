/**
 * Who is in the channel, who speaks, who is muted.
 * @module
 */

import { phrases } from '../language.js';
import { Order, STAY_MS } from '../order.js';
import { hash } from '../protocol.js';
import { conditionWords, soundWords } from '../words/voice.js';
import { mutedWords } from '../words/deeds.js';
import { roleWords } from '../words/moderation.js';
import { byId, h, renderList, setAttribute, setText } from './dom.js';
import { icon } from './icons.js';
import { mountRoving } from './roving.js';

/** @typedef {import('../protocol.js').Member} Member */

/** So many have a card each; more make a list. */
const CARDS = 9;
/** A telephone that lies on its side has no room for cards. */
const low = matchMedia('(max-height: 500px)');
/** For so long after the last touch the list stays as it is, in milliseconds. */
const HELD_MS = 3_000;

/**
 * @param {string} name
 * @returns {string} one or two letters
 */
function initials(name) {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((w) => [...w][0]?.toUpperCase() ?? '').join('') || '?';
}

/**
 * @param {HTMLElement} avatar
 * @param {string} userId decides the colour, so that namesakes differ
 * @param {string} name
 */
export function paintAvatar(avatar, userId, name) {
  avatar.style.setProperty('--hue', String(Number.parseInt(hash(userId), 36) % 360));
  setText(avatar, initials(name));
}

/**
 * @param {Member} member
 * @param {string | undefined} mutedBy a moderator, as far as it is known
 * @param {number} place in the line of raised hands; 0 for none
 * @returns {{icon: import('./icons.js').IconName, text: string} | null} what keeps this
 *   member from talking or hearing
 */
function mark(member, mutedBy, place) {
  if (member.muted) {
    return { icon: 'mic-off', text: mutedWords(mutedBy) };
  }
  if (place > 0) {
    return { icon: 'hand', text: phrases.people.hand(place) };
  }
  if (member.suppressed) {
    return { icon: 'ear', text: phrases.people.audience };
  }
  if (member.self_deaf) {
    return { icon: 'headphones-off', text: phrases.people.deafened };
  }
  const deaf = soundWords(member.sound ?? 'ok');
  if (deaf) {
    return { icon: 'warning', text: deaf.note };
  }
  if (!member.talker) {
    return { icon: 'ear', text: phrases.people.listening };
  }
  const dumb = conditionWords(member.mic ?? 'ok');
  if (dumb && (!member.self_mute || member.mic === 'lost')) {
    return { icon: 'warning', text: dumb.note };
  }
  return member.self_mute ? { icon: 'mic-off', text: phrases.people.muted } : null;
}

/**
 * @param {Member} member
 * @returns {string} whether the server hears nothing of this member any more, or only the connection beside the voice broke
 */
function condition(member) {
  if (member.media === 'lost') {
    return phrases.people.cutOff;
  }
  if (member.media === 'apart') {
    return phrases.people.apart;
  }
  return member.connection === 'unstable' ? phrases.people.unstable : '';
}

/**
 * @param {import('../session.js').Session} session
 * @param {import('./dialogs.js').Dialogs} dialogs
 * @returns {() => void} renders
 */
export function mountPeople(session, dialogs) {
  const { call } = session;
  const { hearing, media } = call;
  const list = byId('people');
  // The menu of each has all that the other buttons do.
  const rove = mountRoving(list, '.person__more');
  /** How many were made: each line of words has an id. */
  let lines = 0;
  /** The line of raised hands: user ids to places in it. @type {Map<string, number>} */
  let places = new Map();

  /** @param {MouseEvent & {currentTarget: HTMLElement}} e a right click, or a long press on a telephone */
  const onContextMenu = (e) => {
    const more = /** @type {HTMLElement | null} */ (e.currentTarget.querySelector('.person__action:last-child'));
    if (more?.checkVisibility()) {
      e.preventDefault();
      more.click();
    }
  };

  /** @param {Member} member */
  const create = (member) => {
    const avatar = h('span', { class: 'avatar', 'aria-hidden': 'true' });
    paintAvatar(avatar, member.user_id, member.name);
    lines++;
    return h(
      'li',
      { class: 'person', contextmenu: onContextMenu },
      h('span', { class: 'person__face' }, avatar, h('span', { class: 'person__mark', hidden: true }, icon('mic-off'))),
      h('span', { class: 'person__name', dir: 'auto' }),
      h(
        'span',
        { class: 'person__line', id: `person-line-${lines}` },
        h('span', { class: 'person__role' }),
        h('span', { class: 'person__note' }),
        h('span', { class: 'person__speaks visually-hidden' }),
      ),
      h(
        'span',
        { class: 'person__actions', hidden: true },
        h('button', { class: 'person__action', type: 'button', tabindex: '-1', click: () => hearing.togglePin(member.user_id) }, icon('pin')),
        h(
          'button',
          { class: 'person__action', type: 'button', tabindex: '-1', click: () => hearing.toggleExclusion(member.user_id) },
          icon('sound-off'),
        ),
        h(
          'button',
          { class: 'person__action', type: 'button', tabindex: '-1', 'aria-haspopup': 'menu', 'aria-expanded': 'false',
            click: (e) => dialogs.moderate(member.user_id, e.currentTarget) },
          icon('shield'),
        ),
        h(
          'button',
          { class: 'person__action person__more', type: 'button', 'aria-haspopup': 'dialog', 'aria-expanded': 'false', 'aria-describedby': `person-line-${lines}`,
            click: (e) => dialogs.person(member.user_id, e.currentTarget) },
          icon('more'),
        ),
      ),
    );
  };

  /**
   * @param {Member} member
   * @param {boolean} mine
   * @returns {string} whether this person is heard, if that is worth a word
   */
  const heard = (member, mine) => {
    if (mine || !member.talker || !call.here || call.voice.deaf) {
      return '';
    }
    if (hearing.excluded.has(member.user_id)) {
      return phrases.people.mutedForYou;
    }
    if (call.floor.there) {
      return ''; // who has the floor is said where one talks
    }
    const unheard = media.slots.length > 0 && !media.hears(member.user_id);
    return unheard && call.room?.speaking.has(member.user_id) ? phrases.people.notHeard : '';
  };

  /**
   * @param {HTMLElement} item
   * @param {Member} member
   */
  const update = (item, member) => {
    const [face, name, line, actions] = item.children;
    const [role, note] = line.children;
    const badge = /** @type {HTMLElement} */ (face.lastElementChild);
    const mine = member.user_id === session.me?.userId;
    const state = mine ? { ...member, mic: call.talk.unheard, sound: media.playback.sound } : member;
    const marked = mark(state, call.told.mutedBy.get(member.user_id), places.get(member.user_id) ?? 0);
    badge.hidden = marked === null;
    if (marked && badge.dataset.mark !== marked.icon) {
      badge.dataset.mark = marked.icon;
      badge.replaceChildren(icon(marked.icon));
    }
    setText(name, member.name);
    setAttribute(name, 'title', member.name);
    setText(role, member.role === 'guest' && !mine ? roleWords('guest') : '');
    const unheard = heard(member, mine);
    const broken = mine ? '' : condition(member); // of oneself it is said where the voice is
    setText(note, [mine ? phrases.people.you : '', broken || (marked?.text ?? unheard)].filter(Boolean).join(' · '));
    item.classList.toggle('person--unheard', unheard !== '');
    item.classList.toggle('person--unstable', broken !== '');
    item.classList.toggle('person--held', member.muted === true);
    item.classList.toggle('person--hand', member.hand_at !== undefined);
    item.dataset.userId = member.user_id;

    const acts = session.mayAct(member.user_id);
    /** @type {HTMLElement} */ (actions).hidden = mine || !(member.talker || acts);
    const [pin, exclude, moderate, more] = /** @type {HTMLCollectionOf<HTMLElement>} */ (actions.children);
    pin.hidden = !member.talker;
    exclude.hidden = !member.talker;
    moderate.hidden = !acts;
    item.classList.toggle('person--moderated', acts);
    setAttribute(moderate, 'title', phrases.people.moderate(member.name));
    setAttribute(moderate, 'aria-label', phrases.people.moderate(member.name));
    setAttribute(more, 'title', phrases.people.more(member.name));
    setAttribute(more, 'aria-label', phrases.people.more(member.name));
    label(pin, phrases.people.alwaysHear(member.name), hearing.pinned.has(member.user_id));
    label(exclude, phrases.people.muteForMe(member.name), hearing.excluded.has(member.user_id));
  };

  /** Moves people only while nobody is about to press what belongs to one of them. */
  let touchedAt = -Infinity;
  for (const touch of ['pointermove', 'pointerdown', 'keydown', 'focusin']) {
    list.addEventListener(touch, () => (touchedAt = performance.now()), { passive: true });
  }
  const order = new Order();
  let lowering = 0;
  /** In which order they are shown, when there are many. */
  let shown = '';

  const arrange = () => {
    const { room, audience } = call;
    const ids = audience.inOrder.map((m) => m.user_id);
    const now = performance.now();
    return room ? order.arrange(ids, room.speaking, now, now - touchedAt < HELD_MS) : [];
  };
  const renderPeople = () => {
    const { room, audience } = call;
    const members = room ? audience.inOrder : [];
    const many = members.length > CARDS || low.matches;
    list.classList.toggle('people--many', many);
    const ids = many ? arrange() : members.map((m) => m.user_id);
    shown = many ? ids.join() : '';
    renderList(list, ids.flatMap((id) => room?.members.get(id) ?? []), (m) => m.user_id, create, update);
  };
  const onSpeaking = () => {
    if (shown && arrange().join() !== shown) {
      renderPeople();
      rove();
    }
    clearTimeout(lowering);
    lowering = setTimeout(onSpeaking, STAY_MS);
    renderSpeaking();
  };

  const renderSpeaking = () => {
    const speaking = session.speakingIn(call.room?.channelId ?? '');
    for (const child of list.children) {
      const item = /** @type {HTMLElement} */ (child);
      const member = call.room?.members.get(item.dataset.userId ?? '');
      const speaks = speaking.has(item.dataset.userId ?? '');
      if (member && speaks !== (item.dataset.spoke === 'true')) {
        item.dataset.spoke = String(speaks);
        item.classList.toggle('person--speaking', speaks);
        setText(/** @type {Element} */ (item.querySelector('.person__speaks')), speaks ? phrases.people.speaking : '');
        update(item, member); // who speaks may not be heard
      }
    }
    const others = [...speaking].filter((id) => id !== session.me?.userId);
    setText(byId('talkers'), others.flatMap((id) => call.room?.members.get(id)?.name ?? []).join(', '));
  };
  call.addEventListener('speaking', onSpeaking);
  low.addEventListener('change', () => session.changed());

  return () => {
    const { room } = call;
    list.hidden = !room || showsStage(call);
    places = new Map(call.audience.line.map((m, i) => [m.user_id, i + 1]));
    list.classList.toggle('people--stale', !room?.live);
    renderPeople();
    renderSpeaking();
    rove();
  };
}

/**
 * @param {Element} button one that stays pressed
 * @param {string} words
 * @param {boolean} pressed
 */
function label(button, words, pressed) {
  setAttribute(button, 'title', words);
  setAttribute(button, 'aria-label', words);
  setAttribute(button, 'aria-pressed', String(pressed));
}

/**
 * Whether the middle of the screen shows something else than people.
 * @param {import('../call.js').Call} call
 * @returns {boolean}
 */
export function showsStage(call) {
  const elsewhere = call.wanted !== (call.room?.channelId ?? null);
  return !call.room || elsewhere || (call.microphone.asking && !call.here);
}
