"""A client of PROTOCOL.md made of aiortc: joins the channel "lobby", says a tone, and prints what it hears.

Usage: aiortc_client.py BASE-URL NAME [listen]
"""

import array
import asyncio
import fractions
import json
import math
import sys
import urllib.request

import av
import websockets
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription

RATE, FRAME = 48000, 960  # 20 ms


class Tone(MediaStreamTrack):
    """440 Hz."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.sent, self.start = 0, None

    async def recv(self):
        now = asyncio.get_running_loop().time()
        self.start = self.start or now
        await asyncio.sleep(max(0, self.start + self.sent / RATE - now))
        samples = array.array("h", (int(8000 * math.sin(2 * math.pi * 440 * (self.sent + i) / RATE)) for i in range(FRAME)))
        frame = av.AudioFrame(format="s16", layout="mono", samples=FRAME)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, self.sent, fractions.Fraction(1, RATE)
        self.sent += FRAME
        return frame


async def count(heard, slot, track):
    while True:
        await track.recv()
        heard[slot] += 1


async def main(base, name, listen=None):
    request = urllib.request.Request(base + "/api/guest", json.dumps({"name": name}).encode(), {"Content-Type": "application/json"})
    guest = json.load(urllib.request.urlopen(request))
    async with websockets.connect("ws" + base[len("http"):] + "/ws") as ws:
        await ws.recv()  # HELLO
        await ws.send(json.dumps({"op": 3, "d": {"token": guest["token"], "v": 1}}))
        print("ready", json.loads(await ws.recv())["d"]["user_id"], flush=True)

        pc = RTCPeerConnection()
        heard, tasks = [0, 0], []
        if not listen:
            pc.addTransceiver(Tone(), direction="sendonly")
        for _ in heard:
            pc.addTransceiver("audio", direction="recvonly")
        pc.on("track", lambda track: tasks.append(asyncio.ensure_future(count(heard, len(tasks), track))))
        await pc.setLocalDescription(await pc.createOffer())
        await ws.send(json.dumps({"op": 11, "id": "j", "d": {"channel_id": "lobby", "sdp_offer": pc.localDescription.sdp}}))
        while (frame := json.loads(await ws.recv())).get("id") != "j":
            pass
        if frame["op"] != 200:
            sys.exit("refused: " + frame["d"]["reason"])
        await pc.setRemoteDescription(RTCSessionDescription(frame["d"]["data"]["sdp_answer"], "answer"))
        print("joined", flush=True)
        while True:
            await asyncio.sleep(0.2)
            print("heard", *heard, flush=True)


asyncio.run(main(*sys.argv[1:4]))
