#!/usr/bin/env python3
"""drivers/skeleton.py, but it misbehaves on demand: `stress` must notice each of these lies and name it.

    settings:
      lie: lose_row       # one of `python3 liar.py --list`; without it the driver is honest
      db: 2               # only in this database, or one of a list; default: any
      op: send            # only in this op; each lie has a default
      after: 10           # let this many occasions pass first; default 0
      times: 1            # lie this often; 0: always; default 1

An occasion is a request (lies about the protocol) or a push with a row that the lie can be told of (lies about data).
More settings, where a lie names them: `seconds`, `megabytes`, `table`, `column`, `error`, `done`.
"""

import importlib.util
import json
import os
import signal
import sys
import threading
import time

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "drivers", "skeleton.py")
spec = importlib.util.spec_from_file_location("skeleton", PATH)
skeleton = importlib.util.module_from_spec(spec)
spec.loader.exec_module(skeleton)

LIES = {}  # name -> (kind, default op, function)


def lie_about(kind, op=None):
    """Registers a lie. The kinds differ in when the function is called, see `Liar` and `LyingDatabase`."""

    def register(function):
        LIES[function.__name__] = (kind, op, function)
        return function

    return register


class Lie:
    """The lie of this run, and when to tell it."""

    def __init__(self, settings, databases):
        self.settings, self.databases = settings, databases
        name = settings.get("lie")
        if name is not None and name not in LIES:
            raise skeleton.Failure(f"no lie has the name {name}; there are: {', '.join(LIES)}")
        self.kind, op, self.function = LIES.get(name, (None, None, None))
        self.op = settings.get("op", op)
        self.occasions, self.lock = 0, threading.Lock()
        self.users = set()
        self.memory, self.older = {}, {}  # (table, key) -> the row as it was pushed last, and before that

    def get(self, name, default):
        return self.settings.get(name, default)

    def occasion(self, kind, db, op=None):
        """Whether this is the moment. Counts, so it is asked once per occasion."""
        dbs = self.get("db", db)
        if kind != self.kind or (op is not None and op != self.op) or db not in (dbs if isinstance(dbs, list) else [dbs]):
            return False
        with self.lock:
            self.occasions += 1
            count, times = self.occasions - self.get("after", 0), self.get("times", 1)
            return 0 < count and (times == 0 or count <= times)


class Liar(skeleton.Driver):
    lie = None

    def hello(self, request):
        self.lie = self.engine.lie = Lie(request["settings"], request["databases"])
        return self.do(None, request, lambda: super(Liar, self).hello(request))

    def handle(self, worker, request):
        return self.do(worker, request, lambda: super(Liar, self).handle(worker, request))

    def do(self, worker, request, work):
        """Lies of the kind "work": `work` does what the request asks for and gives the fields of the answer."""
        if self.lie.occasion("work", request.get("db"), request["op"]):
            return self.lie.function(self.lie, worker, request, work)
        return work()

    def write(self, request, answer):
        """Lies of the kind "answer": the work is done, the answer is ready."""
        if self.lie and "error" not in answer and self.lie.occasion("answer", request.get("db"), request["op"]):
            self.lie.function(self, request, answer)
        else:
            super().write(request, answer)

    def route(self, request):
        """Lies of the kind "reading": the request was read, nothing has begun."""
        if self.lie and self.lie.occasion("reading", request.get("db"), request["op"]):
            self.lie.function(self, request)
        else:
            super().route(request)

    def run(self):
        super().run()
        if self.lie and self.lie.kind == "end":
            self.lie.function(self)


class LyingEngine(skeleton.Engine):
    def open(self, db, file, user, tables, stop):
        self.tables = tables
        self.lie.users.add(user)
        return LyingDatabase(self.lie, db, user, self.pushes, file, tables, stop)


class LyingDatabase(skeleton.Database):
    def __init__(self, lie, db, user, *args):
        self.lie, self.db, self.user = lie, db, user
        self.extra, self.later = [], []  # Pushes that come from nobody: after this send, before the next.
        self.undo = []  # What makes good again what `back_in_time` showed.
        super().__init__(*args)

    def keys(self, table, change):
        _, key = self.shape(table)
        return [change["columns"].index(name) for name in key]

    def name_of(self, table, key):
        return table, json.dumps(key)

    def collect(self, sent):
        """Lies of the kind "push". The function gives None when the push is no occasion, else what tells the lie."""
        tables = super().collect(sent)
        if self.lie.kind == "push":
            tell = self.lie.function(self.lie, self, tables)
            if tell and self.lie.occasion("push", self.db):
                tell()
        with self.lie.lock:
            for table, change in tables.items():
                places = self.keys(table, change)
                for row in change["rows"]:
                    name = self.name_of(table, [row[place] for place in places])
                    if self.lie.memory.get(name, row) != row:
                        self.lie.older[name] = (change["columns"], self.lie.memory[name])
                    self.lie.memory[name] = row
        return tables

    def apply(self, tables, mine):
        """Lies of the kind "apply": the same with a push that comes in."""
        if self.lie.kind == "apply":
            tell = self.lie.function(self.lie, self, tables, mine)
            if tell and self.lie.occasion("apply", self.db):
                tell()
        return super().apply(tables, mine)

    def send(self, options):
        for tables in self.later:
            self.pushes.publish("nobody", {"from": "nobody", "last": 0, "tables": tables})
        self.later = []
        answer = super().send(options)
        for tables in self.extra:
            self.pushes.publish("nobody", {"from": "nobody", "last": 0, "tables": tables})
        self.extra = []
        return answer

    def everywhere(self, table, change, rows=(), gone=()):
        """All databases, also the one that wrote the row, will apply this after the push that is being made."""
        self.extra.append({table: {"columns": change["columns"], "rows": list(rows), "gone": list(gone)}})


def last_words(text="the liar dies now"):
    print(text, file=sys.stderr, flush=True)


# Lies about the protocol.


@lie_about("answer", "send")
def late(driver, request, answer):
    """answers after `seconds` (5), whatever comes in between"""
    time.sleep(driver.lie.get("seconds", 5))
    driver.write_bytes(json.dumps(answer).encode() + b"\n")


@lie_about("answer", "send")
def silent(driver, request, answer):
    """never answers"""


@lie_about("answer", "send")
def torn(driver, request, answer):
    """writes half of the line, then exits with code 0"""
    line = json.dumps(answer).encode()
    driver.write_bytes(line[: len(line) // 2])
    os._exit(0)


@lie_about("answer", "send")
def nonsense(driver, request, answer):
    """writes a line that is no JSON instead of the answer"""
    driver.write_bytes(b"all is well\n")


@lie_about("answer", "send")
def noise(driver, request, answer):
    """writes a line of text before the answer"""
    driver.write_bytes(b"debug: about to answer\n" + json.dumps(answer).encode() + b"\n")


@lie_about("answer", "send")
def bad_utf8(driver, request, answer):
    """writes bytes that are no UTF-8 into the answer"""
    driver.write_bytes(json.dumps({**answer, "remark": "?"}).encode().replace(b'"?"', b'"\xff\xfe"') + b"\n")


@lie_about("answer", "send")
def no_object(driver, request, answer):
    """answers with JSON that is no object"""
    driver.write_bytes(json.dumps(list(answer.items())).encode() + b"\n")


@lie_about("answer", "send")
def wrong_id(driver, request, answer):
    """answers with an id that nobody asked with, and never with the right one"""
    driver.write_bytes(json.dumps({**answer, "id": answer["id"] + 1_000_000}).encode() + b"\n")


@lie_about("answer", "send")
def text_id(driver, request, answer):
    """answers with the id as a text"""
    driver.write_bytes(json.dumps({**answer, "id": str(answer["id"])}).encode() + b"\n")


@lie_about("answer", "send")
def twice(driver, request, answer):
    """gives the same answer two times"""
    driver.write_bytes((json.dumps(answer).encode() + b"\n") * 2)


@lie_about("answer", "send")
def unasked(driver, request, answer):
    """gives an answer that nobody asked for, then the right one"""
    driver.write_bytes(json.dumps({"id": answer["id"] + 1_000_000}).encode() + b"\n" + json.dumps(answer).encode() + b"\n")


@lie_about("answer", "hello")
def no_hello(driver, request, answer):
    """never answers hello"""


@lie_about("answer", "hello")
def wrong_version(driver, request, answer):
    """says that it speaks another version of the protocol"""
    error = {"message": "this driver speaks version 2 of the protocol, not 1", "code": "bad_version"}
    driver.write_bytes(json.dumps({"id": answer["id"], "error": error}).encode() + b"\n")


@lie_about("answer", "query")
def bad_shape(driver, request, answer):
    """gives every field of the answer a wrong type"""
    wrong = {field: {"is": "wrong"} if field != "id" else value for field, value in answer.items()}
    driver.write_bytes(json.dumps(wrong).encode() + b"\n")


@lie_about("answer", "query")
def empty_answer(driver, request, answer):
    """leaves all fields of the answer out"""
    driver.write_bytes(json.dumps({"id": answer["id"]}).encode() + b"\n")


@lie_about("answer", "query")
def short_row(driver, request, answer):
    """answers a query with rows that are shorter than the columns"""
    rows = [row[:-1] for row in answer.get("rows", [])]
    driver.write_bytes(json.dumps({**answer, "rows": rows}).encode() + b"\n")


@lie_about("work", "send")
def dies_in(lie, worker, request, work):
    """exits with code 3 and last words on stderr; `done: true`: after the work, before the answer"""
    if lie.get("done", False):
        work()
    last_words(f"the liar dies in {request['op']}")
    os._exit(3)


@lie_about("work", "send")
def dies_by_signal(lie, worker, request, work):
    """kills itself with signal 9; `done: true`: after the work, before the answer"""
    if lie.get("done", False):
        work()
    last_words()
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


@lie_about("answer", "query")
def huge_line(driver, request, answer):
    """answers in one line of `megabytes` (64), because of a field that the protocol does not know"""
    padding = "x" * (driver.lie.get("megabytes", 64) * 2**20)
    driver.write_bytes(json.dumps({"padding": padding, **answer}).encode() + b"\n")


@lie_about("work", "send")
def stderr_flood(lie, worker, request, work):
    """writes `megabytes` (10) to stderr, then goes on"""
    for n in range(lie.get("megabytes", 10) * 1024):
        sys.stderr.write(f"{n:8} {'y' * 1014}\n")
    return work()


@lie_about("work", "query")
def slow(lie, worker, request, work):
    """is no lie: takes `seconds` (60), but can be interrupted"""
    if worker.stop.wait(lie.get("seconds", 60)):
        raise skeleton.Failure("interrupted", code="interrupted", where="client")
    return work()


@lie_about("work", "query")
def ignores_interrupt(lie, worker, request, work):
    """takes `seconds` (60), answers an interrupt and goes on all the same"""
    time.sleep(lie.get("seconds", 60))
    worker.stop.clear()
    return work()


@lie_about("work", "send")
def fails(lie, worker, request, work):
    """answers with `error` as in the settings; `done: true`: although the work is done"""
    if lie.get("done", False):
        work()
    failure = skeleton.Failure("the liar refuses")
    failure.fields.update(lie.get("error", {}))
    raise failure


@lie_about("end")
def never_ends(driver):
    """does not exit when stdin ends, nor for SIGTERM"""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


@lie_about("answer", "send")
def closes_stdout(driver, request, answer):
    """closes stdout and stays alive"""
    os.close(1)
    while True:
        time.sleep(60)


@lie_about("reading", "send")
def stops_reading(driver, request):
    """does not read stdin any more, from this request on"""
    while True:
        time.sleep(60)


@lie_about("answer", "exec")
def wrong_count(driver, request, answer):
    """counts one changed row too many"""
    driver.write_bytes(json.dumps({**answer, "changed": answer["changed"] + 1}).encode() + b"\n")


@lie_about("answer", "receive")
def never_complete(driver, request, answer):
    """says after every receive that there is more; best with `times: 0`"""
    driver.write_bytes(json.dumps({**answer, "complete": False}).encode() + b"\n")


@lie_about("answer", "unsent")
def nothing_unsent(driver, request, answer):
    """says that nothing waits to be sent; best with `times: 0`"""
    driver.write_bytes(json.dumps({**answer, "unsent": False}).encode() + b"\n")


@lie_about("answer", "server_query")
def server_hides_row(driver, request, answer):
    """leaves the last row out of what the server answers"""
    driver.write_bytes(json.dumps({**answer, "rows": answer["rows"][:-1]}).encode() + b"\n")


# Lies about data. `table` (any) and `column` (the first that is not in the key) choose what they are told of.


def rows_of(lie, tables, part="rows"):
    for table, change in tables.items():
        if lie.get("table", table) == table:
            for row in change[part]:
                yield table, change, row


def other_key(row, places):
    """The row under a key that nobody used."""
    row = list(row)
    for place in places:
        value = skeleton.decode(row[place])
        other = {int: 7_777_777_777, float: 7e77, bytes: b"nobody"}.get(type(value), f"nobody-{value}")
        row[place] = skeleton.encode(other)
    return row


def other_value(value):
    """Another value of the same type."""
    value = skeleton.decode(value)
    if isinstance(value, int):
        return skeleton.encode(value - 1 if value > 0 else value + 1)
    if isinstance(value, float):
        return 2.5 if value == 1.5 else 1.5
    if isinstance(value, bytes):
        return skeleton.encode(value + b"?")
    return "corrupt" if value is None else f"{value}?"


def value_places(lie, database, table, change):
    """The places of the values that a lie may change."""
    keys = database.keys(table, change)
    column = lie.get("column", None)
    return [n for n, name in enumerate(change["columns"]) if (name == column if column else n not in keys)]


@lie_about("push")
def lose_row(lie, database, tables):
    """leaves a row out of a push: only the database that wrote it has it"""
    for _, change, row in rows_of(lie, tables):
        return lambda: change["rows"].remove(row)


@lie_about("push")
def lose_row_everywhere(lie, database, tables):
    """deletes a row that was pushed, in all databases"""
    for table, change, row in rows_of(lie, tables):
        key = [row[place] for place in database.keys(table, change)]
        return lambda: database.everywhere(table, change, gone=[key])


@lie_about("push")
def lose_delete(lie, database, tables):
    """leaves a deletion out of a push: the row stays in all other databases"""
    for _, change, key in rows_of(lie, tables, "gone"):
        return lambda: change["gone"].remove(key)


@lie_about("push")
def resurrect(lie, database, tables):
    """brings a deleted row back, in all databases"""
    for table, change, key in rows_of(lie, tables, "gone"):
        row = lie.memory.get(database.name_of(table, key))
        if row:
            return lambda: database.everywhere(table, change, rows=[row])


@lie_about("push")
def stale(lie, database, tables):
    """replaces an updated row by the row before the update, in all databases"""
    for table, change, row in rows_of(lie, tables):
        before = lie.memory.get(database.name_of(table, [row[place] for place in database.keys(table, change)]))
        if before and before != row:
            return lambda: database.everywhere(table, change, rows=[before])


@lie_about("push")
def phantom(lie, database, tables):
    """makes a row that nobody wrote, in all databases"""
    for table, change, row in rows_of(lie, tables):
        new = other_key(row, database.keys(table, change))
        for place in value_places(lie, database, table, change):
            new[place] = other_value(new[place])
        return lambda: database.everywhere(table, change, rows=[new])


@lie_about("push")
def duplicate(lie, database, tables):
    """makes a row a second time, under another key, in all databases"""
    for table, change, row in rows_of(lie, tables):
        new = other_key(row, database.keys(table, change))
        return lambda: database.everywhere(table, change, rows=[new])


@lie_about("push")
def corrupt_value(lie, database, tables):
    """changes a value on the way: only the database that wrote it has the right one"""
    for table, change, row in rows_of(lie, tables):
        for place in value_places(lie, database, table, change)[:1]:
            return lambda: row.__setitem__(place, other_value(row[place]))


@lie_about("push")
def corrupt_value_everywhere(lie, database, tables):
    """changes a value that was pushed, in all databases"""
    for table, change, row in rows_of(lie, tables):
        for place in value_places(lie, database, table, change)[:1]:
            new = [other_value(value) if n == place else value for n, value in enumerate(row)]
            return lambda: database.everywhere(table, change, rows=[new])


@lie_about("push")
def swap_user(lie, database, tables):
    """gives a row to somebody else: where it holds the user of its database it then holds another, in all databases"""
    others = sorted(user for user in lie.users if user not in (None, database.user)) or ["somebody else"]
    for table, change, row in rows_of(lie, tables):
        if database.user is not None and database.user in row:
            new = [others[0] if value == database.user else value for value in row]
            return lambda: database.everywhere(table, change, rows=[new])


@lie_about("push")
def half_push(lie, database, tables):
    """pushes half of the rows now and the rest before the next send"""
    for table, change, _ in rows_of(lie, tables):
        half, rest = change["rows"][::2], change["rows"][1::2]
        if rest:

            def tell(change=change):
                change["rows"] = half
                database.later.append({table: {"columns": change["columns"], "rows": rest, "gone": []}})

            return tell


@lie_about("work", "send")
def forget_send(lie, worker, request, work):
    """answers send with success, sends nothing and forgets what waited"""
    database = worker.database
    database.connection.execute("DELETE FROM _sync_log WHERE n > (SELECT sent FROM _sync_state)")
    return {"bytes": 100, "chunks": 1, "complete": True}


@lie_about("apply")
def drop_received_row(lie, database, tables, mine):
    """does not apply a row that it receives; best with `db`"""
    for _, change, row in rows_of(lie, tables):
        return lambda: change["rows"].remove(row)


@lie_about("apply")
def drop_received_delete(lie, database, tables, mine):
    """does not apply a deletion that it receives; best with `db`"""
    for _, change, key in rows_of(lie, tables, "gone"):
        return lambda: change["gone"].remove(key)


@lie_about("apply")
def corrupt_received_value(lie, database, tables, mine):
    """changes a value that it receives; best with `db`"""
    return corrupt_value(lie, database, tables)


@lie_about("apply")
def overwrite_waiting(lie, database, tables, mine):
    """takes back what this database wrote and did not send, when it receives the same row"""
    for table, change, row in rows_of(lie, tables):
        key = tuple(skeleton.decode_row([row[place] for place in database.keys(table, change)]))
        if any(waiting[: len(key)] == key for waiting in mine.get(table, ())):
            return mine.clear


@lie_about("work", "receive")
def skip_receive(lie, worker, request, work):
    """answers receive with success, and forgets what there was to receive"""
    database = worker.database
    position = database.state()[1]
    while database.pushes.read(position + 1):
        position += 1
    database.connection.execute("UPDATE _sync_state SET position = ?", (position,))
    return {"rows": 0, "bytes": 0, "chunks": 0, "complete": True}


@lie_about("work", "receive")
def empty_bootstrap(lie, worker, request, work):
    """a new device receives nothing and calls that complete; best with `times: 0`"""
    if request["db"] <= lie.databases:
        return work()
    return {"rows": 0, "bytes": 0, "chunks": 0, "complete": True}


@lie_about("work", "receive")
def back_in_time(lie, worker, request, work):
    """shows an older state of its rows after a receive, until the next; best with `times: 0`"""
    database = worker.database

    def show(pushes):
        with skeleton.Transaction(database.connection):
            for tables in pushes:
                database.apply(tables, database.logged(0))

    show(database.undo)
    database.undo, answer = [], work()
    shown = []
    for (table, _), (columns, row) in list(lie.older.items()):
        change = {"columns": columns, "rows": [row], "gone": []}
        _, names = database.shape(table)
        key = skeleton.decode_row([row[place] for place in database.keys(table, change)])
        selected = ", ".join(map(skeleton.quoted, columns))
        now = database.rows(f"SELECT {selected} FROM {skeleton.quoted(table)} WHERE {skeleton.equal(names)}", key)
        if now:
            shown.append({table: change})
            database.undo.append({table: {**change, "rows": [skeleton.encode_row(now[0])]}})
    show(shown)
    return answer


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        for name, (kind, op, function) in LIES.items():
            print(f"{name:26} {function.__doc__}{f' [{op}]' if op else ''}")
    else:
        Liar(LyingEngine()).run()
