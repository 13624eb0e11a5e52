// A client of PROTOCOL.md made of werift: joins, sends Opus packets, and prints how many packets come on each slot.

import { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, RtpHeader, RtpPacket } from 'werift';
import { join } from './gateway.mjs';

const [base, name, listen] = process.argv.slice(2);
const opus = new RTCRtpCodecParameters({ mimeType: 'audio/opus', clockRate: 48000, channels: 2, payloadType: 111 });
const pc = new RTCPeerConnection({ codecs: { audio: [opus] }, iceServers: [] });
const microphone = new MediaStreamTrack({ kind: 'audio' });
if (!listen) {
  pc.addTransceiver(microphone, { direction: 'sendonly' });
}
const heard = [0, 0];
for (const slot of heard.keys()) {
  pc.addTransceiver('audio', { direction: 'recvonly' }).onTrack.subscribe((track) => {
    track.onReceiveRtp.subscribe(() => heard[slot]++);
  });
}
const answer = await join(base, name, async () => {
  await pc.setLocalDescription(await pc.createOffer());
  return pc.localDescription.sdp;
});
await pc.setRemoteDescription({ type: 'answer', sdp: answer });
console.log('joined');

let sequenceNumber = 1;
setInterval(() => {
  if (listen) {
    return;
  }
  const header = new RtpHeader({ sequenceNumber, timestamp: sequenceNumber * 960, payloadType: 111 });
  microphone.writeRtp(new RtpPacket(header, Buffer.from([0xf8, 0xff, 0xfe]))); // 20 ms of Opus's silence
  sequenceNumber++;
}, 20);
setInterval(() => console.log('heard', ...heard), 200);
