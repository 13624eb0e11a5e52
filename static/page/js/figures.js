/**
 * What a peer connection's statistics (W3C WebRTC Statistics) say of a call. Pure: a report comes in, figures come out.
 * @module
 */

/**
 * A figure: null when the browser does not tell it, undefined when there was nothing to measure. Neither is 0.
 * @typedef {number | null | undefined} Figure
 */

/**
 * What counts up, of all lines together; what moves is the difference of two.
 * @typedef {object} Counters
 * @property {number} at as performance.now() counts
 * @property {number | null} bytesIn
 * @property {number | null} bytesOut
 * @property {Map<string, Line>} lines the receiving ones, by their id in the report
 * @property {number | null} packetsSent
 * @property {number | null} sentAgain retransmittedPacketsSent
 */

/**
 * @typedef {object} Line
 * @property {number} received packetsReceived
 * @property {number} lost packetsLost
 * @property {number | null} asked nackCount
 * @property {number | null} jitter in seconds
 * @property {number | null} delay jitterBufferDelay
 * @property {number | null} emitted jitterBufferEmittedCount
 * @property {number | null} samples totalSamplesReceived
 * @property {number | null} concealed concealedSamples
 * @property {number} silent silentConcealedSamples: nobody speaks on the line
 */

/**
 * What the call was like for a moment.
 * @typedef {object} Sample
 * @property {number} at as performance.now() counts
 * @property {Figure} rttMs currentRoundTripTime, of ICE's checks
 * @property {Figure} reportedRttMs roundTripTime, of RTCP
 * @property {Figure} jitterInMs jitter, of the worst line on which packets came
 * @property {Figure} jitterOutMs jitter, as the server reports it
 * @property {Figure} lostIn percent of packets that did not come at first: packetsLost and nackCount
 * @property {Figure} leftIn percent of packets that did not come at all: packetsLost
 * @property {Figure} lostOut percent: fractionLost, as the server reports it
 * @property {Figure} againOut percent: retransmittedPacketsSent
 * @property {Figure} concealed percent: concealedSamples, without those of lines on which nobody speaks
 * @property {Figure} bufferMs jitterBufferDelay, of one sample of sound
 * @property {Figure} kbitIn
 * @property {Figure} kbitOut
 */

/**
 * What does not change from moment to moment.
 * @typedef {object} Facts
 * @property {'direct' | 'udp' | 'tcp' | 'tls' | null} way null while there is no path; the last three are TURN's
 * @property {'IPv4' | 'IPv6' | null} family
 * @property {string} server its address and port for media
 * @property {string | null} network networkType
 * @property {string | null} codecIn
 * @property {string | null} codecOut
 * @property {string | null} ice iceState
 * @property {string | null} dtls dtlsState, TLS version and ciphers
 * @property {number | null} pathChanges selectedCandidatePairChanges
 */

/**
 * @param {unknown} value
 * @returns {number | null}
 */
function told(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/**
 * @param {number | null} value
 * @param {number | null} before
 * @returns {number | null} how much more it is
 */
function grown(value, before) {
  return value === null || before === null ? null : Math.max(0, value - before);
}

/**
 * @param {number | null} part
 * @param {number | null} whole
 * @returns {Figure} in percent
 */
function share(part, whole) {
  if (part === null || whole === null) {
    return null;
  }
  return whole > 0 ? Math.min(100, (100 * part) / whole) : undefined;
}

/**
 * @param {any} stats undefined when there are none
 * @param {string} name
 * @returns {Figure} in milliseconds
 */
function msOf(stats, name) {
  const s = told(stats?.[name]);
  return !stats ? undefined : s === null ? null : s * 1_000;
}

/**
 * @param {any[]} all
 * @returns {any} the pair of candidates in use
 */
function pairOf(all) {
  const chosen = all.find((s) => s.type === 'transport')?.selectedCandidatePairId;
  const pairs = all.filter((s) => s.type === 'candidate-pair');
  return pairs.find((s) => s.id === chosen) ?? pairs.find((s) => s.selected) ?? pairs.find((s) => s.nominated && s.state === 'succeeded');
}

/**
 * @param {RTCStatsReport} report
 * @param {number} at when it was made, as performance.now() counts
 * @returns {Counters}
 */
export function countersOf(report, at) {
  /** @type {any[]} */
  const all = [...report.values()];
  const out = all.find((s) => s.type === 'outbound-rtp');
  const pair = pairOf(all);
  const lines = all.filter((s) => s.type === 'inbound-rtp').map((s) => /** @type {[string, Line]} */ ([
    s.id,
    {
      received: s.packetsReceived ?? 0,
      lost: s.packetsLost ?? 0,
      asked: told(s.nackCount),
      jitter: told(s.jitter),
      delay: told(s.jitterBufferDelay),
      emitted: told(s.jitterBufferEmittedCount),
      samples: told(s.totalSamplesReceived),
      concealed: told(s.concealedSamples),
      silent: s.silentConcealedSamples ?? 0,
    },
  ]));
  return {
    at,
    bytesIn: told(pair?.bytesReceived),
    bytesOut: told(pair?.bytesSent),
    lines: new Map(lines),
    packetsSent: told(out?.packetsSent),
    sentAgain: told(out?.retransmittedPacketsSent),
  };
}

/** A line of which nothing was known before. @type {Line} */
const UNKNOWN = { received: 0, lost: 0, asked: 0, jitter: null, delay: 0, emitted: 0, samples: 0, concealed: 0, silent: 0 };

/**
 * @param {Counters} now
 * @param {Counters} before
 * @returns {Pick<Sample, 'jitterInMs' | 'lostIn' | 'leftIn' | 'concealed' | 'bufferMs'>} of the lines on which packets came or should have
 */
function heard(now, before) {
  const sum = { received: 0, lost: 0, asked: 0, delay: 0, emitted: 0, samples: 0, concealed: 0 };
  /** @type {Figure} */
  let jitter;
  let asks = true;
  let conceals = true;
  let buffers = true;
  for (const [id, line] of now.lines) {
    const was = before.lines.get(id) ?? UNKNOWN;
    const received = line.received - was.received;
    if (received <= 0) {
      continue;
    }
    sum.received += received;
    sum.lost += line.lost - was.lost; // fewer, when late ones came
    jitter = line.jitter === null ? jitter ?? null : Math.max(jitter ?? 0, 1_000 * line.jitter);
    asks &&= line.asked !== null;
    buffers &&= line.delay !== null && line.emitted !== null;
    conceals &&= line.samples !== null && line.concealed !== null;
    sum.asked += grown(line.asked, was.asked) ?? 0;
    sum.delay += grown(line.delay, was.delay) ?? 0;
    sum.emitted += grown(line.emitted, was.emitted) ?? 0;
    sum.samples += grown(line.samples, was.samples) ?? 0;
    sum.concealed += Math.max(0, (line.concealed ?? 0) - (was.concealed ?? 0) - (line.silent - was.silent));
  }
  const lost = Math.max(0, sum.lost);
  const due = sum.received + lost;
  return {
    jitterInMs: jitter,
    lostIn: asks ? share(lost + sum.asked, due) : null,
    leftIn: share(lost, due),
    concealed: conceals ? share(sum.concealed, sum.samples) : null,
    bufferMs: !buffers ? null : sum.emitted > 0 ? (1_000 * sum.delay) / sum.emitted : undefined,
  };
}

/**
 * @param {RTCStatsReport} report
 * @param {Counters} now of the report
 * @param {Counters} before
 * @returns {Sample}
 */
export function sampleOf(report, now, before) {
  /** @type {any[]} */
  const all = [...report.values()];
  const pair = pairOf(all);
  const reported = all.find((s) => s.type === 'remote-inbound-rtp');
  const rate = (/** @type {number | null} */ bytes) => (bytes === null ? null : (8 * bytes) / (now.at - before.at));
  return {
    at: now.at,
    // Firefox says 0 of a pair on which no answer came yet.
    rttMs: pair?.responsesReceived === 0 ? undefined : msOf(pair, 'currentRoundTripTime'),
    reportedRttMs: msOf(reported, 'roundTripTime'),
    ...heard(now, before),
    jitterOutMs: msOf(reported, 'jitter'),
    lostOut: reported ? share(told(reported.fractionLost), 1) : undefined,
    againOut: now.packetsSent === null ? undefined : share(grown(now.sentAgain, before.sentAgain), grown(now.packetsSent, before.packetsSent)),
    kbitIn: rate(grown(now.bytesIn, before.bytesIn)),
    kbitOut: rate(grown(now.bytesOut, before.bytesOut)),
  };
}

/**
 * @param {any} codec
 * @returns {string | null} "audio/opus, 48 kHz, stereo"
 */
function codecOf(codec) {
  return codec ? [codec.mimeType, codec.clockRate && `${codec.clockRate}/${codec.channels ?? 1}`, codec.sdpFmtpLine].filter(Boolean).join(' ') : null;
}

/**
 * @param {any} local candidate
 * @returns {Facts['way']}
 */
function wayOf(local) {
  if (local.candidateType !== 'relay') {
    return 'direct';
  }
  const said = local.relayProtocol ?? (String(local.url).startsWith('turns:') ? 'tls' : /transport=(\w+)/.exec(local.url)?.[1]);
  return said === 'tls' || said === 'tcp' ? said : 'udp';
}

/**
 * @param {RTCStatsReport} report
 * @returns {Facts}
 */
export function factsOf(report) {
  /** @type {any[]} */
  const all = [...report.values()];
  const byId = (/** @type {string | undefined} */ id) => all.find((s) => s.id === id);
  const pair = pairOf(all);
  const [local, remote] = [byId(pair?.localCandidateId), byId(pair?.remoteCandidateId)];
  const transport = all.find((s) => s.type === 'transport');
  const out = all.find((s) => s.type === 'outbound-rtp');
  const heard = all.find((s) => s.type === 'inbound-rtp' && s.codecId);
  const address = remote?.address ?? '';
  return {
    way: local ? wayOf(local) : null,
    family: address ? (address.includes(':') ? 'IPv6' : 'IPv4') : null,
    server: remote ? `${address.includes(':') ? `[${address}]` : address || '?'}:${remote.port}` : '',
    network: local?.networkType ?? null,
    codecIn: codecOf(byId(heard?.codecId)),
    codecOut: codecOf(byId(out?.codecId)),
    ice: transport?.iceState ?? null,
    dtls: transport ? [transport.dtlsState, transport.tlsVersion, transport.dtlsCipher, transport.srtpCipher].filter(Boolean).join(' ') : null,
    pathChanges: told(transport?.selectedCandidatePairChanges),
  };
}
