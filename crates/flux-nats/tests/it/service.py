"""Asks a service what the official tools ask, with the types of the official Python client, and prints what it heard."""

import asyncio
import json
import sys

import nats
from nats.micro.service import ServiceInfo, ServicePing, ServiceStats

TYPES = {"PING": ServicePing, "INFO": ServiceInfo, "STATS": ServiceStats}


async def heard(client, subject, count):
    """The first `count` answers, in the client's own types and back."""
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    await client.publish(subject, b"", reply=inbox)
    verb = TYPES[subject.split(".")[1]]
    found = []
    for _ in range(count):
        message = await answers.next_msg(timeout=10)
        raw = json.loads(message.data)
        found.append({"raw": raw, "read": verb.from_dict(raw).to_dict()})
    return found


async def main(url, name):
    client = await nats.connect(url)
    told = {}
    for verb in TYPES:
        for subject in (f"$SRV.{verb}", f"$SRV.{verb}.{name}"):
            told[subject] = await heard(client, subject, 2)
        for instance in (answer["raw"]["id"] for answer in told[f"$SRV.{verb}"]):
            told[f"$SRV.{verb}.id"] = await heard(client, f"$SRV.{verb}.{name}.{instance}", 1)
    print(json.dumps(told))
    await client.close()


asyncio.run(main(*sys.argv[1:]))
