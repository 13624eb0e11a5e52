/**
 * The first screen: an invitation, a name, or an access token.
 * @module
 */

import { EntryError, memory } from '../account.js';
import { phrases } from '../language.js';
import { CloseCode, ErrorCode } from '../protocol.js';
import { connectionWords, inviteWords, signInFailed } from '../words/entry.js';
import { byId, catchFocus, setAttribute, setText } from './dom.js';
import { mountSignIn } from './signin.js';

/** HTTP's answer when the name cannot be used. */
const BAD_REQUEST = 400;

/** @param {Error | null} err */
const isAboutName = (err) => err instanceof EntryError && (err.status === BAD_REQUEST || err.code === ErrorCode.NAME_TAKEN);

/**
 * @param {string | null} channelName of the channel that a link leads to; '' for none, null while nothing is known
 * @returns {string}
 */
function linkWords(channelName) {
  if (channelName === null) {
    return phrases.start.invitedToTalk;
  }
  return channelName ? phrases.start.invitedToTalkIn(channelName) : phrases.start.deadLink;
}

/**
 * @param {import('../session.js').Session} session
 * @param {import('../invitation.js').Invitation} invitation
 * @param {string} channelId the channel a link leads to, or ''
 * @returns {() => void} renders
 */
export function mountStart(session, invitation, channelId) {
  const guestForm = /** @type {HTMLFormElement} */ (byId('guest-form'));
  const tokenForm = /** @type {HTMLFormElement} */ (byId('token-form'));
  const name = /** @type {HTMLInputElement} */ (byId('guest-name'));
  const token = /** @type {HTMLInputElement} */ (byId('token'));
  const known = /** @type {HTMLButtonElement} */ (byId('start-known'));
  const other = byId('start-other');
  const again = byId('start-again');
  const error = byId('start-error');
  const buttons = /** @type {HTMLButtonElement[]} */ ([byId('guest-submit'), byId('token-submit')]);
  let useToken = false;
  /** Somebody would have come without a name. */
  let nameless = false;
  /** By fingers: the keyboard would cover the page before it was seen. */
  const touched = matchMedia('(pointer: coarse)').matches;
  /** The server was asked something. */
  let waited = false;
  /** Who is known here wants to come as somebody else. */
  let asOther = false;
  /** @type {Error | null} the error that was last acted upon */
  let seenError = null;
  const doors = mountSignIn(channelId, () => render());

  setText(byId('start-insecure'), window.isSecureContext ? '' : phrases.banner.insecure);
  byId('start-insecure').hidden = window.isSecureContext;
  name.value = memory.name;
  name.addEventListener('input', () => nameless && render());
  guestForm.addEventListener('submit', (e) => {
    e.preventDefault();
    nameless = name.value.trim() === '';
    if (nameless) {
      render();
      name.focus();
    } else if (invitation.state === 'open') {
      invitation.accept(name.value.trim());
    } else {
      invitation.drop();
      session.signInAsGuest(name.value.trim(), channelId || null);
    }
  });
  tokenForm.addEventListener('submit', (e) => {
    e.preventDefault();
    invitation.drop();
    session.signInWithToken(token.value.trim(), 'token', channelId || null);
    token.value = '';
  });
  known.addEventListener('click', () => {
    if (session.elsewhere) {
      session.elsewhere.comeAsThat();
    } else if (signsIn()) {
      invitation.accept(signsIn());
    } else if (invitation.state === 'open') {
      invitation.acceptAsKnown();
    } else {
      invitation.drop();
      session.signInWithToken(memory.login.token, 'login', channelId || null);
    }
  });
  again.addEventListener('click', () => invitation.look());
  other.addEventListener('click', () => {
    if (session.elsewhere) {
      asOther = true;
      session.comeAsOther();
    } else if (isKnown()) {
      asOther = true;
    } else {
      useToken = !useToken;
    }
    session.signInError = null;
    render();
    (useToken ? token : name).focus();
  });
  /** Whom the link signs in, or ''. */
  const signsIn = () => (invitation.state === 'open' && invitation.offer?.for_name) || '';
  const isKnown = () => memory.login.token !== '' && !asOther;

  /** @param {boolean} busy */
  const renderWords = (busy) => {
    const { state } = invitation;
    const open = state === 'open' && invitation.offer;
    const words = open ? inviteWords(open, isKnown() ? memory.login.name : '') : null;
    const { elsewhere } = session;
    setText(byId('start-title'), elsewhere ? phrases.start.twin(elsewhere.name) : words?.title ?? phrases.common.name);
    const lead = channelId ? linkWords(doors.channelName) : phrases.start.lead;
    setText(byId('start-lead'), elsewhere ? phrases.start.onHold : words?.lead ?? (state === 'asking' ? phrases.start.looking : lead));
    setText(byId('start-offer'), words?.offer ?? '');
    setText(known, busy ? phrases.start.connecting : elsewhere ? phrases.start.goOnHere : signsIn() ? phrases.start.signInAs(signsIn()) : phrases.start.continueAs(memory.login.name));
    const instead = doors.guests ? phrases.start.asGuest : phrases.start.noToken;
    const otherWay = useToken ? instead : phrases.start.haveToken;
    setText(other, isKnown() || elsewhere ? phrases.ended.asOther : otherWay);
    for (const button of buttons) {
      button.disabled = busy;
      setText(button, busy ? phrases.start.connecting : channelId || open ? phrases.common.join : phrases.start.continue);
    }
  };

  function render() {
    const failure = invitation.error ?? session.signInError;
    if (failure !== seenError) {
      seenError = failure;
      if (isAboutName(seenError)) {
        name.select();
      }
      useToken ||= seenError instanceof EntryError && seenError.guestsRefused;
    }
    const busy = session.stage === 'busy' || invitation.busy;
    const asking = invitation.state === 'asking';
    const invited = invitation.state === 'open';
    const twin = session.elsewhere !== null;
    doors.show(!asking && !invited && !isKnown() && !twin);
    if (busy) {
      doors.failure = '';
    }
    const certain = twin || isKnown() || signsIn() !== '';
    guestForm.hidden = asking || useToken || certain || !(doors.guests || invited);
    tokenForm.hidden = asking || !useToken || certain;
    known.hidden = asking || !certain;
    known.disabled = busy;
    again.hidden = invitation.state !== 'refused' || !invitation.passing;
    other.hidden = asking || (invited && (signsIn() !== '' || !isKnown()));
    renderWords(busy);
    const { state } = session.client;
    const waits = state.code === CloseCode.DRAINING ? phrases.start.restarting : phrases.start.unreached;
    const unreached = busy && state.name === 'waiting' ? waits : '';
    const trouble = busy ? (connectionWords(state)?.text ?? unreached) : '';
    nameless &&= name.value.trim() === '';
    setAttribute(name, 'aria-invalid', nameless || isAboutName(failure) ? 'true' : null);
    const missing = nameless ? phrases.start.needsName : '';
    setText(error, missing || (failure ? signInFailed(failure) : trouble || doors.failure));
    if (waited && !busy && !asking && session.stage !== 'in' && !touched) {
      // What had the focus went away meanwhile, or could not be pressed.
      catchFocus([name, token, known, again, other].find((one) => one.checkVisibility()) ?? null);
    }
    waited = busy || asking;
  }

  if (!touched) {
    queueMicrotask(() => (isKnown() ? known : name).focus());
  }
  return render;
}
