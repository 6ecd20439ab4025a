"""A client with pymediasoup, mediasoup-client in Python.

Joins a room of the native dialect, publishes a picture and a tone, and consumes everything of the
others. Succeeds when it has decoded moving pictures and audible sound of two producers of each kind:
those of the other client, and the other client's echo of what this one publishes.

usage: python pymediasoup_client.py URL ROOM
"""

import asyncio
import json
import sys

import websockets
from aiortc.contrib.media import MediaPlayer
from pymediasoup import AiortcHandler, Device
from pymediasoup.rtp_parameters import RtpCapabilities

# Time in which everything has to arrive.
DEADLINE_S = 90
# Decoded frames of each video producer; pictures that differ from their predecessors.
FRAMES = 30
# Decoded audio frames of each audio producer that are not silent.
SOUNDS = 100
# Producers of each kind to wait for.
PRODUCERS = 2


class Signalling:
    """Sends requests of the native dialect and matches replies by id."""

    def __init__(self, socket, on_notice):
        self.socket = socket
        self.on_notice = on_notice
        self.pending = {}
        self.last_id = 0

    async def receive(self):
        async for data in self.socket:
            frame = json.loads(data)
            if "id" not in frame:
                self.on_notice(frame["type"], frame["payload"])
                continue
            reply = self.pending.pop(frame["id"])
            if frame["type"] == "error":
                reply.set_exception(RuntimeError(frame["payload"]["message"]))
            else:
                reply.set_result(frame["payload"])

    async def request(self, kind, payload):
        self.last_id += 1
        request_id = str(self.last_id)
        reply = asyncio.get_running_loop().create_future()
        self.pending[request_id] = reply
        await self.socket.send(json.dumps({"type": kind, "payload": payload, "id": request_id}))
        return await reply


def plain(value):
    """Returns a model of pymediasoup as JSON values."""
    return json.loads(value.model_dump_json(exclude_none=True))


class Client:
    """The client and its counts of what arrived."""

    def __init__(self, socket):
        self.announced = asyncio.Queue()
        self.signalling = Signalling(socket, self.notice)
        self.arrived = {"video": {}, "audio": {}}

    def notice(self, kind, payload):
        if kind == "newProducer":
            self.announced.put_nowait((payload["producerId"], payload["kind"]))

    async def create_transport(self, device, direction):
        created = await self.signalling.request("createTransport", {"direction": direction})
        create = device.createSendTransport if direction == "send" else device.createRecvTransport
        transport = create(
            id=created["transportId"],
            iceParameters=created["iceParameters"],
            iceCandidates=created["iceCandidates"],
            dtlsParameters=created["dtlsParameters"],
            sctpParameters=None,
        )

        @transport.on("connect")
        async def on_connect(dtls):
            payload = {"transportId": transport.id, "dtlsParameters": plain(dtls)}
            await self.signalling.request("connectTransport", payload)

        @transport.on("produce")
        async def on_produce(kind, rtpParameters, appData):
            payload = {"transportId": transport.id, "kind": kind, "rtpParameters": plain(rtpParameters)}
            return (await self.signalling.request("produce", payload))["producerId"]

        return transport

    async def consume(self, transport, device, producer, kind):
        payload = {"producerId": producer, "rtpCapabilities": plain(device.rtpCapabilities)}
        consumed = await self.signalling.request("consume", payload)
        consumer = await transport.consume(
            id=consumed["consumerId"],
            producerId=producer,
            kind=kind,
            rtpParameters=consumed["rtpParameters"],
        )
        await self.signalling.request("resumeConsumer", {"consumerId": consumed["consumerId"]})
        asyncio.create_task(self.count(consumer.track, producer, kind))

    async def count(self, track, producer, kind):
        """Counts pictures that changed, or frames with sound."""
        counts = self.arrived[kind]
        counts[producer] = 0
        previous = b""
        while True:
            frame = await track.recv()
            plane = bytes(frame.planes[0])
            counts[producer] += plane != previous if kind == "video" else any(plane)
            previous = plane

    def is_complete(self):
        needed = {"video": FRAMES, "audio": SOUNDS}
        return all(
            sum(count >= needed[kind] for count in counts.values()) >= PRODUCERS
            for kind, counts in self.arrived.items()
        )

    async def run(self, room):
        receiving = asyncio.create_task(self.signalling.receive())
        camera = MediaPlayer("testsrc2=size=320x240:rate=15", format="lavfi")
        microphone = MediaPlayer("sine=frequency=880:sample_rate=48000", format="lavfi")
        tracks = [camera.video, microphone.audio]
        device = Device(handlerFactory=AiortcHandler.createFactory(tracks=tracks))
        capabilities = await self.signalling.request("getRouterRtpCapabilities", {})
        await device.load(RtpCapabilities(**capabilities["rtpCapabilities"]))
        joined = await self.signalling.request("joinRoom", {"roomId": room, "displayName": "python"})
        for peer in joined["existingProducers"]:
            for producer in peer["producers"]:
                self.announced.put_nowait((producer["producerId"], producer["kind"]))
        send = await self.create_transport(device, "send")
        for track in tracks:
            await send.produce(track=track, stopTracks=False, appData={})
        recv = await self.create_transport(device, "recv")
        while not self.is_complete():
            try:
                producer, kind = await asyncio.wait_for(self.announced.get(), 0.2)
            except asyncio.TimeoutError:
                if receiving.done():
                    receiving.result()
                    raise RuntimeError("the server closed the connection")
                continue
            await self.consume(recv, device, producer, kind)
        receiving.cancel()


async def main():
    url, room = sys.argv[1:]
    async with websockets.connect(url) as socket:
        client = Client(socket)
        try:
            await asyncio.wait_for(client.run(room), DEADLINE_S)
        finally:
            print("pymediasoup decoded:", client.arrived)


asyncio.run(main())
