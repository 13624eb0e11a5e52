/**
 * Everything the page says, in English. This file is also the list of what there is to say: the other languages have its type,
 * so that what one of them lacks, or says of something else, is found by the compiler (see CONTRIBUTING.md, "Words").
 *
 * What depends on something is a function of it. Whole sentences stand here and are put together nowhere else, because other
 * languages have another order. No file here may import language.js, which waits for it.
 * @module
 */

/** @typedef {typeof phrases} Phrases */

/** @typedef {'mute' | 'unmute' | 'move' | 'kick' | 'ban' | 'uninvite'} NotedDeed */

/**
 * @param {number} n
 * @param {string} one
 * @param {string} many
 */
const count = (n, one, many) => `${n} ${n === 1 ? one : many}`;

/** @param {string | undefined} by */
const byWhom = (by) => (by === undefined ? '' : ` by ${by}`);

/** @type {Record<string, string>} */
const DONE = {
  mute: 'muted', unmute: 'unmuted', move: 'moved', kick: 'removed', ban: 'banned', unban: 'let in again',
  allow: 'let speak', deny: 'sent back to the audience', login: 'given a link to sign in', logout: 'signed out everywhere',
  revoke: 'had an invite or a token revoked', delete: 'deleted', uninvite: 'uninvited',
  drain: 'Nobody let in any more', undrain: 'People let in again', log_level: 'Logging changed',
};

/** @type {Record<string, string>} */
const PLACES = { move: 'to', kick: 'from', uninvite: 'from' };

const phrases = {
  /** Which way it is written. @type {'ltr' | 'rtl'} */
  dir: 'ltr',

  common: {
    name: 'Mini LiveChat',
    cancel: 'Cancel',
    close: 'Close',
    closeKey: 'Close (Escape)',
    dismiss: 'Dismiss',
    optional: '(optional)',
    loading: 'Loading…',
    join: 'Join',
    more: 'Show more',
    settings: 'Settings',
    stay: 'Stay',
    tryAgain: 'Try again',
    copyThis: 'Copy this:',
    underMs: 'under 1 ms',
    /** @param {number} n */
    ms: (n) => `${n} ms`,
    /** @param {number} n */
    percent: (n) => `${n} %`,
    underMinute: 'less than a minute',
    /** @param {number} n */
    people: (n) => count(n, 'person', 'people'),
    /** @param {string} words @param {string} number */
    unread: (words, number) => `${words}, ${number} unread`,
    /** @param {string} number */
    unreadOnly: (number) => `${number} unread`,
    gone: 'Somebody who has left',
    somebody: 'Somebody',
    operator: 'whoever runs the server',
    operatorFirst: 'Whoever runs the server',
    moderatorFirst: 'A moderator',
    /** Who did something, for the middle of a sentence. */
    you: 'you',
  },

  because: {
    lostMeanwhile: 'The connection to the server was lost meanwhile.',
    noConnection: 'There is no connection to the server.',
    noWebRTC: 'This browser cannot carry voice: WebRTC is missing or switched off.',
    inBrowser: 'Something in this browser went wrong; reloading the page may help.',
    /** @param {string} time */
    tooFast: (time) => `That was too fast for the server. Try again in ${time}.`,
    denied: 'Only the person who created it, or an admin, may do that.',
    noChannel: 'The channel does not exist any more.',
    notInChannel: 'You are not in this channel any more.',
    muted: 'A moderator has muted you.',
    emptyMessage: 'The message is empty.',
    longMessage: 'The message is too long.',
    /** @param {string} reason */
    noAgreement: (reason) => `The server and this browser do not agree on how to carry voice (${reason}).`,
    storage: 'The server cannot use its disk just now: nothing is kept or found. Voice goes on.',
    unsettled: 'The server cannot reach the others that it keeps things with. Try again in a moment. Voice goes on.',
    internal: 'The server had an internal error. Whoever runs it can find more in its log.',
    /** @param {string} reason */
    serverSays: (reason) => `The server says: ${reason}.`,
    howToEnter: 'Ask whoever runs the server for an invitation.',
  },

  /** What the server gives as a reason, as it does in English itself: to go on with after a colon. */
  reasons: {
    empty: 'it is empty',
    /** @param {string} n @param {string} most */
    long: (n, most) => `it has ${n} characters, at most ${most} are allowed`,
    /** @param {string} name */
    reserved: (name) => `"${name}" is reserved`,
    unseen: 'it has no visible character',
    /** @param {string} code of a character */
    invisible: (code) => `it contains ${code}, which is invisible or means nothing here`,
    joiner: 'it contains an invisible joiner where it joins nothing',
    /** @param {string} n */
    marks: (n) => `more than ${n} marks on one letter`,
    /** @param {string} code */
    mark: (code) => `the mark ${code} has no letter to stand on`,
    noInvite: 'there is no such invite; perhaps the link is not complete, or it was revoked',
    usedUp: 'it has been used by as many people as it was for; ask for another one',
    justUsed: 'it was just used by somebody else; ask for another one',
    /** @param {string} time */
    expired: (time) => `it expired on ${time}; ask for another one`,
    forKnown: 'it is for people who are known here already; sign in, and open it again',
    signsIn: 'it signs somebody in, and gives nothing to who is',
    /** @param {string} s */
    putOut: (s) => `a moderator put you out of it; you may come back in ${s} s`,
    invited: 'it is for those who are invited',
    members: 'it is for members, and you are a guest',
    token: 'it is none of the channels that your token opens',
    mayInvite: 'only its owner, a moderator or an admin invites people there',
  },

  roles: {
    admin: 'Admin',
    moderator: 'Moderator',
    member: 'Member',
    guest: 'Guest',
    known: 'People who are known here',
  },
  /** For the middle of a sentence. */
  asRole: {
    admin: 'an admin',
    moderator: 'a moderator',
    member: 'a member',
    guest: 'a guest',
  },

  channel: {
    nameTaken: 'There is a channel with this name already, or with one that looks the same. Choose another name.',
    ownsTooMany: 'You have made as many channels as one person may. Delete one of them first.',
    tooMany: 'The server has as many channels as it may hold. Delete one, or try later.',
    /** @param {string} reason */
    badName: (reason) => `This name cannot be used: ${reason}.`,
    /** @param {string} reason */
    badTopic: (reason) => `This topic cannot be used: ${reason}.`,
    membersOnly: 'It is for members only.',
    /** @param {string} name */
    isFull: (name) => `${name} is full. Try again when somebody has left.`,
    /** @param {string} name */
    isGone: (name) => `${name} does not exist any more.`,
    /** @param {string} name @param {string} why */
    notJoined: (name, why) => `You could not join ${name}. ${why}`,
    /** @param {string} name @param {string} why */
    notDeleted: (name, why) => `${name} was not deleted. ${why}`,
    /** @param {string} by @param {string} name */
    movedYou: (by, name) => `${by} has moved you to ${name}.`,
    /** @param {string} by @param {string} name */
    uninvitedYou: (by, name) => `${by} has taken your invitation to ${name} back.`,
    /** @param {string} by */
    heldYou: (by) => `${by} has muted you: nobody hears you until a moderator undoes it.`,
    /** @param {string} role with its article */
    roleNow: (role) => `You are ${role} here now.`,
    /** @param {string} name @param {string} why */
    deedFailed: (name, why) => `Nothing has changed for ${name}. ${why}`,
    /** @param {string} why */
    listenFailed: (why) => `You cannot listen to these channels. ${why}`,
    /** @param {string} why */
    handFailed: (why) => `Your hand is as it was. ${why}`,
    audienceNow: 'You are in the audience now: nobody hears you.',
    speakNow: 'You may speak now: everybody in the channel hears you.',
    speakMuted: 'You may speak now. Switch your microphone on to be heard.',
    /** @param {string} name */
    deleted: (name) => `${name} was deleted.`,
    /** @param {string} why */
    voiceFailed: (why) => `Your microphone setting did not reach the server. ${why}`,
    /** @param {string} device */
    microphoneNow: (device) => `Your microphone went away. Now in use: ${device}.`,
    microphoneOther: 'Your microphone went away. Another one is in use.',
    asServer: 'As the server does by default',
    notAtAll: 'Not at all',
    asLongAsLiked: 'As long as one likes',
  },

  channels: {
    title: 'Channels',
    views: 'Views',
    people: 'People',
    searchMessages: 'Search messages',
    searchKey: 'Search messages ( / )',
    moderation: 'Moderation',
    invite: 'Invite people',
    create: 'Create a channel',
    listeningIn: 'Listening in',
    yourSettings: 'Your settings',
    checkup: 'Connection check',
    signOut: 'Sign out',
    none: 'There is no channel yet. Create the first one.',
    /** @param {string} name */
    peopleIn: (name) => `People in ${name}`,
    fewer: 'Show fewer',
    /** @param {string} name */
    fewerIn: (name) => `Show fewer people in ${name}`,
    /** @param {number} n @param {string} name */
    moreIn: (n, name) => `Show ${n} more people in ${name}`,
    full: 'full',
    /** @param {string} name */
    isFull: (name) => `${name} is full`,
    turns: 'push-to-talk',
    forMembers: 'for members only',
    /** @param {string} name */
    read: (name) => `Read ${name}`,
    /** @param {string} name */
    readOnly: (name) => `Read ${name} without joining`,
    /** @param {string} name */
    listenTo: (name) => `Listen to ${name} from where you are`,
    /** @param {string} name */
    listenNoMore: (name) => `Listen to ${name} no more`,
    /** @param {string} name */
    listenIn: (name) => `Listen in to ${name}`,
    mutedByModerator: 'muted by a moderator',
    deafened: 'deafened',
    muted: 'muted',
    /** @param {string} name */
    interruptsOthers: (name) => `${name} interrupts the others`,
    interrupts: 'Interrupts the others',
    letInterrupt: 'Let it interrupt the others',
    noMore: 'Listen no more',
  },

  chat: {
    title: 'Chat',
    messages: 'Messages',
    onlyReading: 'Only reading',
    searchHere: 'Search this channel',
    cancelKey: 'Cancel (Escape)',
    message: 'Message',
    write: 'Write a message',
    send: 'Send',
    perhapsSent: 'The connection was lost before the server said that it has this: the others may have seen it.',
    /** @param {string} why */
    notSent: (why) => `Not sent. ${why}`,
    isGone: 'The message is not there any more.',
    /** @param {string} why */
    failed: (why) => `That did not work. ${why}`,
    /** @param {string} how how one may enter */
    membersOnly: (how) => `This channel is for members only. ${how}`,
    /** @param {string} why */
    notRead: (why) => `Messages could not be read. ${why}`,
    notThere: 'This message is not there any more.',
    /** @param {string} why */
    oneNotRead: (why) => `This message could not be read. ${why}`,
    toNewest: 'Jump to newest',
    /** @param {number} n */
    newMessages: (n) => count(n, 'new message', 'new messages'),
    many: '99+',
    /** @param {string} how how one may enter */
    forMembers: (how) => `For members only. ${how}`,
    /** @param {string} room */
    readingFrom: (room) => `You are reading along; your voice is in ${room}.`,
    reading: 'You are reading along, and nobody hears you.',
    empty: 'Nothing is written here.',
    notKept: 'What is written here is not kept. Join to read along.',
    joined: /** @param {string} name */ (name) => `${name} joined`,
    left: /** @param {string} name */ (name) => `${name} left`,
    lost: /** @param {string} name */ (name) => `${name} lost the connection`,
    unreached: /** @param {string} name */ (name) => `${name} left: no voice connection`,
    back: 'You are back',
    youJoined: /** @param {string} name */ (name) => `You joined ${name}`,
    earlier: 'Earlier messages',
    later: 'Later messages',
    /** @param {string} room */
    backTo: (room) => `Back to ${room}`,
    /** @param {number} n */
    tooLong: (n) => `The message is ${n} characters too long.`,
    editing: 'Editing your message',
    /** @param {string} name @param {string} quote */
    replying: (name, quote) => `Replying to ${name}: ${quote}`,
    /** @param {string} room */
    writeTo: (room) => `Message ${room}`,
    reply: 'Reply',
    edit: 'Edit',
    remove: 'Delete',
    removeForAll: 'Delete for all',
    today: 'Today',
    yesterday: 'Yesterday',
    new: 'New',
    edited: '(edited)',
    earlierOne: 'An earlier message',
    again: 'Send again',
  },

  search: {
    what: 'What is looked for',
    where: 'Where',
    found: 'Messages found',
    allChannels: 'All channels',
    /** @param {string} channel */
    in: (channel) => `in ${channel}`,
    further: 'Look further back',
    hint: 'All words have to be there. The best matches come first.',
    lettersOnly: 'Only letters and digits can be looked for.',
    twoLetters: 'Type at least two letters.',
    noneNewer: 'None of the newer messages has all of these words.',
    none: 'No message has all of these words.',
    /** @param {number} n */
    all: (n) => count(n, 'message', 'messages'),
    /** @param {number} n */
    best: (n) => `The best ${count(n, 'message', 'messages')}`,
    /** @param {number} n */
    bestOnly: (n) => `The best ${count(n, 'message', 'messages')}. One more word narrows it down.`,
  },

  deeds: {
    /**
     * How a channel's chat tells of what a moderator did.
     * @param {{deed: NotedDeed, name: string, by?: string, where: string, here: boolean}} what `name` is '' for oneself,
     *   `where` the channel somebody was moved to if it is known, `here` that it is this one
     */
    note: ({ deed, name, by, where, here }) => {
      const to = here ? 'here' : `to ${where || 'another channel'}`;
      return `${name ? `${name} was` : 'You were'} ${DONE[deed]}${deed === 'move' ? ` ${to}` : ''}${byWhom(by)}`;
    },
    /**
     * How the list of what moderators did tells of it.
     * @param {{action: string, name: string, role: string, where: string}} what `role` with its article, for whom it was given
     */
    listed: ({ action, name, role, where }) =>
      [name, role ? `made ${role}` : DONE[action] ?? action, where && `${PLACES[action] ?? 'in'} ${where}`].filter(Boolean).join(' '),
    /** @param {string} by */
    mutedBy: (by) => `Muted by ${by}`,
    mutedByModerator: 'Muted by a moderator',
    /** @param {string} by */
    hasMutedYou: (by) => `${by} has muted you`,
    /** @param {string} by */
    by: (by) => `by ${by}`,
    byOperator: 'by who runs the server',
    /** @param {string} time */
    until: (time) => `until ${time}`,
    forGood: 'for good',
    kept: 'Who is kept out',
    nobody: 'Nobody.',
    done: 'What moderators did',
    nothing: 'Nothing yet.',
    /** @param {string} name */
    letIn: (name) => `Let ${name} in again`,
    lift: 'Lift',
    serverModerator: 'A moderator of the server muted them, and only such a one can undo it.',
    asMuch: 'They may do as much here as you may, or more.',
    notYou: 'You may not do that here.',
    notHere: 'They are not here any more.',
    inNoChannel: 'They are in no channel any more.',
    channelFull: 'That channel is full.',
    badReason: 'The reason cannot be used as it is: it is too long, or has characters that nobody sees.',
  },

  person: {
    forHour: 'for an hour',
    forDay: 'for a day',
    forWeek: 'for a week',
    forMonth: 'for a month',
    howLong: 'For how long',
    reason: 'Reason',
    allSee: 'All in the channel see it',
    /** @param {string} name */
    moveTitle: (name) => `Move ${name} to`,
    moveText: 'They go on talking there, with everybody who is in it.',
    noOther: 'There is no other channel.',
    letSpeak: 'Let speak',
    toAudience: 'Back to the audience',
    lowerHand: 'Lower their hand',
    /** @param {string} name */
    removeTitle: (name) => `Remove ${name}?`,
    removeText: 'They may come back, but for a minute not into this channel.',
    remove: 'Remove',
    /** @param {string} name */
    banTitle: (name) => `Ban ${name}?`,
    banText: 'They are put out of the server and not let in again for as long as this lasts.',
    ban: 'Ban',
    letBeHeard: 'Let be heard',
    muteForAll: 'Mute for everybody',
    moveTo: 'Move to …',
    removeMore: 'Remove …',
    banMore: 'Ban …',
    volume: 'Volume',
    hearLikeOthers: 'Hear like the others',
    alwaysHear: 'Always hear',
    hearAgain: 'Hear again',
    muteForMe: 'Mute for me',
  },

  people: {
    title: 'People in this channel',
    /** @param {number} place */
    hand: (place) => `Hand up · ${place}`,
    audience: 'Audience',
    deafened: 'Deafened',
    listening: 'Listening',
    muted: 'Muted',
    cutOff: 'Cut off',
    apart: 'Not heard just now',
    unstable: 'Unstable',
    mutedForYou: 'Muted for you',
    notHeard: 'Not heard now',
    speaking: 'Speaking',
    /** @param {string} names */
    speak: (names) => `Speaking: ${names}`,
    nobodySpeaks: 'Nobody is speaking',
    you: 'You',
    /** @param {string} name */
    moderate: (name) => `Moderate ${name}`,
    /** @param {string} name */
    more: (name) => `More about ${name}`,
    /** @param {string} name */
    alwaysHear: (name) => `Always hear ${name}`,
    /** @param {string} name */
    muteForMe: (name) => `Mute ${name} for me`,
  },

  ended: {
    /** @param {string | undefined} by */
    removed: (by) => `You were removed${byWhom(by)}`,
    /** @param {string | undefined} by */
    banned: (by) => `You are banned from this server${byWhom(by)}`,
    mayReturn: 'You may come back.',
    /** @param {string} where */
    pause: (where) => `You may come back. For a minute it will not be to ${where}.`,
    noEnd: 'This ban has no end.',
    /** @param {string} time */
    ends: (time) => `It ends on ${time}.`,
    over: 'The ban has ended.',
    comeBack: 'Come back',
    asOther: 'Come as somebody else',
  },

  start: {
    lead: 'Talk with your people on your own server.',
    invitedToTalk: 'You are invited to talk.',
    /** @param {string} channel */
    invitedToTalkIn: (channel) => `You are invited to talk in ${channel}.`,
    deadLink: 'The channel that this link leads to is not there any more, or only for those who are invited to it.',
    needsName: 'Enter your name first: it is how others will see you.',
    looking: 'Looking at your invitation…',
    connecting: 'Connecting…',
    /** @param {string} name */
    twin: (name) => `Another tab is ${name} already`,
    onHold: 'Only one tab at a time can be you. If you go on here, that one and its call are put on hold.',
    goOnHere: 'Go on here',
    name: 'Your name',
    nameHint: 'How others will see you',
    continue: 'Continue',
    /** @param {string} name */
    continueAs: (name) => `Continue as ${name}`,
    /** @param {string} name */
    signInAs: (name) => `Sign in as ${name}`,
    /** @param {string} provider */
    signInWith: (provider) => `Sign in with ${provider}`,
    token: 'Access token',
    tokenHint: 'Paste it here',
    haveToken: 'I have an access token',
    noToken: 'I have no access token',
    asGuest: 'Join as a guest instead',
    restarting: 'The server is about to restart. You come in as soon as it is back.',
    unreached: 'The server cannot be reached. It is tried again.',
    /** @param {string} reason */
    siteRefused: (reason) => `The server does not accept this page’s address. Tell whoever runs it: ${reason}.`,
    signedInNoMore: 'This browser is signed in no more. Choose a name to come by the invitation as somebody new.',
    nameTaken: 'This name is somebody’s here, or looks like theirs. Choose another one.',
    /** @param {string} reason */
    badInvite: (reason) => `This invitation cannot be used: ${reason}.`,
    storage: 'The server cannot use its disk just now, so it lets nobody new in. Try again later.',
    unsettled: 'The server cannot reach the others that it keeps things with. Try again in a moment.',
    noServer: 'The server cannot be reached. Check your connection, then try again.',
    noGuests: 'This server admits invited people only. Open the link of an invitation, or paste the access token you were given.',
    forbidden: 'Something in front of the server forbids this (403), such as a reverse proxy. Ask whoever runs the server.',
    /** @param {string} time */
    tooMany: (time) => `Too many people came from your address at once. Try again in ${time}.`,
    /** @param {number} status */
    serverError: (status) => `The server answered with an error (${status}). Try again in a moment.`,
    signedOut: 'You are signed in here no more: the sign-in was taken back, or is too old. Another invitation lets you in.',
    badToken: 'The access token is not valid. It may have expired; ask for a new one.',
    /** @param {string} name */
    welcomeBack: (name) => `Welcome back, ${name}`,
    /** @param {string} name */
    otherSignedOut: (name) => `This browser is signed in as ${name}, who would then be signed out here.`,
    keepsSignedIn: 'This browser keeps you signed in.',
    linkOnce: 'The link works once.',
    /** @param {string} time */
    linkOnceUntil: (time) => `The link works once, until ${time}.`,
    /** @param {string} by '' when nobody is named @param {string} channel '' for the server */
    invited: (by, channel) => {
      const where = channel ? `to talk in ${channel}` : 'to this server';
      return by ? `${by} invites you ${where}` : `You are invited ${where}`;
    },
    /** @param {string} name */
    alreadyHere: (name) => `You are ${name} here already.`,
    forKnown: 'It is for people who are known here. Sign in as you did before, and open it again.',
    chooseName: 'Choose a name: it is yours from then on, and this browser keeps you signed in.',
    letsKnownIn: 'It lets people who are known here in.',
    /** @param {string} role with its article */
    makesYou: (role) => `The invitation makes you ${role}.`,
    /** @param {string} time */
    holdsUntil: (time) => `It holds until ${time}.`,
    elsewhere: 'You opened Mini LiveChat somewhere else. This page is on hold.',
    versions: 'This page and the server are of different versions.',
    /** @param {string} reason */
    serverEnded: (reason) => `The server ended the connection (${reason}).`,
    serviceUnreachable: 'The sign-in service cannot be reached just now. Try again in a moment.',
    serviceDenied: 'You were not signed in: the sign-in service said no, or you turned back there.',
    serviceExpired: 'That sign-in is over: it took too long, or was begun in another window. Try again.',
    serviceBusy: 'Too many people are signing in just now. Try again in a moment.',
    serviceBad: 'The sign-in service gave an answer that the server does not accept. Tell whoever runs the server.',
  },

  floor: {
    timeUp: 'Your time is up',
    preempted: 'Somebody more urgent talks',
    lostSight: 'The server lost sight of you',
    unreachable: 'The servers do not reach each other: try again in a moment',
    forbidden: 'You may not talk now',
    busy: 'You cannot talk now',
    queueFull: 'Too many wait already',
    often: 'Too often: wait a moment',
    ended: 'You wait no more',
    asking: 'Asking …',
    onAir: 'You are on air',
    pressToEnd: 'Press to end',
    letGoToEnd: 'Let go to end',
    /** @param {number} s */
    left: (s) => `${s} s left`,
    /** @param {number} s */
    comeToEnd: (s) => `${s} s left: come to an end`,
    wait: 'You wait',
    /** @param {number} position @param {number} size */
    place: (position, size) => `You are number ${position} of ${size} who wait`,
    next: 'You are next',
    failed: 'That did not work',
    letGo: 'Let go',
    /** @param {string} by */
    tookBack: (by) => `${by} took the floor back`,
    cutOff: 'You are cut off',
    /** @param {string} name */
    talking: (name) => `${name} is talking`,
    nobody: 'Nobody is talking',
    pressToWait: 'Press to wait for your turn',
    holdToWait: 'Hold to wait for your turn',
    over: 'Speak over',
    priority: 'Break in',
    emergency: 'Emergency',
  },

  hold: {
    youAreMuted: 'You are muted',
    nobodyHears: 'Nobody hears you',
    /** @param {string} now */
    pressToEnd: (now) => `${now} · press to end`,
    pressToTalk: 'Press to talk',
    holdToTalk: 'Hold to talk',
    pressToMute: 'Press to mute',
    holdToMute: 'Hold to mute',
    unmuteFirst: 'Unmute first, then talk',
    mutedPress: 'You are muted: unmute first, then talk.',
    mutedTalk: 'You are muted. Nobody hears you.',
  },

  keys: {
    title: 'Keys',
    leftCtrl: 'Left Ctrl',
    rightCtrl: 'Right Ctrl',
    leftShift: 'Left Shift',
    rightShift: 'Right Shift',
    leftAlt: 'Left Alt',
    rightAlt: 'Right Alt',
    pageUp: 'Page up',
    pageDown: 'Page down',
    space: 'Space',
    send: 'Send the message',
    newLine: 'Begin a new line',
    change: 'Change your last message, when nothing is written yet',
    leave: 'Leave the message, the dialog or the menu',
    talkHeld: 'Talk, while held',
    talkToggled: 'Talk, until you press it again',
    muteHeld: 'Be silent, while held',
    muteToggled: 'Be silent, until you press it again',
    mute: 'Mute or unmute',
    deafen: 'Deafen or undeafen',
    hand: 'Raise or lower your hand',
    leaveChannel: 'Leave the channel',
    speaking: 'Say who is speaking, to a screen reader',
    list: 'Show this list',
  },

  controls: {
    title: 'Voice',
    raiseHand: 'Raise hand',
    lowerHand: 'Lower hand',
    mute: 'Mute',
    unmute: 'Unmute',
    muted: 'Muted',
    deafen: 'Deafen',
    undeafen: 'Undeafen',
    leave: 'Leave',
    useMicrophone: 'Use microphone',
    listeningOnly: 'You are listening only',
    disconnected: 'Your microphone was disconnected',
    tryNow: 'Try now',
  },

  announce: {
    deafened: 'You are deafened',
    hearAgain: 'You can hear again',
    muted: 'You are muted',
    unmuted: 'You are not muted',
    /** @param {string} room */
    left: (room) => `You left ${room}`,
    connected: 'Voice is connected',
  },

  banner: {
    title: 'Notice',
    retry: 'Retry now',
    takeOver: 'Take over',
    reload: 'Reload',
    findOut: 'Find out why',
    /** @param {string} title */
    listeningOnly: (title) => `${title}. You are listening only.`,
    /** @param {string} title */
    nobodyHears: (title) => `${title}. Nobody hears you.`,
    insecure:
      'This page came over plain HTTP, where browsers give no microphone: you can listen but not talk. ' +
      'Ask for the server’s https:// address.',
    loopback:
      'Voice does not come through: this browser sends none to a loopback address, and the server names no other. ' +
      'Whoever runs it gives --udp the port alone.',
    walled: 'Voice does not come through: an extension or a setting keeps this browser’s WebRTC off the network. Allow it for this page.',
    apart: 'Voice does not come through: this browser has no address from which it could reach those that the server names.',
    pathBlocked: 'This page gets through but voice does not: a firewall may be in the way.',
    alone: 'This part of the server is cut off from most of it. You talk on with those who are here; messages can be sent when it is together again.',
    /**
     * @param {string} name
     * @param {number} others
     */
    otherNode: (name, others) =>
      `Voice between two nodes of the server is interrupted: you do not hear ${name}${others > 0 ? ` and ${others} more` : ''}, ` +
      `nor ${others > 0 ? 'do they' : 'does that person'} hear you. It is tried again all the while.`,
  },

  voice: {
    lostText: 'Your microphone was disconnected. Nobody hears you.',
    lostLabel: 'Use a microphone',
    lostNote: 'No microphone',
    heldText: 'Your device has taken the microphone away, as for a phone call. Nobody hears you until it gives it back.',
    heldLabel: 'Take it back',
    heldNote: 'Mic on hold',
    silentText: 'No sound comes from your microphone. Is it switched off, or the wrong one? Nobody hears you.',
    silentLabel: 'Try another',
    silentNote: 'Mic silent',
    blockedText: 'Your browser holds the sound back. You hear nobody.',
    blockedLabel: 'Click to hear',
    cannotHear: 'Cannot hear',
    noSpeaker: 'There is neither a loudspeaker nor headphones. You hear nobody until there are.',
    reconnecting: 'Reconnecting…',
    restarting: 'The server restarts. You come back by yourself.',
    back: 'You are back',
    /** @param {string} time */
    lostAgainIn: (time) => `Voice lost, again in ${time}`,
    noAnswer: 'The server does not answer',
    interrupted: 'Voice is interrupted',
    lost: 'Voice lost',
    connecting: 'Connecting voice…',
    firstInLine: 'Your hand is up, you are the first in line',
    /** @param {number} place */
    placeInLine: (place) => `Your hand is up, number ${place} in line`,
    onlyModerators: 'You are in the audience: only moderators speak here',
    raiseHand: 'You are in the audience: raise a hand to speak',
    /** @param {number} n */
    hands: (n) => count(n, 'hand up', 'hands up'),
    nobodyHears: 'Nobody hears you',
    youHearNobody: 'You hear nobody',
    connected: 'Connected',
    /** @param {number} percent */
    loss: (percent) => `${percent} % lost`,
  },

  microphone: {
    policy: {
      title: 'This site forbids the microphone',
      text:
        'Your browser would allow it, but the page came with a header, Permissions-Policy, that forbids it to everybody. ' +
        'Ask whoever runs the server to change that, most often at a reverse proxy, to microphone=(self).',
    },
    denied: {
      title: 'The microphone is not allowed',
      text: 'Your browser keeps this page from using the microphone. Allow it with the icon beside the address, then try again.',
    },
    missing: {
      title: 'No microphone found',
      text: 'Plug one in, or switch it on in your system’s settings, then try again.',
    },
    busy: {
      title: 'The microphone is in use',
      text: 'Another program may be holding it. Close that program, then try again.',
    },
    insecure: {
      title: 'The microphone needs a secure page',
      text:
        'Browsers give a microphone only to pages opened over HTTPS or on the same machine. ' +
        'This one came over plain HTTP from {host}. Ask whoever runs the server for its https:// address.',
    },
    unsupported: {
      title: 'This browser has no microphone access',
      text: 'It is too old, or this feature is switched off. Another browser will do.',
    },
    failed: {
      title: 'The microphone did not start',
      text: 'Your browser gave no reason. Trying again often helps.',
    },
  },

  room: {
    membersOnly: 'For members only',
    copyLink: 'Copy a link to this channel',
    invite: 'Invite people to this channel',
    settings: 'Channel settings',
    delete: 'Delete this channel',
    trial: 'Try microphone and sound',
    joinAsListener: 'Join as a listener',
    allow: 'Allow the microphone',
    asking: 'Your browser is asking whether this page may use it.',
    justListen: 'Just listen',
    /** @param {string} name */
    joining: (name) => `Joining ${name}…`,
    restarting: 'The server is about to restart. You join as soon as it is back.',
    /** @param {string} people */
    inside: (people) => `${people} in here now.`,
    nobody: 'Nobody is in here yet.',
    deadLink: 'This link leads to no channel',
    deadLinkText: 'It was deleted, or is only for those who are invited to it. Ask for another link, or pick a channel from the list.',
    /** @param {string} names of who speaks */
    speaking: (names) => `Speaking: ${names}`,
    pick: 'Pick a channel to talk',
    pickText: 'You are heard by the people in it as soon as you join.',
    copied: 'Copied',
  },

  create: {
    title: 'New channel',
    name: 'Name',
    nameHint: 'Night shift',
    capacity: 'People at most',
    capacityHint: 'No limit of its own',
    /** @param {number} n */
    upTo: (n) => `Up to ${n}`,
    mode: 'How people talk',
    conference: 'All at once, as in a call',
    ptt: 'One at a time, as on a radio',
    submit: 'Create',
    needsName: 'A channel needs a name.',
    /** @param {number} n */
    longName: (n) => `A name has at most ${n} characters.`,
    /** @param {number} n */
    longTopic: (n) => `A topic has at most ${n} characters.`,
  },

  remove: {
    /** @param {string} name */
    title: (name) => `Delete ${name}?`,
    /** @param {string} people */
    others: (people) => `The ${people} talking with you in it will be put out.`,
    nobody: 'Nobody else is in it.',
    keep: 'Keep it',
    submit: 'Delete',
  },

  settings: {
    title: 'Channel settings',
    topic: 'Topic',
    topicHint: 'What it is about',
    talk: 'One talks at most for',
    queue: 'How many may wait',
    cutIn: 'Everybody may interrupt everybody',
    over: 'Moderators may speak over others',
    access: 'Who may enter',
    everybody: 'Everybody',
    members: 'Members only, no guests',
    invited: 'Only those who are invited',
    speaking: 'Who may speak',
    allowed: 'Moderators, and whom they let speak',
    moderators: 'Moderators only',
    time: 'The chat is kept for',
    count: 'Messages kept at most',
    save: 'Save',
  },

  invite: {
    to: 'To',
    server: 'The server',
    become: 'They become',
    for: 'For',
    lasts: 'The link lasts',
    make: 'Make a link',
    sendIt: 'Send this link. It is shown only now.',
    copy: 'Copy the link',
    links: 'Links there are',
    none: 'None.',
    passes: 'Let in by an invite',
    everybody: 'Everybody who has it',
    forGood: 'For good',
    /** @param {number} n */
    used: (n) => `used ${count(n, 'time', 'times')}`,
    /** @param {number} n @param {number} of */
    usedOf: (n, of) => `used ${n} of ${of}`,
    usedUp: 'used up',
    expired: 'expired',
    /** @param {string} reason */
    notAllowed: (reason) => `You may not do that: ${reason}.`,
    signsIn: 'Signs in somebody who is known',
    /** @param {string} role @param {string} channel '' for the server */
    leads: (role, channel) => `${role}, to ${channel || 'the server'}`,
    /** @param {string} role */
    revokeFor: (role) => `Revoke the invite for ${role}`,
    revokeSignIn: 'Revoke the invite for signing in',
    revoke: 'Revoke',
    /** @param {string} name */
    uninviteWhom: (name) => `Uninvite ${name}`,
    uninvite: 'Uninvite',
  },

  leaving: {
    /** @param {string} channel */
    title: (channel) => `Leave ${channel}?`,
    text: 'Back leads out of the channel. The others go on talking.',
    leave: 'Leave',
  },

  signOut: {
    /** @param {string} name */
    title: (name) => `Sign out ${name}?`,
    text: 'This browser will know you no more, and only another invitation lets you in again, as somebody new.',
  },

  /** Stands in the place of the page while the server is away. */
  waiting: {
    title: 'The server does not answer',
    text: 'It may be starting anew. This page comes back by itself as soon as it is there.',
  },

  notices: {
    while: 'While this page is hidden, the system tells',
    none: 'Nothing',
    who: 'Who writes where you are',
    what: 'Who writes where you are, and what',
    denied: 'The browser does not allow this page to. Its settings for this site do.',
    /**
     * @param {string} name
     * @param {string} channel
     */
    wrote: (name, channel) => `${name} in ${channel}`,
    awake: 'Keep the screen on while you are in a channel',
  },

  preferences: {
    lead: 'They hold on this browser, at once.',
    language: 'Language',
    byBrowser: 'As the browser has it',
    sound: 'Microphone and sound',
    microphone: 'Microphone',
    speaker: 'Loudspeaker',
    otherSpeaker: 'Another one …',
    level: 'How loud you are',
    tryIt: 'Try it',
    stop: 'Stop',
    hear: 'Hear yourself',
    say: 'Say something …',
    playing: 'This is you',
    echo: 'Cancel echoes of the loudspeaker',
    noise: 'Noise behind you',
    noiseOff: 'Is left as it is',
    noiseBrowser: 'Is suppressed by the browser',
    noiseRNNoise: 'Is suppressed strongly, by RNNoise',
    undenoised: 'RNNoise does not run in this browser just now, so the browser suppresses the noise.',
    gain: 'Make it loud enough by itself',
    bySystem: 'As the system has it',
    notThere: 'Not there just now',
    /** @param {string} name of a microphone */
    switched: (name) => `Microphone in use now: ${name}`,
    heard: 'When you are heard',
    open: 'The microphone is open',
    always: 'Always, unless you mute it',
    pushToTalk: 'Push to talk: only while you hold a key',
    pushToMute: 'Push to mute: except while you hold a key',
    key: 'Key',
    how: 'How',
    holdIt: 'Hold it',
    toggle: 'Press to begin and to end',
    muffled: 'Say so when you talk while muted',
    tones: 'Tones',
    tonesTell: 'Tones tell what happens',
    notices: 'Notices',
    keyboard: 'Keyboard',
    single: 'Single keys, such as M to mute',
    allKeys: 'All keys',
    done: 'Done',
    pressKey: 'Press a key …',
    thisKey: 'This key',
    /** @param {string} key */
    taken: (key) => `${key} has something else to do. Take another one.`,
    /** @param {string} key */
    chosen: (key) => `${key} it is.`,
  },

  figures: {
    title: 'Connection',
    open: 'How the connection is',
    way: 'Way',
    server: 'Server',
    codec: 'Codec',
    signalling: 'Messages',
    noWay: 'none yet',
    /** @param {string} family */
    direct: (family) => `Direct, by UDP, ${family}`,
    /** @param {'UDP' | 'TCP' | 'TLS'} transport @param {string} family */
    relayed: (transport, family) => `Relayed, TURN by ${transport}, ${family}`,
    /** @param {string} codec */
    redundant: (codec) => `${codec}, with RED`,
    noCodec: 'none yet',
    /** @param {string} time */
    thereAndBack: (time) => `${time} there and back`,
    unmeasured: 'not measured yet',
    rtt: 'Round trip',
    concealed: 'Concealed',
    lossIn: 'Lost on the way to you',
    lossOut: 'Lost on the way from you',
    jitter: 'Jitter',
    bitrate: 'Bitrate',
    buffer: 'Buffer delay',
    byChecks: 'by checks',
    byReports: 'by reports',
    ofSound: 'of the sound',
    atFirst: 'at first',
    aboutAtFirst: 'at first, about',
    afterAsking: 'after asking again',
    sentAgain: 'sent again',
    toYou: 'to you',
    fromYou: 'from you',
    ofEach: 'of each sound',
    notTold: 'not told',
    notToldWhy: 'This browser does not tell it.',
    nothing: '–',
    /** @param {string} value */
    always: (value) => `always ${value}`,
    /** @param {string} least @param {string} middle @param {string} most */
    range: (least, middle, most) => `${least} to ${most}, mostly ${middle}`,
  },

  why: {
    /** @param {string} name */
    title: (name) => `Why you do not hear ${name}`,
    looking: 'Looking at the way of their voice …',
    fullVolume: 'Full volume',
    ask: 'I can’t hear them',
    /** What is wrong and what mends it, by the words of PROTOCOL.md, "Why somebody is not heard". */
    causes: {
      ok: [
        'Nothing is broken between you.',
        'Turn up the volume of your device, and look whether the right loudspeaker is chosen in your settings.',
      ],
      quiet: ['Nothing is broken: they are silent just now.', 'Have them say something, and ask again meanwhile.'],
      connecting: ['The connection is just being made.', 'Wait some seconds, and ask again.'],
      yourself: ['Nobody hears themselves here.', 'Try your microphone in your settings.'],
      not_here: ['They are not here.', 'Wait until they come.'],
      not_in_channel: ['They are in no channel.', 'Ask them to join this one.'],
      you_not_in_channel: ['You are in no channel.', 'Join the one they are in.'],
      other_channel: ['They are in another channel.', 'Join it, or listen in.'],
      media_failed: [
        'Their connection of voice failed, so that they are out of the channel.',
        'Have them join again; if that does not help, the connection check tells them more.',
      ],
      you_media_failed: [
        'Your connection of voice failed.',
        'Join again; if that does not help, the connection check tells more.',
      ],
      no_microphone: ['They joined without a microphone.', 'Have them allow the page to use one.'],
      mic_silent: [
        'Their microphone gives nothing but silence: it is muted in their system, or by a key or a switch on it.',
        'Have them look at the mute key of their headset and at the sound settings of their system.',
      ],
      mic_held: ['Their system keeps the microphone for something else, such as a phone call.', 'Have them end that.'],
      mic_lost: ['Their microphone went away.', 'Have them plug it in again, or choose another one.'],
      no_udp: [
        'Nothing of their voice gets through to the server: their network blocks UDP.',
        'Have them try another network, or make the connection check.',
      ],
      no_dtls: [
        'The server hears of them, but something on their way drops what voice needs.',
        'Have them try another network, or join again.',
      ],
      muted: ['They have muted themselves.', 'Ask them to unmute, by a message for instance.'],
      deaf: [
        'They have deafened themselves, and are muted by that.',
        'Ask them to hear again, by a message for instance.',
      ],
      muted_by_moderator: ['A moderator has muted them.', 'Ask a moderator to let them be heard.'],
      audience: [
        'They are in the audience: not everybody may speak in this channel.',
        'Have them raise their hand; a moderator may let them speak.',
      ],
      floor_other: ['One talks at a time here, and somebody else has the floor.', 'Wait until it is their turn.'],
      floor_idle: [
        'One talks at a time here, and they do not press the button.',
        'Have them hold the button while they talk.',
      ],
      media_lost: [
        'Nothing comes from them any more: their network is gone.',
        'Wait some seconds: another path is looked for. Else have them join again.',
      ],
      no_packets: [
        'Their connection is fine, but no sound comes from their device.',
        'Have them choose the microphone anew, or join again.',
      ],
      lossy_up: [
        'Much of what they say is lost on the way to the server.',
        'Have them come closer to the Wi-Fi, use a cable, or stop what else fills their network.',
      ],
      node_gone: [
        'They are on another node of the server, which does not answer.',
        'Wait some seconds: their page goes on at another node by itself.',
      ],
      node_link_lost: [
        'They are on another node of the server, and no voice comes from there.',
        'Wait: it is tried again all the while. Whoever runs the server sees it too.',
      ],
      node_not_asked: [
        'They are on another node of the server, which does not know yet that you want to hear them.',
        'Wait some seconds, and ask again. Else join again.',
      ],
      node_link_lossy: [
        'They are on another node of the server, and much of what they say is lost between the two.',
        'Tell whoever runs the server.',
      ],
      you_deaf: ['You are deafened.', 'Hear again.'],
      excluded: ['You have muted them for yourself.', 'Hear them again.'],
      no_slots: ['Your page asked for nobody’s voice.', 'Join again.'],
      not_in_slots: [
        'Others speak louder, and one hears only so many at once.',
        'Always hear them, to do so in any case.',
      ],
      not_tuned: [
        'You listen to their channel, and hear another one just now.',
        'Give their channel priority, or join it.',
      ],
      you_no_udp: [
        'Nothing of your voice connection gets through to the server: your network blocks UDP.',
        'Try another network; the connection check tells more.',
      ],
      you_no_dtls: [
        'The server hears of you, but something on the way drops what voice needs.',
        'Try another network; the connection check tells more.',
      ],
      you_media_lost: [
        'Your voice connection is gone.',
        'Wait some seconds: another path is looked for. Else join again.',
      ],
      half_open: [
        'The server sends their voice, but nothing of it arrives here: the path works in one direction only.',
        'Join again, or try another network; a firewall drops what the server sends.',
      ],
      lossy_down: [
        'Much of what is sent to you is lost on the way.',
        'Come closer to the Wi-Fi, use a cable, or stop what else fills your network.',
      ],
      sound_blocked: ['Your browser holds the sound back.', 'Click to hear.'],
      sound_lost: [
        'There is neither a loudspeaker nor headphones.',
        'Plug one in, or choose another one in your settings.',
      ],
      output_muted: ['You have turned everything down to nothing.', 'Turn it up.'],
      person_muted: ['You have turned this person down to nothing.', 'Turn them up.'],
      not_playing: ['The page has stopped playing.', 'Click to hear, or reload the page.'],
    },
  },

  checkup: {
    list: 'What was checked',
    copyReport: 'Copy report',
    again: 'Check again',
    busy: 'is being checked',
    good: 'all is well',
    warning: 'should be mended',
    failed: 'does not work',
    skipped: 'not checked',
    checking: 'Checking…',
    /** @param {string} why */
    wentWrong: (why) => `The check itself went wrong: ${why}.`,
    noSignIn: 'Voice was not tried, for want of a way to sign in.',
    noVoice: 'Voice cannot work from here.',
    /** @param {string} how */
    listenOnly: (how) => `You can listen from here but not talk: ${how}.`,
    /** @param {string} how */
    relayed: (how) => `Voice works from here, but only relayed: ${how}.`,
    /** @param {string} how */
    works: (how) => `Voice works from here: ${how}.`,
    https: 'HTTPS',
    plainHTTP: 'plain HTTP: browsers can listen but not talk',
    secure: 'the page is secure',
    notNeeded: 'not needed on this machine',
    noneGiven: 'browsers give none to this page',
    headersForbid: 'the page’s headers forbid it',
    nothingComes: 'nothing comes from it',
    willAsk: 'there is one; the browser will ask when you join',
    allowed: 'there is one, and it is allowed',
    server: 'Server',
    /** @param {string} host */
    noAnswer: (host) => `${host} does not answer`,
    noAnswerAdvice: 'Are you on the network, and is the server running? Then something between here and there is closed.',
    /** @param {number} status */
    status: (status) => `it answers with status ${status}`,
    statusAdvice: 'If there is a reverse proxy in front of the server, it does not reach it. Is the server running?',
    /** @param {string} host @param {string} time */
    answers: (host, time) => `${host} answers in ${time}`,
    clock: 'Clock',
    noClock: 'the server does not say what time it is',
    /** @param {string} time */
    ahead: (time) => `${time} ahead of the server’s`,
    /** @param {string} time */
    behind: (time) => `${time} behind the server’s`,
    right: 'right, compared with the server’s',
    webSocket: 'WebSocket',
    siteRefused: 'the server does not accept this page’s address',
    mute: 'it opens, but the server does not speak',
    closed: 'it does not open',
    /** @param {string} server what it calls itself, or '' @param {string} time */
    opens: (server, time) => `${server || 'open'}, in ${time}`,
    signIn: 'Sign-in',
    /** @param {string} name */
    as: (name) => `as ${name}`,
    asYourself: 'as yourself',
    asGuest: 'as a guest',
    noGuests: 'guests are not allowed',
    signInFirst: 'Sign in first, then check again.',
    later: 'Try again in a moment.',
    voice: 'Voice',
    noWebRTC: 'this browser has no WebRTC',
    direct: 'direct UDP',
    overUDP: 'Voice over UDP',
    /** @param {string} transport */
    turn: (transport) => `TURN over ${transport}`,
    anyTurn: 'TURN',
    /** @param {string} why */
    notTried: (why) => `not tried: ${why}`,
    /** @param {string} time as `inTime` says, or '' */
    itWorks: (time) => `it works${time}`,
    /** @param {string} time */
    inTime: (time) => `, ${time}`,
    notOffered: 'not offered',
    /** @param {number} n */
    moreRelays: (n) => `${n} more relays, which are not tried`,
    noCertificate: 'not offered, for want of a certificate',
    /** @param {string} where @param {number | string} port */
    nothingFrom: (where, port) => `nothing comes back from ${where}, UDP port ${port}`,
    /** @param {string} where */
    untried: (where) => `this browser did not try ${where}`,
    walled: 'It has no address for voice: an extension or a setting of it keeps WebRTC off the network. Allow it for this page.',
    apart:
      'It has no address from which it could. Does the server name IPv4 addresses only and is there only IPv6 here, or the other way ' +
      'round? --announce says which it names.',
    noLoopbackRelay: 'Firefox uses no relay at a loopback address, which says nothing about others. Check from another machine.',
    nothingThrough: 'nothing comes back through the relay',
    /** @param {number} code */
    refused: (code) => `refused with ${code}`,
    noRelay: 'the port answers, but not as a relay',
    nothingBack: 'nothing comes back',
  },

  /**
   * What mends a connection, in the words of `livechat doctor` (cmd/doctor/words.go; a test compares them).
   * {names} stand for values.
   */
  advice: {
    INSECURE:
      'Browsers give no microphone to a page that came over plain HTTP. Give the server a certificate with ' +
      '--domain=NAME, or --tls-cert and --tls-key, or put a reverse proxy with HTTPS in front of it; then open the page by https://.',
    POLICY:
      'The page came with the header {header}, so browsers refuse it the microphone whatever people allow. ' +
      'The server sends no such header: change it where it is added, most often at a reverse proxy, to ' +
      'Permissions-Policy: microphone=(self), or take it away there.',
    WEBSOCKET:
      'Something between here and the server, most often a reverse proxy, does not let WebSockets through. ' +
      'Let it pass the Upgrade and Connection headers on /ws, and leave Host as it is.',
    CLOCK: 'Set the clock that is wrong, for instance with timedatectl set-ntp true: certificates and tokens go by the time.',
    UDP:
      'Allow UDP port {port} in to the server: in its firewall, at its provider, and forwarded by its router if it ' +
      'is behind one. The port is that of --udp.',
    UDP_HERE: 'If other networks get through, it is this one that blocks UDP.',
    ANNOUNCE:
      'The server tells clients to send voice to {announced}. If that is not its address on the internet, ' +
      'start it with --announce={address}.',
    LOOPBACK:
      'Firefox takes no loopback address for voice, and the server tells clients of no other than {announced}. ' +
      'Start it with --udp={port}, the port alone, and without --announce.',
    FROM_ITSELF:
      'That this machine does not reach itself by {announced} says little about others, because many ' +
      'routers do not lead back in. Check from another machine.',
    TURN_UDP: 'For the relay over UDP, allow UDP port {port} in to the server. The port is that of --turn-udp.',
    TURN_TCP: 'For the relay over TCP, allow TCP port {port} in to the server. The port is that of --turn-tcp.',
    TURN_PAGE:
      'The relay over {transport} shares port {port} with the page, but something there lets only HTTP through, ' +
      'such as a reverse proxy. Let clients reach the server itself on that port.',
    TURN_TLS: 'For the relay over TLS, allow TCP port {port} in to the server. The port is that of --https.',
    TURN_REFUSED: "The relay at {url} refused its own server's credentials. Is that address another server's?",
    TURN_SILENT:
      "The relay at {url} works but does not reach the media port. Its server's own firewall must let it " +
      'send to UDP port {port} of the same machine.',
    NO_TURN:
      'The server offers no relay, so people whose network blocks UDP cannot talk. Start it without --no-turn, ' +
      "and allow TURN's ports in.",
    NO_TURN_TLS:
      'The server offers no relay over TLS, so people whose network lets only HTTPS through cannot talk. Give it ' +
      'a certificate of its own: --domain=NAME, or --tls-cert and --tls-key.',
    NO_GUESTS: 'The server admits nobody without a token, so this check needs one.',
  },
};

export default phrases;
