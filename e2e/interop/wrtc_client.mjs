// A client of PROTOCOL.md made of libwebrtc as Node has it: joins, says a tone, and prints how many packets come on each slot.

import wrtc from '@roamhq/wrtc';
import { join } from './gateway.mjs';

const [base, name, listen] = process.argv.slice(2);
const RATE = 48000;
const FRAME = RATE / 100; // 10 ms
const pc = new wrtc.RTCPeerConnection();
const source = new wrtc.nonstandard.RTCAudioSource();
if (!listen) {
  pc.addTransceiver(source.createTrack(), { direction: 'sendonly' });
}
const slots = [0, 1].map(() => pc.addTransceiver('audio', { direction: 'recvonly' }));
const answer = await join(base, name, async () => {
  const offer = await pc.createOffer();
  await pc.setLocalDescription(offer);
  return offer.sdp;
});
await pc.setRemoteDescription({ type: 'answer', sdp: answer });
console.log('joined');

let sent = 0;
setInterval(() => {
  const samples = Int16Array.from({ length: FRAME }, (_, i) => 8000 * Math.sin((2 * Math.PI * 440 * (sent + i)) / RATE));
  source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: FRAME });
  sent += FRAME;
}, 10);
setInterval(async () => {
  const heard = new Map(slots.map((slot) => [slot.mid, 0]));
  for (const stat of (await pc.getStats()).values()) {
    if (stat.type === 'inbound-rtp' && heard.has(stat.mid)) {
      heard.set(stat.mid, stat.packetsReceived);
    }
  }
  console.log('heard', ...heard.values());
}, 200);
