"""The socket that the server listens on."""

from __future__ import annotations

import os
import socket

import psutil


def send_at_once(port: int) -> int:
    """Let answers on `port` leave as soon as they are written; the number of listening sockets that were told.

    Streamlit 1.67 makes its socket without naming TCP, so asyncio does not switch Nagle's algorithm off: the body
    of each answer then waits until the browser has acknowledged its head, which takes it 40 ms. Connections
    inherit the option from the socket that they were accepted on.
    """
    here = psutil.Process().net_connections("tcp")
    found = [c for c in here if c.status == psutil.CONN_LISTEN and c.laddr.port == port and c.fd >= 0]
    for connection in found:
        with socket.socket(fileno=os.dup(connection.fd)) as listening:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return len(found)
