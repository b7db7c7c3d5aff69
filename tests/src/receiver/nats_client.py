"""Makes a stream on a NATS server, or prints what one has: id, a tab, the message."""
import asyncio
import ssl
import sys

import nats
from nats.js.api import DeliverPolicy, StreamConfig


async def main(what, url, stream, *more):
    client = await nats.connect(url, connect_timeout=5, **options(more))
    js = client.jetstream()
    if what == "make":
        await js.add_stream(StreamConfig(name=stream, subjects=[more[0]], duplicate_window=120))
    elif what == "count":
        print((await js.stream_info(stream)).state.messages)
    else:
        left = (await js.stream_info(stream)).state.messages
        reader = await js.pull_subscribe(">", stream=stream, durable=None)
        out = sys.stdout.buffer
        while left > 0:
            for message in await reader.fetch(min(left, 500), timeout=10):
                name = (message.headers or {}).get("Nats-Msg-Id", "")
                out.write(name.encode() + b"\t" + message.data + b"\n")
                await message.ack()
                left -= 1
        out.flush()
    await client.close()


def options(more):
    """A client certificate: the files of the authority's, its own and of the key. Or a file with credentials."""
    if len(more) == 2 and more[1]:
        return {"user_credentials": more[1]}
    if len(more) < 4:
        return {}
    context = ssl.create_default_context(cafile=more[1])
    context.load_cert_chain(more[2], more[3])
    return {"tls": context}


asyncio.run(main(*sys.argv[1:]))
