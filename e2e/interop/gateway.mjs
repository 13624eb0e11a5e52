// What the clients of Node share: the signalling of PROTOCOL.md, as little of it as a call needs.

import WebSocket from 'ws';

/** Comes in as a guest, offers, and returns the answer. Prints what the test waits for. */
export async function join(base, name, offer) {
  const reply = await fetch(`${base}/api/guest`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ name }),
  });
  const guest = await reply.json();
  const ws = new WebSocket(`${base.replace('http', 'ws')}/ws`);
  const frames = [];
  let wake = () => {};
  ws.on('message', (data) => {
    frames.push(JSON.parse(data));
    wake();
  });
  const next = async () => {
    while (frames.length === 0) {
      await new Promise((resolve) => (wake = resolve));
    }
    return frames.shift();
  };
  await next(); // HELLO
  ws.send(JSON.stringify({ op: 3, d: { token: guest.token, v: 1 } }));
  console.log('ready', (await next()).d.user_id);
  ws.send(JSON.stringify({ op: 11, id: 'j', d: { channel_id: 'lobby', sdp_offer: await offer() } }));
  for (;;) {
    const frame = await next();
    if (frame.id !== 'j') {
      continue;
    }
    if (frame.op !== 200) {
      throw new Error(`refused: ${frame.d.reason}`);
    }
    return frame.d.data.sdp_answer;
  }
}
