"""Everything that leaves the machine goes through the guarded client: only these files open connections."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
CLIENTS = {
    *("socket", "socketserver", "http.client", "urllib.request", "urllib3", "requests", "httpx", "httpx2"),
    *(
        "httpcore",
        "httpcore2",
        "aiohttp",
        "websockets",
        "websocket",
        "pycurl",
        "smtplib",
        "imaplib",
        "poplib",
    ),
    "huggingface_hub",
    *("ftplib", "telnetlib", "nntplib", "xmlrpc.client", "multiprocessing.connection"),
}
OPENERS = {"open_connection", "create_connection", "sock_connect", "create_datagram_endpoint"}
REASONS = {
    "inference/base/outbound/connection.py": "the guarded client itself",
    "inference/base/outbound/client.py": "speaks HTTP on the guarded client's own connections",
    "inference/base/outbound/answer.py": "speaks HTTP on the guarded client's own connections",
    "inference/base/outbound/guard.py": "looks names up",
    "inference/outbound/asyncio_wire.py": "connects to the addresses that the guard checked",
    "inference/outbound/httpx_transport.py": "connects to the addresses that the guard checked",
    "inference/outbound/httpx_exchange.py": "opens nothing: names the types of the library",
    "inference/outbound/requests_adapter.py": "sends through the guarded client",
    "inference/engines/openai.py": "passes the guarded transport on",
    "inference/hub/client.py": "passes the guarded transport to the hub's library",
    "inference/hub/transfer.py": "opens nothing: names the types of the library",
    "inference/servers/admission.py": "opens nothing: passes on the transport that it is given",
    "inference/servers/client.py": "speaks HTTP over the guarded transport that it is given",
    "inference/servers/pool.py": "opens nothing: names the type of the transport",
    "inference/worker/runtime.py": "opens nothing: asks for the name of this machine",
    "inference/xai_import/reader.py": "a pair of sockets between parent and child",
    "inference/xai_import/child.py": "a pair of sockets between parent and child",
    "grokweb/startup.py": "binds a port to see whether it is free",
    "grokweb/redis_server.py": "the embedded Redis on this machine",
    "grokweb/readiness.py": "asks the service's own web process on this machine",
    "grokweb/doctor/mail.py": "the operator's mail server, which the guarded client is not for",
    "grokweb/first_setup/mail.py": "names errors of smtplib; mails go through Django, as all others do",
}  # fmt: skip


def opens_connections(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute) and node.attr in OPENERS:
            return True
        if any(name == client or name.startswith(f"{client}.") for name in names for client in CLIENTS):
            return True
    return False


def test_only_the_files_with_a_reason_can_open_a_connection() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for package in ("grokweb", "chat", "inference")
        for path in (ROOT / package).rglob("*.py")
        if opens_connections(path)
    }
    assert found == set(REASONS)
