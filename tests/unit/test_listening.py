"""Answers leave as soon as they are written."""

from __future__ import annotations

import socket

from pages import listening


def sends_at_once(connection: socket.socket) -> bool:
    return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def test_connections_of_a_listening_socket_made_without_a_protocol_send_at_once() -> None:
    with socket.socket(socket.AF_INET) as server:  # as Streamlit makes it
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert not sends_at_once(server)
        assert listening.send_at_once(port) == 1
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            with accepted:
                assert sends_at_once(accepted)


def test_a_port_that_nobody_here_listens_on_is_left_alone() -> None:
    with socket.socket(socket.AF_INET) as unused:
        unused.bind(("127.0.0.1", 0))
        assert listening.send_at_once(unused.getsockname()[1]) == 0
