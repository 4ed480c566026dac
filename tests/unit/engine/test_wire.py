"""Objects over a connection whose ends know the same secret."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from deployments.engine.wire import Wire, connected

SECRET = b"s" * 32


@asynccontextmanager
async def listening(secret=SECRET):
    """A listener; the wires that it has made, and its port."""
    wires = []

    def made():
        wires.append(Wire(secret, listens=True))
        return wires[-1]

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    try:
        yield wires, server.sockets[0].getsockname()[1]
    finally:
        for wire in wires:
            wire.close()
        server.close()


async def test_things_go_both_ways_in_their_order():
    async with listening() as (wires, port):
        wire = await connected("127.0.0.1", port, SECRET, 5)
        wire.put({"n": 1})
        wire.put("x" * 1_000_000)
        await wires[0].ready
        assert await wires[0].receive() == {"n": 1}
        assert len(await wires[0].receive()) == 1_000_000
        await wires[0].send([2, 3])
        assert await wire.receive() == [2, 3]
        wire.close()
        with pytest.raises(ConnectionResetError):
            await wires[0].receive()


async def test_who_does_not_know_the_secret_is_told_and_believed_nothing():
    async with listening() as (wires, port):
        with pytest.raises(OSError, match="agreed"):
            await connected("127.0.0.1", port, b"t" * 32, 5)
        with pytest.raises(ConnectionResetError):
            await wires[0].ready
        with pytest.raises(ConnectionResetError):
            await wires[0].receive()


async def test_a_wrong_proof_is_answered_with_nothing():
    async with listening() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readexactly(16)
        writer.write(b"n" * 16 + b"p" * 32)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_an_impostor_that_listens_gets_no_query_and_no_secret():
    heard = bytearray()

    async def impostor(reader, writer):
        writer.write(b"n" * 16)
        heard.extend(await reader.readexactly(48))
        writer.write(b"p" * 32 + b"\0\0\0\1.")
        heard.extend(await reader.read())
        writer.close()

    server = await asyncio.start_server(impostor, "127.0.0.1", 0)
    with pytest.raises(OSError, match="agreed"):
        await connected("127.0.0.1", server.sockets[0].getsockname()[1], SECRET, 5)
    assert len(heard) == 48
    assert SECRET not in heard
    server.close()


async def test_nobody_there_is_said_in_time():
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match=f"nobody answers on port {port}"):
        await connected("127.0.0.1", port, SECRET, 0.05)
    server.close()
    await server.wait_closed()
    with pytest.raises(OSError, match=r"refused|Connect"):
        await connected("127.0.0.1", port, SECRET, 5)


async def test_a_writer_waits_for_a_reader_that_does_not_keep_up():
    async with listening() as (wires, port):
        wire = await connected("127.0.0.1", port, SECRET, 5)
        await wires[0].ready
        piece, sent = "x" * 100_000, 0

        async def write():
            nonlocal sent
            for _ in range(400):
                await wires[0].send(piece)
                sent += 1

        writing = asyncio.ensure_future(write())
        await asyncio.sleep(0.3)
        assert sent < 400
        for _ in range(400):
            assert await wire.receive() == piece
        await writing
        wire.close()
