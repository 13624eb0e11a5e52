// A client of PROTOCOL.md in a browser, driven by WebDriver BiDi or CDP: none of our page's code, only its origin.
//
// Usage: browser_client.mjs chrome|firefox EXECUTABLE BASE-URL NAME [listen]

import puppeteer from 'puppeteer-core';

const [browserName, executablePath, base, name, listen] = process.argv.slice(2);
const browser = await puppeteer.launch({
  browser: browserName,
  executablePath,
  headless: true,
  args:
    browserName === 'chrome'
      ? ['--no-sandbox', '--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream', '--disable-background-networking',
         '--disable-component-update', '--disable-sync', '--no-first-run']
      : [],
  extraPrefsFirefox: {
    'media.navigator.streams.fake': true,
    'media.navigator.permission.disabled': true,
    'media.peerconnection.ice.loopback': true,
  },
});
process.on('SIGTERM', () => browser.close().finally(() => process.exit()));
const page = await browser.newPage();
// Nothing of the page runs here, but what it may do by the server's Content-Security-Policy may be done.
await page.goto(`${base}/css/base.css`);
const userID = await page.evaluate(join, name, !listen);
console.log('ready', userID);
console.log('joined');
setInterval(async () => console.log('heard', ...(await page.evaluate(count))), 300);

/** Runs in the page. */
async function join(as, talks) {
  const reply = await fetch('/api/guest', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: as }),
  });
  const guest = await reply.json();
  const ws = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`);
  const frames = [];
  let wake = () => {};
  ws.onmessage = (event) => {
    frames.push(JSON.parse(event.data));
    wake();
  };
  const next = async () => {
    while (frames.length === 0) {
      await new Promise((resolve) => (wake = resolve));
    }
    return frames.shift();
  };
  await next(); // HELLO
  ws.send(JSON.stringify({ op: 3, d: { token: guest.token, v: 1 } }));
  await next();

  const pc = new RTCPeerConnection();
  if (talks) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    pc.addTransceiver(stream.getAudioTracks()[0], { direction: 'sendonly' });
  }
  window.slots = [0, 1].map(() => pc.addTransceiver('audio', { direction: 'recvonly' }));
  const offer = await pc.createOffer();
  await pc.setLocalDescription(offer);
  ws.send(JSON.stringify({ op: 11, id: 'j', d: { channel_id: 'lobby', sdp_offer: offer.sdp } }));
  let frame = await next();
  while (frame.id !== 'j') {
    frame = await next();
  }
  if (frame.op !== 200) {
    throw new Error(`refused: ${frame.d.reason}`);
  }
  await pc.setRemoteDescription({ type: 'answer', sdp: frame.d.data.sdp_answer });
  return guest.user_id;
}

/** Runs in the page: how many packets have come on each slot. */
async function count() {
  const counts = [];
  for (const slot of window.slots) {
    let packets = 0;
    (await slot.receiver.getStats()).forEach((stat) => {
      if (stat.type === 'inbound-rtp') {
        packets = stat.packetsReceived;
      }
    });
    counts.push(packets);
  }
  return counts;
}
