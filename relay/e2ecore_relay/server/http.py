"""Information, health and metrics over HTTP, on a port of their own.

Starlette on Hypercorn. Not on the way of any message, so its cost does not matter.
"""

import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import hypercorn.config
import hypercorn.trio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from e2ecore_protocol.limits import (
    MAX_COMMIT_BYTES,
    MAX_ENVELOPE_BYTES,
    MAX_ENVELOPE_LIFETIME_S,
    MAX_MEMBERS,
)
from e2ecore_protocol.versions import MIN_PROTOCOL_VERSION, PROTOCOL_VERSION
from e2ecore_relay.server.hub import Hub

if TYPE_CHECKING:
    from hypercorn.typing import Framework


def make_app(hub: Hub) -> Starlette:
    """Return the HTTP application of a relay."""

    async def info(_: Request) -> Response:
        return JSONResponse(
            {
                "server_name": hub.config.server_name,
                "protocol": {"min": MIN_PROTOCOL_VERSION, "max": PROTOCOL_VERSION},
                "registration": hub.config.registration,
                "receipt_key": hub.office.keeper.receipt_key.hex(),
                "blob_port": hub.office.keeper.port,
                "limits": {
                    "envelope_bytes": MAX_ENVELOPE_BYTES,
                    "commit_bytes": MAX_COMMIT_BYTES,
                    "envelope_lifetime_s": MAX_ENVELOPE_LIFETIME_S,
                    "members": MAX_MEMBERS,
                    "blob_bytes": hub.config.max_blob_bytes,
                    "blob_ttl_direct_s": hub.config.blob_ttl_direct_s,
                    "blob_ttl_group_s": hub.config.blob_ttl_group_s,
                },
            }
        )

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        if hub.draining:
            return PlainTextResponse("draining\n", status_code=503)
        return PlainTextResponse("ok\n")

    async def metrics(_: Request) -> Response:
        return Response(hub.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Starlette(
        routes=[
            Route("/v1/info", info),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
        ]
    )


async def serve_http(
    hub: Hub, listener: socket.socket, stopped: Callable[[], Awaitable[None]]
) -> None:
    """Serve until ``stopped`` returns. Needs trio.

    Args:
        hub: What to tell about.
        listener: A listening socket; Hypercorn closes it.
        stopped: Waits for the end.
    """
    config = hypercorn.config.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.accesslog = None
    config.errorlog = None
    config.alpn_protocols = ["http/1.1"]
    config.graceful_timeout = 1
    app = cast("Framework", make_app(hub))
    await hypercorn.trio.serve(app, config, shutdown_trigger=stopped, mode="asgi")
