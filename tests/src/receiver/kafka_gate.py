"""Stands before Kafka's mock brokers, which know neither TLS nor logins: listens at their addresses in this network namespace, speaks TLS, asks for
SASL PLAIN, and passes everything else on to the brokers, which are in another one. SIGUSR1 is the end of the first broker: its connections break, and
new ones do, until SIGUSR2."""
import asyncio
import ctypes
import os
import signal
import socket
import ssl
import struct
import sys

namespace, cert, key, login = sys.argv[1:5]
ports = [int(port) for port in sys.argv[5:]]
CLONE_NEWNET = 0x40000000
API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 18, 17, 36
AUTHENTICATION_FAILED = 58
down, open_now = set(), set()


async def frame_of(reader):
    length = struct.unpack(">i", await reader.readexactly(4))[0]
    return await reader.readexactly(length)


def send(writer, frame):
    writer.write(struct.pack(">i", len(frame)) + frame)


def with_sasl(answer, version):
    """The answer to ApiVersions, in which the mock does not name what it does not know."""
    ours = [(SASL_HANDSHAKE, 1, 1), (SASL_AUTHENTICATE, 1, 1)]
    at = 6
    if version < 3:
        count = struct.unpack(">i", answer[at:at + 4])[0]
        entries = b"".join(struct.pack(">hhh", *entry) for entry in ours)
        return answer[:at] + struct.pack(">i", count + len(ours)) + entries + answer[at + 4:]
    assert answer[at] < 125, "a length of two bytes"
    entries = b"".join(struct.pack(">hhhb", *entry, 0) for entry in ours)
    return answer[:at] + bytes([answer[at] + len(ours)]) + entries + answer[at + 1:]


async def back(reader, writer, versions):
    while True:
        answer = await frame_of(reader)
        version = versions.pop(answer[:4], None)
        send(writer, answer if version is None else with_sasl(answer, version))
        await writer.drain()


async def serve(port, reader, writer):
    if port in down:
        writer.transport.abort()
        return
    upstream, upwards = await asyncio.open_connection("127.0.0.1", port)
    ends = (port, writer, upwards)
    open_now.add(ends)
    versions, may = {}, False
    answers = asyncio.create_task(back(upstream, writer, versions))
    try:
        while True:
            frame = await frame_of(reader)
            api, version, name = struct.unpack(">hh4xh", frame[:10])
            correlation, body = frame[4:8], frame[10 + max(name, 0):]
            if api == SASL_HANDSHAKE:
                send(writer, correlation + struct.pack(">hih", 0, 1, 5) + b"PLAIN")
            elif api == SASL_AUTHENTICATE:
                assert version == 1
                user, word = login.split(":")
                may = body[4:] == f"\0{user}\0{word}".encode()
                code = 0 if may else AUTHENTICATION_FAILED
                send(writer, correlation + struct.pack(">hhiq", code, -1, 0, 0))
            elif api == API_VERSIONS or may:
                if api == API_VERSIONS:
                    versions[correlation] = version
                send(upwards, frame)
            else:
                break
    except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
        pass
    finally:
        answers.cancel()
        open_now.discard(ends)
        writer.transport.abort()
        upwards.transport.abort()


def die():
    down.add(ports[0])
    for port, near, far in list(open_now):
        if port == ports[0]:
            near.transport.abort()
            far.transport.abort()


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    listeners = [(port, socket.create_server(("127.0.0.1", port))) for port in ports]
    if ctypes.CDLL(None).setns(os.open(namespace, os.O_RDONLY), CLONE_NEWNET) != 0:
        raise OSError("cannot enter the brokers' namespace")
    for port, listener in listeners:
        await asyncio.start_server(lambda r, w, port=port: serve(port, r, w), sock=listener, ssl=context)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, die)
    loop.add_signal_handler(signal.SIGUSR2, down.clear)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
