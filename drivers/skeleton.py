#!/usr/bin/env python3
"""A driver for `stress`: it lets `stress` test a sync engine that it does not know.

`stress` starts this program once per run, writes one JSON request per line to its stdin and reads one JSON answer per line
from its stdout. `stress help driver` describes every request. What goes to stderr is kept as a log.

This file runs as it is, with Python 3.9 or later and nothing else. Its databases are SQLite files, and they sync through a
plain directory. To test your own engine, replace the first half (`Engine` and `Database`) and keep the second (`Driver`),
which knows the protocol and nothing of an engine. Then check your work:

    stress driver check python3 my-driver.py

In a scenario:

    target:
      driver:
        command: [python3, my-driver.py]
        settings: {directory: /tmp/shared}     # optional: where the pushes go
"""

import base64
import json
import os
import queue
import sqlite3
import sys
import threading
import time
import traceback
import uuid


class Failure(Exception):
    """An error that tells `stress` more than a text. Any other exception is answered as well, see `Engine.explain`."""

    def __init__(self, message, code=None, where=None, retry=None, http=None):
        super().__init__(message)
        self.fields = {"message": message, "code": code, "where": where, "retry": retry, "http": http}


# ---------------------------------------------------------------------------------------------------------------------
# The engine: replace this half.
# ---------------------------------------------------------------------------------------------------------------------


class Engine:
    """What the run has once. The methods are called by several threads at the same time."""

    name = "directory"
    # The name and version of what is tested. They are shown in every report.
    engine = {"name": "sqlite", "version": sqlite3.sqlite_version}
    # What the user of the engine may rely on. `stress` fails a run that breaks a promise, and only reports the rest.
    promises = [
        "convergence",  # every replica that has applied the same pushes holds the same rows
        "row-merge",  # of two changes to a row one wins as a whole
        "last-push-wins",  # and it is the one that was pushed later
        "read-your-writes",  # a receive never takes back what this database wrote, unless a later push replaced it
        "monotonic-reads",  # a replica never goes back to an older state
        "atomic-transactions",  # a push holds whole transactions, and a receive applies whole pushes
    ]
    # What the driver can do. Leave out what your engine cannot; `stress` will not ask for it.
    # "rls" (each user sees only their own rows) is not here: everybody who can read the directory sees everything.
    does = ["bootstrap", "unsent", "interrupt", "server_query"]

    def start(self, hello):
        """`hello` is the whole request: `settings` as in the scenario, `directory` of this run, how many `databases`."""
        directory = hello["settings"].get("directory") or hello["directory"]
        self.pushes = Pushes(os.path.join(directory, "pushes"))
        self.tables = None

    def open(self, db, file, user, tables, stop):
        """Opens database number `db`, in the thread that will also use it. `stop` is set when a request shall be given up.
        `user` is for engines with users: a directory has none."""
        self.tables = tables
        return Database(self.pushes, file, tables, stop)

    def server_query(self, sql, params, stop):
        """Asks the server. A directory cannot be asked, so a new replica receives everything and answers."""
        if self.tables is None:
            raise Failure("no database was opened yet, so the tables are not known", where="client")
        replica = Database(self.pushes, ":memory:", self.tables, stop)
        try:
            replica.receive({})
            return replica.query(sql, params)
        finally:
            replica.close()

    def explain(self, error):
        """Makes a `Failure` of an exception. `stress` counts failures by these fields: say what you know, invent nothing."""
        if isinstance(error, OSError):  # The directory is our server, so its trouble is not the client's.
            return Failure(str(error), code=type(error).__name__, where="server")
        if isinstance(error, (sqlite3.Error, sqlite3.Warning)):
            code = getattr(error, "sqlite_errorname", None)  # since Python 3.11
            if code == "SQLITE_INTERRUPT" or str(error) == "interrupted":
                code = "interrupted"  # The one code that the protocol prescribes.
            busy = str(error).endswith("is locked")
            return Failure(str(error), code=code, where="client", retry=True if busy else None)
        traceback.print_exc()  # Perhaps a mistake in this driver: the log shows where.
        return Failure(f"{type(error).__name__}: {error}", where="client")


class Pushes:
    """The server: a directory of immutable files with the numbers 1, 2, 3, …, one per push. Their order is the order of
    the pushes, the same for everybody. Several processes may use one directory at the same time."""

    def __init__(self, directory):
        os.makedirs(directory, exist_ok=True)
        self.directory = directory
        self.highest = 0  # A number that is taken for certain, so that the search for a free one is short.

    def path(self, number):
        return os.path.join(self.directory, f"{number:08}.json")

    def publish(self, replica, push):
        """Writes a push under the next free number. A reader sees all of it or nothing, wherever this process is killed:
        the file is complete before it gets its name, and `link` fails if the name exists. (A power cut is another
        matter: it would need an `fsync` of the file and of the directory.)"""
        data = json.dumps(push, separators=(",", ":")).encode()
        temporary = os.path.join(self.directory, f".{replica}.tmp")
        with open(temporary, "wb") as file:
            file.write(data)
        number = self.highest + 1
        while True:
            try:
                os.link(temporary, self.path(number))
                break
            except FileExistsError:  # Somebody else took this number: ours comes after theirs.
                number += 1
        self.highest = number
        os.unlink(temporary)
        return len(data)

    def read(self, number):
        """A push and its size, or None when there is none with this number yet."""
        try:
            with open(self.path(number), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        return json.loads(data), len(data)


class Database:
    """One local database. Its methods are called by one thread, one after the other."""

    # `_sync_log` notes the key of every row that is written. An entry stays until this database has applied all pushes up
    # to the one that carried it. Until then what we wrote is newer than what we receive, so receiving leaves the row alone.
    # `_sync_state` has one row: our name, the number of the last push applied here, and the last entry that was sent.
    KEY_COLUMNS = 8
    OUR_TABLES = [
        "CREATE TABLE _sync_log (n INTEGER PRIMARY KEY AUTOINCREMENT, tbl, "
        + ", ".join(f"k{i}" for i in range(KEY_COLUMNS)) + ")",
        "CREATE TABLE _sync_state (replica TEXT, position INTEGER, sent INTEGER)",
    ]

    def __init__(self, pushes, file, tables, stop):
        self.pushes, self.stop = pushes, stop
        self.unsure = False  # Whether a push may be in the directory that `_sync_state` does not know of, see `settle`.
        self.connection = sqlite3.connect(file, isolation_level=None)  # None: transactions begin only where we say so.
        try:
            stop.call = self.interrupt
            self.connection.execute("PRAGMA journal_mode = WAL")
            self.connection.execute("PRAGMA synchronous = NORMAL")
            self.connection.execute("PRAGMA recursive_triggers = ON")  # Else REPLACE would delete rows unnoticed.
            with Transaction(self.connection):
                # `tables` comes with every opening. A file that has our tables has these as well.
                if not self.rows("SELECT 1 FROM sqlite_master WHERE name = '_sync_state'"):
                    for statement in [*tables, *self.OUR_TABLES]:
                        self.connection.execute(statement)
                    self.connection.execute("INSERT INTO _sync_state VALUES (?, 0, 0)", (uuid.uuid4().hex,))
                    for table in self.user_tables():
                        self.watch(table)
                self.settle()
        except BaseException:
            self.connection.close()
            raise

    # What a user of the database does.

    def begin(self):
        self.connection.execute("BEGIN")

    def commit(self):
        self.connection.execute("COMMIT")

    def rollback(self):
        if self.connection.in_transaction:  # SQLite may have rolled back by itself already.
            self.connection.execute("ROLLBACK")

    def exec(self, sql, names, rows):
        """Runs the statement once per row of values and counts the rows that it changed (or gave, when it only reads)."""
        keys = [name[1:] for name in names]
        cursor = self.connection.cursor()
        single = not self.connection.in_transaction  # Then every row is a transaction of its own.
        changed = 0
        try:
            for row in rows:
                if self.stop.is_set():
                    raise Failure("interrupted", code="interrupted", where="client")
                before = self.connection.total_changes
                cursor.execute(sql, dict(zip(keys, row)) if keys else row)
                if cursor.description:
                    changed += len(cursor.fetchall())
                elif cursor.rowcount >= 0:
                    changed += cursor.rowcount
                elif self.connection.total_changes != before:  # Python does not count a statement that begins with WITH.
                    changed += self.rows("SELECT changes()")[0][0]
        except Exception as error:
            error.changed = changed if single else 0  # What stays although the batch failed.
            raise
        return changed

    def query(self, sql, params):
        cursor = self.connection.execute(sql, params)
        return [column[0] for column in cursor.description or []], cursor.fetchall()

    def close(self):
        self.connection.close()

    def interrupt(self):
        """Called from another thread, again and again, until the request that shall be given up has ended.

        (SQLite's progress handler would be asked once more after a statement was committed, and report it as failed.)"""
        try:
            self.connection.interrupt()
        except sqlite3.ProgrammingError:  # It was closed in this moment.
            pass

    # Sync.

    def send(self, options):
        """Pushes the rows that changed since the last send, as they are now. An optional answer: `bytes`, `chunks`."""
        size = 0
        with Transaction(self.connection):
            if self.unsure:
                self.settle()
            (replica, _, sent), last = self.state(), self.last_entry()
            if last > sent:
                push = {"from": replica, "last": last, "tables": self.collect(sent)}
                # Killed from here on, the push may be there and `_sync_state` not know it.
                self.unsure = True
                size = self.pushes.publish(replica, push)
                self.connection.execute("UPDATE _sync_state SET sent = ?", (last,))
        self.unsure = False
        return {"bytes": size, "chunks": 1 if size else 0, "complete": True}

    def receive(self, options):
        """Applies the pushes that this database has not seen, in their order, in one transaction: all of it or nothing."""
        most = options.get("max_chunks")
        rows = size = chunks = 0
        mine = None
        with Transaction(self.connection):
            replica, start, _ = self.state()
            position = start
            while True:
                if self.stop.is_set():
                    raise Failure("interrupted", code="interrupted", where="client")
                found = self.pushes.read(position + 1)
                if found is None:
                    break
                push, push_size = found
                if push["from"] != replica and chunks == most:
                    break
                position += 1
                if push["from"] == replica:  # We have these rows. From here on later pushes may replace them.
                    self.connection.execute("DELETE FROM _sync_log WHERE n <= ?", (push["last"],))
                    mine = None
                    continue
                mine = self.logged(0) if mine is None else mine
                rows += self.apply(push["tables"], mine)
                size += push_size
                chunks += 1
            if position > start:
                self.connection.execute("UPDATE _sync_state SET position = ?", (position,))
        return {"rows": rows, "bytes": size, "chunks": chunks, "complete": found is None}

    def unsent(self):
        """Whether something waits to be sent. None when an engine cannot tell."""
        return self.last_entry() > self.state()[2]

    # How it is done.

    def rows(self, sql, params=()):
        return self.connection.execute(sql, params).fetchall()

    def state(self):
        return self.rows("SELECT replica, position, sent FROM _sync_state")[0]

    def last_entry(self):
        return self.rows("SELECT coalesce(max(n), 0) FROM _sync_log")[0][0]

    def user_tables(self):
        return [name for (name,) in self.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' "
            "AND name NOT LIKE '\\_sync\\_%' ESCAPE '\\' ORDER BY rowid")]

    def shape(self, table):
        """The columns of a table and those of its key. Read each time, because a scenario may add columns."""
        info = self.rows(f"PRAGMA table_xinfo({quoted(table)})")
        columns = [name for _, name, _, _, _, _, hidden in info if not hidden]  # Not the generated ones.
        key = [name for _, name in sorted((column[5], column[1]) for column in info if column[5])]
        if not 0 < len(key) <= self.KEY_COLUMNS:
            raise Failure(f"the table {table} needs a primary key of 1 to {self.KEY_COLUMNS} columns", where="client")
        return columns, key

    def watch(self, table):
        """Makes the triggers that fill the log. They are part of the file: nothing is lost when it is closed or killed."""
        _, key = self.shape(table)
        for _, index, _, origin, _ in self.rows(f"PRAGMA index_list({quoted(table)})"):
            for *_, collation, in_key in self.rows(f"PRAGMA index_xinfo({quoted(index)})"):
                if origin == "pk" and in_key and collation != "BINARY":  # `logged` compares keys in Python.
                    raise Failure(f"the primary key of {table} has the collation {collation}, not BINARY", where="client")
        columns = "tbl, " + ", ".join(f"k{i}" for i in range(len(key)))
        literal = "'" + table.replace("'", "''") + "'"

        def note(row, condition="1"):
            values = ", ".join(f"{row}.{quoted(name)}" for name in key)
            return f"INSERT INTO _sync_log ({columns}) SELECT {literal}, {values} WHERE {condition};"

        moved = " OR ".join(f"OLD.{quoted(name)} IS NOT NEW.{quoted(name)}" for name in key)
        missing = " OR ".join(f"NEW.{quoted(name)} IS NULL" for name in key)
        # SQLite allows NULL in most primary keys. Such a row could not be found again by its key.
        refuse = f"SELECT RAISE(ABORT, 'a primary key that is NULL cannot be synced') WHERE {missing};"
        for event, body in [
            ("INSERT", refuse + note("NEW")),
            ("UPDATE", refuse + note("OLD", moved) + note("NEW")),
            ("DELETE", note("OLD")),
        ]:
            name = quoted(f"_sync_{event.lower()}_{table}")
            self.connection.execute(f"CREATE TRIGGER {name} AFTER {event} ON {quoted(table)} BEGIN {body} END")

    def logged(self, after):
        """The keys of the entries after the given one: a set per table. SQLite and Python agree on which keys are equal."""
        keys = {}
        columns = ", ".join(f"k{i}" for i in range(self.KEY_COLUMNS))
        for table, *key in self.rows(f"SELECT tbl, {columns} FROM _sync_log WHERE n > ?", (after,)):
            keys.setdefault(table, {})[tuple(key)] = None  # A dict, because it keeps the order.
        return keys

    def collect(self, sent):
        """What a push holds: per table the rows that were written, as they are now, and the keys of those that are gone."""
        tables = {}
        for table, keys in self.logged(sent).items():
            columns, key = self.shape(table)
            names = ", ".join(map(quoted, columns))
            select = f"SELECT {names} FROM {quoted(table)} WHERE {equal(key)}"
            rows, gone = [], []
            for values in keys:
                found = self.rows(select, values[: len(key)])
                rows += map(encode_row, found)
                if not found:
                    gone.append(encode_row(values[: len(key)]))
            tables[table] = {"columns": columns, "rows": rows, "gone": gone}
        return tables

    def apply(self, tables, mine):
        """Applies a push, but leaves rows alone that this database wrote as well and pushed later, or will push.

        What depends on more than one row is not merged: a row that breaks a UNIQUE index or a foreign key here is SQLite's
        error, and triggers of the scenario run again for rows that arrive."""
        ours = self.last_entry()
        count = 0
        for table, change in tables.items():
            _, key = self.shape(table)
            columns, skip = change["columns"], mine.get(table, {})
            places = [columns.index(name) for name in key]
            padding = (None,) * (self.KEY_COLUMNS - len(key))
            rows = {tuple(row[place] for place in places): row for row in map(decode_row, change["rows"])}
            gone = [tuple(decode_row(values)) for values in change["gone"]]
            rows = {values: row for values, row in rows.items() if values + padding not in skip}
            gone = [values for values in gone if values + padding not in skip]
            delete = f"DELETE FROM {quoted(table)} WHERE {equal(key)}"
            self.connection.executemany(delete, [*gone, *rows])
            names, marks = ", ".join(map(quoted, columns)), ", ".join("?" * len(columns))
            self.connection.executemany(f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})", rows.values())
            count += len(rows) + len(gone)
        # The triggers noted these rows as well. They are not ours to send.
        self.connection.execute("DELETE FROM _sync_log WHERE n > ?", (ours,))
        return count

    def settle(self):
        """After an opening or a failed send: finds a push of ours that got into the directory without our noting it.
        Without this it would be sent a second time, and win over what others pushed in between."""
        replica, position, before = self.state()
        last, sent = self.last_entry(), before
        while last > sent:
            position += 1
            found = self.pushes.read(position)
            if found is None:
                break
            if found[0]["from"] == replica:
                sent = max(sent, found[0]["last"])
        if sent > before:
            self.connection.execute("UPDATE _sync_state SET sent = ?", (sent,))


class Transaction:
    """Commits at the end of the block, or rolls back when it fails."""

    def __init__(self, connection):
        self.connection = connection

    def __enter__(self):
        self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind, error, trace):
        try:
            if error is None:
                self.connection.execute("COMMIT")
        finally:
            for _ in range(2):  # An interrupt may hit ROLLBACK too, but not twice in a row.
                if self.connection.in_transaction:
                    try:
                        self.connection.execute("ROLLBACK")
                    except sqlite3.OperationalError as failed:
                        print(f"rollback: {failed}", file=sys.stderr)


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def equal(names):
    return " AND ".join(f"{quoted(name)} = ?" for name in names)


# ---------------------------------------------------------------------------------------------------------------------
# The protocol: keep this half.
# ---------------------------------------------------------------------------------------------------------------------

EXACT = 2**53 - 1  # The largest integer that every reader of JSON holds exactly.


def decode(value):
    """A value of the protocol as Python has it: None, int, float, str, bytes."""
    if type(value) is not dict:
        if type(value) in (bool, list):
            raise Failure(f"not a value of the protocol: {json.dumps(value)}", code="bad_request")
        return value
    try:
        ((kind, text),) = value.items()
        return {"i": int, "r": float, "b": base64.b64decode}[kind](text)
    except (ValueError, TypeError, KeyError):
        raise Failure(f"not a value of the protocol: {json.dumps(value)}", code="bad_request") from None


def encode(value):
    if isinstance(value, float):  # A real without a fraction must not become an integer on the way.
        return {"r": str(value).replace("inf", "Infinity")} if value.is_integer() or value - value != 0 else value
    if isinstance(value, int):
        return value if -EXACT <= value <= EXACT else {"i": str(value)}
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    return value


def decode_row(row):
    return [value if type(value) is str or type(value) is int else decode(value) for value in row]


def encode_row(row):
    return [value if type(value) is str else encode(value) for value in row]


class Stop(threading.Event):
    """Set when the request in work shall be given up. An engine that can interrupt a call puts that into `call`."""

    def call(self):
        pass


class Worker:
    """The thread of one database, and what it is doing. Databases are served at the same time, one request each."""

    def __init__(self, driver):
        self.database = None
        self.stop = Stop()
        self.lock = threading.Lock()
        self.current = None  # The id of the request in work.
        self.requests = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.run, args=(driver,), daemon=True)
        self.thread.start()

    def run(self, driver):
        while True:
            request = self.requests.get()
            if request is None:
                break
            answer = driver.answer(request, driver.handle, self, request)
            with self.lock:  # Before the answer is written: after it the next request may come, and its interrupt.
                self.current = None
                self.stop.clear()
            driver.write(request, answer)
        if self.database is not None:
            self.database.close()

    def put(self, request):
        with self.lock:
            self.current = request["id"]
        self.requests.put(request)

    def interrupt(self, request_id):
        """Gives up a request, if it is still in work."""
        with self.lock:
            if self.current != request_id:
                return
            self.stop.set()
        threading.Thread(target=self.insist, args=(request_id,), daemon=True).start()

    def insist(self, request_id):
        """Calls more than once, because an interrupt that comes just before a statement begins is forgotten."""
        while True:
            with self.lock:
                if self.current != request_id:
                    return
                self.stop.call()
            time.sleep(0.005)


class Driver:
    """Reads requests, hands them to the workers, writes answers."""

    def __init__(self, engine):
        self.engine = engine
        self.workers = {}  # By number of the database; None is the one for questions to the server.
        self.output, self.lock = sys.stdout.buffer, threading.Lock()
        sys.stdout = sys.stderr  # A stray print() becomes a line of the log instead of a broken answer.

    def run(self):
        for line in sys.stdin.buffer:
            try:
                request = json.loads(line)
                request["id"], request["op"]
            except (ValueError, TypeError, KeyError):
                print(f"not a request: {line[:200]!r}", file=sys.stderr)
                continue
            self.route(request)
        # stdin has ended: give up what is in work, close everything, exit.
        for worker in self.workers.values():
            worker.interrupt(worker.current)
            worker.requests.put(None)
        for worker in self.workers.values():
            worker.thread.join()

    def route(self, request):
        op = request["op"]
        if op == "hello":
            self.write(request, self.answer(request, self.hello, request))
        elif op == "interrupt":
            for worker in self.workers.values():
                worker.interrupt(request.get("of"))
            self.write(request, self.answer(request, dict))
        else:
            key = request.get("db")
            if key not in self.workers:
                self.workers[key] = Worker(self)
            self.workers[key].put(request)

    def hello(self, request):
        if request.get("version") != 1:
            raise Failure(f"this driver speaks version 1 of the protocol, not {request.get('version')}", code="bad_version")
        self.engine.start(request)
        engine = self.engine
        return {"name": engine.name, "engine": engine.engine, "promises": engine.promises, "does": engine.does}

    def handle(self, worker, request):
        """One request of a database, in the thread of the database. Gives the fields of the answer."""
        operation = getattr(self, "do_" + str(request["op"]), None)
        if operation is None:
            raise Failure(f"unknown op {request['op']}", code="unknown_op")
        if request["op"] not in ("open", "server_query") and worker.database is None:
            raise Failure(f"database {request.get('db')} is not open", code="not_open")
        return operation(worker, request)

    def do_open(self, worker, request):
        if worker.database is not None:
            raise Failure(f"database {request['db']} is open already", code="already_open")
        worker.database = self.engine.open(
            request["db"], request["file"], request.get("user"), request["tables"], worker.stop
        )

    def do_close(self, worker, request):
        database, worker.database = worker.database, None
        database.close()

    def do_begin(self, worker, request):
        worker.database.begin()

    def do_commit(self, worker, request):
        worker.database.commit()

    def do_rollback(self, worker, request):
        worker.database.rollback()

    def do_exec(self, worker, request):
        rows = map(decode_row, request["rows"])
        return {"changed": worker.database.exec(request["sql"], request["names"], rows)}

    def do_query(self, worker, request):
        columns, rows = worker.database.query(request["sql"], decode_row(request["params"]))
        return {"columns": columns, "rows": list(map(encode_row, rows))}

    def do_send(self, worker, request):
        return worker.database.send(request.get("options") or {})

    def do_receive(self, worker, request):
        return worker.database.receive(request.get("options") or {})

    def do_sync(self, worker, request):
        self.do_send(worker, request)
        return self.do_receive(worker, request)

    def do_unsent(self, worker, request):
        return {"unsent": worker.database.unsent()}

    def do_server_query(self, worker, request):
        columns, rows = self.engine.server_query(request["sql"], decode_row(request["params"]), worker.stop)
        return {"columns": columns, "rows": list(map(encode_row, rows))}

    def answer(self, request, call, *args):
        """Makes the call and gives the answer: what the call gives, or why it failed."""
        answer = {"id": request["id"]}
        try:
            answer.update(call(*args) or {})
        except Exception as error:
            answer["error"] = (error if isinstance(error, Failure) else self.engine.explain(error)).fields
            if hasattr(error, "changed"):
                answer["changed"] = error.changed
        return answer

    def write(self, request, answer):
        self.write_bytes(json.dumps(answer, separators=(",", ":")).encode() + b"\n")

    def write_bytes(self, data):
        try:
            with self.lock:  # One line at a time, whole.
                self.output.write(data)
                self.output.flush()
        except OSError:  # Nobody reads any more.
            os._exit(1)


if __name__ == "__main__":
    Driver(Engine()).run()
