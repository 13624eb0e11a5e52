/**
 * Puts the page together: the session, its voice, and the views that show them.
 *
 * The address may carry:
 *  - `#token=…` an access token, then no name is asked for;
 *  - `#channel=…` where to go;
 *  - `#invite=…` an invite, by which one becomes somebody whom this browser keeps;
 *  - `?audio=raw` no echo cancellation, noise suppression or automatic gain: for music,
 *    and for measuring, since these treat a steady tone as noise.
 *
 * `window.livechat` is `{session, media, push}`, for tests and the curious: `media.slots` has
 * the MediaStream of everybody heard. It is no interface; it may change at any time.
 * @module
 */

import { memory, takeLink } from './account.js';
import { Checkup } from './checkup.js';
import { Choices } from './choices.js';
import { Client } from './client.js';
import { mountCues } from './cues.js';
import { Devices } from './devices.js';
import { gatewayOf } from './entry.js';
import { Invitation } from './invitation.js';
import { Keys } from './keys.js';
import { later } from './later.js';
import { Loudness } from './loudness.js';
import { Media } from './media.js';
import { Microphone } from './microphone.js';
import { Muffled } from './muffled.js';
import { mountNotices } from './notices.js';
import { Push } from './push.js';
import { comeBack } from './reload.js';
import { Session } from './session.js';
import { Shell } from './shell.js';
import { mountTelephone } from './telephone.js';
import { Tones } from './tones.js';
import { mountAnnouncer } from './ui/announcer.js';
import { mountBanner } from './ui/banner.js';
import { mountChannels } from './ui/channels.js';
import { mountChat } from './ui/chat.js';
import { mountCheckup } from './ui/checkup.js';
import { mountControls } from './ui/controls.js';
import { mountDialogs } from './ui/dialogs.js';
import { byId } from './ui/dom.js';
import { mountDrop } from './ui/drop.js';
import { mountEnded } from './ui/ended.js';
import { mountHint } from './ui/hint.js';
import { mountHold } from './ui/hold.js';
import { fillIcons } from './ui/icons.js';
import { mountKeys } from './ui/keys.js';
import { mountLanguage } from './ui/language.js';
import { mountLeaving } from './ui/leaving.js';
import { mountLine } from './ui/line.js';
import { mountNoticeChoices } from './ui/notices.js';
import { mountPeople } from './ui/people.js';
import { fillPhrases } from './ui/phrases.js';
import { mountRoom } from './ui/room.js';
import { mountScanner } from './ui/scanner.js';
import { mountStart } from './ui/start.js';
import { mountTabs } from './ui/tabs.js';
import { mountTitle } from './ui/title.js';

/** How often a countdown on the screen moves, in milliseconds. */
const TICK_MS = 500;

function main() {
  fillPhrases();
  fillIcons();
  mountDrop();
  const link = takeLink();
  const processing = new URLSearchParams(location.search).get('audio') !== 'raw';
  /** @type {import('./microphone.js').Denoise} */
  const denoise = async (track) => (await import('./denoiser.js')).Denoiser.of(track); // loaded when it is wanted
  const media = new Media(byId('audio'), new Microphone(processing, denoise));
  const session = new Session(new Client(gatewayOf(document.baseURI), memory.device), media);
  const invitation = new Invitation(session, link.invite);
  const choices = new Choices();
  const push = new Push(session, choices); // before the keys: the key to talk by is that first
  const keys = new Keys(choices);
  const tones = new Tones(choices);
  mountCues(session, tones);
  const shell = new Shell();
  mountNotices(session, choices, shell);
  mountNoticeChoices(session, choices);
  mountTelephone(session.call, choices);
  const devices = new Devices(session.call, choices, tones);
  const preferences = later(async () => {
    const [{ Trial }, { mountDevices }, { mountPreferences }] = await Promise.all([import('./trial.js'), import('./ui/devices.js'), import('./ui/preferences.js')]);
    const look = mountDevices(choices, devices, new Trial(session.call, new Microphone(processing, denoise), choices));
    return mountPreferences(choices, keys, tones, look);
  });
  byId('preferences-open').addEventListener('click', () => preferences());
  Object.assign(window, { livechat: { session, media, push } });

  const checkup = mountCheckup(new Checkup(session, gatewayOf(document.baseURI))); // at once, since it is for when there is no server
  const loudness = new Loudness(session.call);
  const dialogs = { ...mountDialogs(session, keys, loudness, checkup), preferences, checkup };
  for (const id of ['start-checkup', 'checkup-open']) {
    byId(id).addEventListener('click', dialogs.checkup);
  }
  const panel = later(async () => (await import('./ui/panel.js')).mountPanel(session, byId('voice-status'), dialogs.checkup));
  byId('voice-status').addEventListener('click', () => panel());
  const hint = mountHint(new Muffled(session.call, choices), devices);
  mountKeys(keys, choices, preferences);
  mountLanguage();
  mountLeaving(session);
  const renders = [
    mountStart(session, invitation, link.channelId),
    mountEnded(session),
    mountBanner(session, dialogs.checkup),
    mountTabs(session, link.channelId),
    mountChannels(session, dialogs),
    mountScanner(session),
    mountRoom(session, dialogs, link.channelId),
    mountPeople(session, dialogs),
    mountChat(session, dialogs),
    mountHold(session, push, hint),
    mountControls(session, keys, push),
    mountLine(session),
    mountAnnouncer(session, keys),
    mountTitle(session),
  ];
  const render = () => {
    const ended = session.ending !== null;
    byId('start').hidden = session.stage === 'in' || ended;
    byId('app').hidden = session.stage !== 'in' || ended;
    renders.forEach((r) => r());
  };
  session.addEventListener('change', render);
  invitation.addEventListener('change', render);
  setInterval(() => {
    if (session.call.retry.at !== null) {
      render();
    }
  }, TICK_MS);
  render();
  shell.begin();

  const was = comeBack(session.call, link.channelId);
  const kept = memory.credentials;
  if (link.token) {
    session.signInWithToken(link.token, 'token', null);
  } else if (link.invite) {
    // The person decides first what comes of it.
  } else if (kept.token) {
    session.signInAgain(kept.token, kept.guest ? 'guest' : 'token', was);
  } else if (memory.login.token) {
    session.signInAgain(memory.login.token, 'login', was);
  }
}

main();
