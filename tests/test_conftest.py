"""Tests have no network, and can still talk to themselves."""

import socket
import urllib.request

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_a_connection_to_elsewhere_is_refused_at_once(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as opened, pytest.raises(PermissionError, match="no network"):
        opened.connect((host, 80))


def test_libraries_are_refused_too(monkeypatch):
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))],
    )
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(OSError, match="no network"):
        urllib.request.urlopen("http://example.org/", timeout=5)


def test_loopback_is_open():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
        assert server.accept()
