"""A client of PROTOCOL.md made of GStreamer's webrtcbin: joins, says a tone, and prints how much comes on each slot.

Usage: gstreamer_client.py BASE-URL NAME [listen]
"""

import asyncio
import json
import sys
import urllib.request

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402

import websockets  # noqa: E402

CAPS = "application/x-rtp,media=audio,encoding-name=OPUS,clock-rate=48000,encoding-params=(string)2,payload=111"


kept = []


def ask(element, signal, *args):
    """Emits an action signal that answers by a promise, and waits for it."""
    promise = Gst.Promise.new()
    element.emit(signal, *args, promise)
    promise.wait()
    reply = promise.get_reply()
    kept.append((promise, reply))  # what is in them is freed with them
    return reply


async def main(base, name, listen=None):
    request = urllib.request.Request(base + "/api/guest", json.dumps({"name": name}).encode(), {"Content-Type": "application/json"})
    guest = json.load(urllib.request.urlopen(request))
    async with websockets.connect("ws" + base[len("http"):] + "/ws") as ws:
        await ws.recv()  # HELLO
        await ws.send(json.dumps({"op": 3, "d": {"token": guest["token"], "v": 1}}))
        print("ready", json.loads(await ws.recv())["d"]["user_id"], flush=True)

        Gst.init(None)
        pipeline = Gst.parse_launch(
            "webrtcbin name=rtc bundle-policy=max-bundle latency=0 "
            f"audiotestsrc is-live=true ! audioconvert ! opusenc ! rtpopuspay pt=111 ! {CAPS} ! {'fakesink' if listen else 'rtc.'}"
        )
        rtc = pipeline.get_by_name("rtc")
        if not listen:
            rtc.emit("get-transceiver", 0).set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        heard = []

        def incoming(_, pad):
            slot = len(heard)
            heard.append(0)

            def one(*_):
                heard[slot] += 1
                return Gst.PadProbeReturn.OK

            pad.add_probe(Gst.PadProbeType.BUFFER, one)
            sink = Gst.ElementFactory.make("fakesink")
            sink.set_property("async", False)
            pipeline.add(sink)
            sink.sync_state_with_parent()
            pad.link(sink.get_static_pad("sink"))

        rtc.connect("pad-added", lambda element, pad: incoming(element, pad) if pad.direction == Gst.PadDirection.SRC else None)
        caps = Gst.Caps.from_string(CAPS)
        for _ in range(2):
            rtc.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, caps)
        pipeline.set_state(Gst.State.PLAYING)
        await asyncio.sleep(0.5)  # until there are caps to offer
        offer = ask(rtc, "create-offer", None).get_value("offer")
        ask(rtc, "set-local-description", offer)
        await ws.send(json.dumps({"op": 11, "id": "j", "d": {"channel_id": "lobby", "sdp_offer": offer.sdp.as_text()}}))
        while (frame := json.loads(await ws.recv())).get("id") != "j":
            pass
        if frame["op"] != 200:
            sys.exit("refused: " + frame["d"]["reason"] + "\n" + offer.sdp.as_text())
        _, sdp = GstSdp.SDPMessage.new_from_text(frame["d"]["data"]["sdp_answer"])
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        ask(rtc, "set-remote-description", answer)
        print("joined", flush=True)
        while True:
            await asyncio.sleep(0.2)
            print("heard", *(heard + [0, 0])[:2], flush=True)


asyncio.run(main(*sys.argv[1:4]))
