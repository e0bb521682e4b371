"""The other end of a test, spoken by the official Python client: one command each, JSON lines as output."""

import asyncio
import json
import sys

import nats
import nats.micro
from nats.js.api import ConsumerConfig, StreamConfig


def say(value):
    print(json.dumps(value), flush=True)


def told(message):
    say({"subject": message.subject, "data": message.data.decode(), "headers": message.headers or {}})


async def heard(client):
    """Returns when the server has read all of it. One `flush` writes its PING ahead of commands that wait; the next one's comes after them."""
    await client.flush()
    await client.flush()


async def publish(client, subject, data, headers):
    say("ready")
    await client.publish(subject, data.encode(), headers=json.loads(headers))
    await heard(client)


async def subscribe(client, subject, count):
    subscription = await client.subscribe(subject)
    await heard(client)
    say("ready")
    for _ in range(int(count)):
        told(await subscription.next_msg(timeout=20))


async def request(client, subject, data):
    say("ready")
    told(await client.request(subject, data.encode(), timeout=20))


async def respond(client, subject):
    async def echo(message):
        told(message)
        await client.publish(message.reply, message.data, headers={"Content-Type": "application/json"})

    await client.subscribe(subject, cb=echo)
    await heard(client)
    say("ready")
    await asyncio.Event().wait()


async def service(client, subject, code, description):
    async def refuse(asked):
        await asked.respond_error(code, description)

    running = await nats.micro.add_service(client, name="python", version="1.0.0")
    await running.add_endpoint(name="refuse", subject=subject, handler=refuse)
    await heard(client)
    say("ready")
    await asyncio.Event().wait()


async def store(client, stream, subject, data, headers):
    say("ready")
    receipt = await client.jetstream().publish(subject, data.encode(), stream=stream, headers=json.loads(headers))
    say({"stream": receipt.stream, "sequence": receipt.seq, "duplicate": bool(receipt.duplicate)})


async def declare(client, stream, subject):
    await client.jetstream().add_stream(StreamConfig(name=stream, subjects=[subject]))
    say("ready")


async def fetch(client, stream, durable, count):
    subscription = await client.jetstream().pull_subscribe("", durable, stream, config=ConsumerConfig(ack_wait=20))
    say("ready")
    for _ in range(int(count)):
        for message in await subscription.fetch(1, timeout=20):
            told(message)
            await message.ack_sync()


async def consumer(client, stream, durable):
    say("ready")
    info = await client.jetstream().consumer_info(stream, durable)
    say({"pending": info.num_pending, "unsettled": info.num_ack_pending, "redelivered": info.num_redelivered})


async def main(command, url, *args):
    client = await nats.connect(url)
    await globals()[command](client, *args)
    await client.drain()


asyncio.run(main(*sys.argv[1:]))
