#!/usr/bin/env python3
"""Lets `stress` test Turso: every database is a Turso database file that syncs with one Turso server.

A driver reads one JSON request per line from stdin and writes one JSON answer per line to stdout. This one is meant to be
read as an example: `Device` is what every driver needs, the ops at its end are what Turso needs.

Needs `pyturso` (https://pypi.org/project/pyturso/); `stress driver install turso` installs it and the server.
"""

from __future__ import annotations

import base64
import http.client
import importlib.metadata
import json
import math
import os
import queue
import re
import socket
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Iterator

# This file is named like the package that it needs, and Python looks beside the script first.
sys.path[:] = [path for path in sys.path if os.path.abspath(path) != os.path.dirname(os.path.abspath(__file__))]
try:
    import turso.sync
except ImportError as missing:
    turso, why_missing = None, str(missing)

EXACT = 2**53 - 1  # the largest integer that every JSON reader keeps

# What Turso says of itself. A send puts what was changed to the server: a new row with all its columns, of an update the changed
# columns, and the server's row takes them in the order in which they come. All of it is one transaction.
PROMISES = ["convergence", "column-merge", "last-push-wins", "read-your-writes", "monotonic-reads", "atomic-transactions"]
DOES = ["server_query", "interrupt", "bootstrap", "unsent"]

SETTINGS = {
    "remote_url",  # of the server, such as http://127.0.0.1:8080; needed
    "auth_token",  # for a server that wants one
    "timeout",  # seconds that the server may be silent, 60 if it is not given
    "connect",  # further arguments of turso.sync.connect, such as {push_operations_threshold: 1000}
}


class Refused(Exception):
    """A request that does not get as far as Turso."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


# --- Values and errors, in the words of the protocol


def decode(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "i" in value:
        return int(value["i"])
    if "r" in value:
        return float(value["r"])
    return base64.b64decode(value["b"])


def encode(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    if isinstance(value, int) and abs(value) > EXACT:
        return {"i": str(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"r": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    return value  # Python writes a real with a point or an exponent, so it stays a real


CODES = {"Busy": "SQLITE_BUSY", "Constraint": "SQLITE_CONSTRAINT", "Corrupt": "SQLITE_CORRUPT", "DatabaseFull": "SQLITE_FULL",
         "Interrupt": "interrupted", "Misuse": "SQLITE_MISUSE", "NotAdb": "SQLITE_NOTADB", "Readonly": "SQLITE_READONLY"}


def describe(error: BaseException) -> dict[str, Any]:
    """What is known of an error. pyturso puts most of it into the text, so that is where it is read."""
    message = str(error) or type(error).__name__
    if isinstance(error, Refused):
        return {"message": message, "code": error.code, "http": None, "where": "client", "retry": False}
    # pyturso replaces the engine's exception, whose class is the code, by one of the DB-API; the first one is its context.
    code = CODES.get(type(error.__context__).__name__)
    status = re.search(r"\bstatus=(\d{3})\b", message)
    server = re.search(r'failed to execute sql: .*\bcode: "(\w+)"', message, re.DOTALL)
    busy = re.search(r"database is (busy|locked)", message, re.IGNORECASE)
    corrupt = "Corrupt database" in message
    if status:
        where, code, http_status = "server", None, int(status[1])
    elif server:
        where, code, http_status = "server", server[1], None
    elif re.search(r"\b(network|http) error: |unexpected end of protobuf", message) or isinstance(error, (OSError, http.client.HTTPException)):
        where, code, http_status = "network", None, None
    else:
        where, code, http_status = "client", code or ("SQLITE_BUSY" if busy else "SQLITE_CORRUPT" if corrupt else None), None
    known = where == "client" and code is not None
    retry = True if busy or where == "network" or http_status in (429, 503) else False if known else None
    return {"message": message, "code": code, "http": http_status, "where": where, "retry": retry}


# --- The network: pyturso calls urllib, so this is where a call that takes too long can be cut


class Reachable:
    """Tells the thread that calls which socket it waits for."""

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        caller = threading.current_thread()
        if isinstance(caller, Device):
            caller.waits_for(self.sock)  # type: ignore[attr-defined]


class Http(Reachable, http.client.HTTPConnection):
    pass


class Https(Reachable, http.client.HTTPSConnection):
    pass


class HttpHandler(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(Http, request)


class HttpsHandler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(Https, request)


def prepare_network(settings: dict[str, Any]) -> None:
    socket.setdefaulttimeout(float(settings.get("timeout", 60)))  # without it, pyturso waits for ever
    handlers: list[Any] = [HttpHandler, HttpsHandler]
    if urllib.parse.urlsplit(settings["remote_url"]).hostname in ("127.0.0.1", "::1", "localhost"):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy of the environment does not reach this machine's ports
    urllib.request.install_opener(urllib.request.build_opener(*handlers))


def ask_server(settings: dict[str, Any], sql: str, params: list[Any]) -> dict[str, Any]:
    """Puts SQL to the server itself, as pyturso does when it sends."""

    def argument(value: Any) -> dict[str, Any]:
        if value is None:
            return {"type": "null"}
        if isinstance(value, bytes):
            return {"type": "blob", "base64": base64.b64encode(value).decode()}
        if isinstance(value, int):
            return {"type": "integer", "value": str(value)}
        return {"type": "float" if isinstance(value, float) else "text", "value": value}

    def value(cell: dict[str, Any]) -> Any:
        if cell["type"] == "blob":
            return base64.b64decode(cell["base64"] + "==")  # it comes without padding
        if cell["type"] == "integer":
            return int(cell["value"])
        return cell.get("value")

    body = {"requests": [{"type": "execute", "stmt": {"sql": sql, "args": [argument(p) for p in params], "want_rows": True}}]}
    headers = {"Content-Type": "application/json"}
    if settings.get("auth_token"):
        headers["Authorization"] = f"Bearer {settings['auth_token']}"
    url = settings["remote_url"].rstrip("/") + "/v2/pipeline"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
            result = json.load(answer)["results"][0]
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"status={error.code}, body={error.read(2000).decode(errors='replace')}") from None
    if result["type"] == "error":
        error = result["error"]
        raise RuntimeError(f'failed to execute sql: {error["message"]}, code: "{error.get("code")}"')
    result = result["response"]["result"]
    return {"columns": [c["name"] for c in result["cols"]], "rows": [[encode(value(c)) for c in row] for row in result["rows"]]}


# --- A database and its thread


class Device(threading.Thread):
    """One database: does its requests one after the other, in a thread of its own, since a connection belongs to one thread."""

    opening = threading.Lock()

    def __init__(self, driver: Driver, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.driver = driver
        self.requests: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.connection: Any = None
        self.guard = threading.Lock()  # over the three below: the main thread interrupts what this thread does
        self.doing: dict[str, Any] | None = None
        self.interrupted = False
        self.socket: socket.socket | None = None
        self.start()

    def run(self) -> None:
        while (request := self.requests.get()) is not None:
            with self.guard:
                self.doing, self.interrupted = request, False
            try:
                answer = getattr(self, "op_" + request["op"])(request) or {}
            except Exception as error:
                answer = {"error": describe(error)}
                if hasattr(error, "changed"):
                    answer["changed"] = error.changed
            with self.guard:
                if self.interrupted and "error" in answer:
                    answer["error"].update(code="interrupted", where="client", retry=None)
                self.doing = self.socket = None
            self.driver.answer(request, answer)
        self.op_close({})

    def interrupt(self, of: int | None = None) -> None:
        """Ends the request with this id, or any, if this thread is at it."""
        threading.Thread(target=self._interrupt, args=(of,), daemon=True).start()

    def _interrupt(self, of: int | None) -> None:
        # Again and again, since Turso and the network only end what has already begun.
        while True:
            with self.guard:
                if self.doing is None or of not in (None, self.doing["id"]):
                    return
                of, self.interrupted = self.doing["id"], True
                if self.connection is not None:
                    self.connection.interrupt()
                if self.socket is not None:
                    cut(self.socket)
            time.sleep(0.02)

    def waits_for(self, connected: socket.socket) -> None:
        with self.guard:
            self.socket = connected
            if self.interrupted:
                cut(connected)

    def connected(self) -> Any:
        if self.connection is None:
            raise Refused("the database is not open", "not_open")
        return self.connection

    # --- What is Turso's own

    def op_open(self, request: dict[str, Any]) -> None:
        settings = self.driver.settings
        # One after the other: a new file receives what the server holds, so the first one makes the tables for all.
        with Device.opening:
            connection = turso.sync.connect(
                request["file"],
                remote_url=settings["remote_url"],
                auth_token=settings.get("auth_token"),
                isolation_level=None,  # no BEGIN that nobody asked for
                **settings.get("connect", {}),
            )
            made = 0
            for table in request.get("tables") or []:
                try:
                    connection.execute(table)
                    made += 1
                except turso.sync.DatabaseError as error:
                    if "already exists" not in str(error):
                        raise
            if made:
                connection.push()
            self.connection = connection

    def op_close(self, _request: dict[str, Any]) -> None:
        with self.guard:
            connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def op_begin(self, _request: dict[str, Any]) -> None:
        self.connected().execute("BEGIN")

    def op_commit(self, _request: dict[str, Any]) -> None:
        self.connected().execute("COMMIT")

    def op_rollback(self, _request: dict[str, Any]) -> None:
        if self.connected().in_transaction:
            self.connection.execute("ROLLBACK")

    def op_exec(self, request: dict[str, Any]) -> dict[str, Any]:
        sql, changed = request["sql"], 0
        cursor = self.connected().cursor()
        try:
            if re.match(r"\s*(insert|replace|update|delete)\b", sql, re.IGNORECASE):
                try:
                    cursor.executemany(sql, self.bindings(request))  # prepares once; takes these four only
                finally:
                    changed = max(cursor.rowcount, 0)
            else:
                for binding in self.bindings(request):
                    cursor.execute(sql, binding)
                    changed += len(cursor.fetchall()) if cursor.description else max(cursor.rowcount, 0)
        except Exception as error:
            if not self.connection.in_transaction:
                error.changed = changed  # type: ignore[attr-defined]
            raise
        return {"changed": changed}

    def bindings(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        names = [name[1:] for name in request.get("names") or []]  # pyturso takes them without their `:`
        for row in request["rows"]:
            if self.interrupted:
                raise Refused("interrupted", "interrupted")
            yield dict(zip(names, map(decode, row)))

    def op_query(self, request: dict[str, Any]) -> dict[str, Any]:
        cursor = self.connected().execute(request["sql"], [decode(value) for value in request.get("params") or []])
        rows = [[encode(value) for value in row] for row in cursor.fetchall()]
        return {"columns": [column[0] for column in cursor.description or []], "rows": rows}

    def op_send(self, _request: dict[str, Any]) -> dict[str, Any]:
        before = self.connected().stats().network_sent_bytes
        self.connection.push()
        return {"bytes": self.connection.stats().network_sent_bytes - before}

    def op_receive(self, _request: dict[str, Any]) -> dict[str, Any]:
        # Turso receives pages, all that there are, and does not tell how many rows they hold.
        before = self.connected().stats().network_received_bytes
        self.connection.pull()
        return {"bytes": self.connection.stats().network_received_bytes - before, "complete": True}

    def op_sync(self, request: dict[str, Any]) -> dict[str, Any]:
        sent = self.op_send(request)["bytes"]
        received = self.op_receive(request)
        return {**received, "bytes": sent + received["bytes"]}

    def op_unsent(self, _request: dict[str, Any]) -> dict[str, Any]:
        return {"unsent": self.connected().stats().cdc_operations > 0}  # the changes since the last push that was answered

    def op_server_query(self, request: dict[str, Any]) -> dict[str, Any]:
        params = [decode(value) for value in request.get("params") or []]
        return ask_server(self.driver.settings, request["sql"], params)


def cut(connected: socket.socket) -> None:
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is closed already


# --- The driver: reads requests, gives them to the devices


class Driver:
    def __init__(self) -> None:
        self.out = sys.stdout.buffer
        sys.stdout = sys.stderr  # what a library prints must not end up between the answers
        self.writing = threading.Lock()
        self.settings: dict[str, Any] = {}
        self.devices: dict[Any, Device] = {}

    def run(self) -> None:
        for line in sys.stdin.buffer:
            request = json.loads(line)
            op = request.get("op")
            try:
                if op == "hello":
                    self.answer(request, self.hello(request))
                elif op == "interrupt":
                    for device in self.devices.values():
                        device.interrupt(request["of"])
                    self.answer(request, {})
                elif not hasattr(Device, f"op_{op}"):
                    raise Refused(f"unknown op: {op}", "unknown_op")
                elif not self.settings:
                    raise Refused("`hello` comes first", "no_hello")
                else:
                    self.device(request.get("db", "server")).requests.put(request)
            except Exception as error:
                self.answer(request, {"error": describe(error)})
        self.end()

    def hello(self, request: dict[str, Any]) -> dict[str, Any]:
        if turso is None:
            raise Refused(f"pyturso is not installed ({why_missing}): run `stress driver install turso`", "not_installed")
        if request.get("version") != 1:
            raise Refused(f"this driver speaks version 1 of the protocol, not {request.get('version')}", "version")
        settings = request.get("settings") or {}
        if unknown := sorted(set(settings) - SETTINGS):
            raise Refused(f"unknown settings: {', '.join(unknown)}; there are {', '.join(sorted(SETTINGS))}", "settings")
        if not settings.get("remote_url"):
            raise Refused("settings: `remote_url` is missing, the address of the server", "settings")
        prepare_network(settings)
        self.settings = settings
        engine = {"name": "turso", "version": importlib.metadata.version("pyturso")}
        return {"name": "turso", "engine": engine, "promises": PROMISES, "does": DOES}

    def device(self, name: Any) -> Device:
        if name not in self.devices:
            self.devices[name] = Device(self, str(name))
        return self.devices[name]

    def answer(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        line = json.dumps({"id": request.get("id"), **answer}, allow_nan=False).encode() + b"\n"
        with self.writing:
            self.out.write(line)
            self.out.flush()

    def end(self) -> None:
        for device in self.devices.values():
            device.requests.put(None)
            device.interrupt()
        deadline = time.monotonic() + 5
        for device in self.devices.values():
            device.join(max(0.0, deadline - time.monotonic()))
        os._exit(0)  # not through Python's own end, which would wait for, or trip over, a thread that Turso still holds


if __name__ == "__main__":
    Driver().run()
