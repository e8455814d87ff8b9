#!/usr/bin/env python3
"""Tests of drivers/skeleton.py: through its stdin and stdout, against a model that knows nothing of how it works.

    python3 tests/drivers/test_skeleton.py            # all
    SEED=7 ROUNDS=2000 python3 tests/drivers/test_skeleton.py RandomOperations

The model: a replica shows all pushes up to its position, then its own later pushes, then what it has not sent.
"""

import base64
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import unittest

# SKELETON: another copy, to see that these tests notice when it is broken.
SKELETON = os.environ.get("SKELETON") or os.path.join(os.path.dirname(__file__), "..", "..", "drivers", "skeleton.py")
SKELETON = os.path.abspath(SKELETON)

# A driver that kills itself before or after a push gets its name, or fails after it.
SUDDEN = """
import importlib.util, os, signal, sys
spec = importlib.util.spec_from_file_location("skeleton", sys.argv[1])
skeleton = importlib.util.module_from_spec(spec)
spec.loader.exec_module(skeleton)
link, moment = os.link, sys.argv[2]
def sudden(*names):
    if moment != "before": link(*names)
    os.link = link
    if moment == "fails": raise OSError("the answer was lost")
    os.kill(os.getpid(), signal.SIGKILL)
os.link = sudden
skeleton.Driver(skeleton.Engine()).run()
"""

HEAVY = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 1000000000) SELECT count(*) FROM c"


def to_wire(value):
    """Written again here on purpose: the test must not trust the skeleton's own encoding."""
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    if isinstance(value, int) and abs(value) > 2**53 - 1:
        return {"i": str(value)}
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return {"r": "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, float) and value == int(value):
        return {"r": repr(value)}
    return value


def from_wire(value):
    if isinstance(value, dict):
        ((kind, text),) = value.items()
        return {"i": int, "r": float, "b": base64.b64decode}[kind](text)
    assert not isinstance(value, int) or abs(value) <= 2**53 - 1, "an integer that JSON may not hold"
    return value


def typed(rows):
    """Rows in a form in which 1, 1.0 and -0.0 differ, in a fixed order."""
    return sorted([[(type(value).__name__, repr(value)) for value in row] for row in rows])


class Client:
    """The other end of a driver."""

    def __init__(self, directory, command=None, databases=5, settings=None):
        self.log = open(os.path.join(directory, "stderr.log"), "ab")
        self.process = subprocess.Popen(
            command or [sys.executable, SKELETON], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log
        )
        self.answers, self.arrived, self.ids = {}, threading.Condition(), 0
        self.ended = False
        threading.Thread(target=self.listen, daemon=True).start()
        self.hello = self.ask("hello", version=1, settings=settings or {}, databases=databases, directory=directory)

    def listen(self):
        for line in self.process.stdout:  # Until the driver ends.
            answer = json.loads(line)
            with self.arrived:
                assert answer["id"] not in self.answers, "answered twice"
                self.answers[answer["id"]] = answer
                self.arrived.notify_all()
        self.process.stdout.close()
        with self.arrived:
            self.ended = True
            self.arrived.notify_all()

    def put(self, op, **fields):
        self.ids += 1
        self.process.stdin.write(json.dumps({"id": self.ids, "op": op, **fields}).encode() + b"\n")
        self.process.stdin.flush()
        return self.ids

    def get(self, request, within=10):
        with self.arrived:
            if not self.arrived.wait_for(lambda: request in self.answers or self.ended, within):
                raise AssertionError(f"no answer to request {request} within {within} s")
            return self.answers.pop(request, None)

    def ask(self, op, **fields):
        answer = self.get(self.put(op, **fields))
        if answer is None:
            raise AssertionError(f"the driver ended during {op}")
        return answer

    def rows(self, sql, db, params=()):
        answer = self.ask("query", db=db, sql=sql, params=[to_wire(value) for value in params])
        assert "error" not in answer, answer
        return [[from_wire(value) for value in row] for row in answer["rows"]]

    def exec(self, db, sql, values=None, **more):
        names = [":" + name for name in values or {}]
        row = [to_wire(value) for value in (values or {}).values()]
        return self.ask("exec", db=db, sql=sql, names=names, rows=[row], **more)

    def end(self, within=5):
        self.process.stdin.close()
        code = self.process.wait(within)
        self.log.close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.log.close()


class WithDirectory(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.clients = []

    def tearDown(self):
        for client in self.clients:
            client.kill()

    def client(self, *args, **more):
        client = Client(self.directory, *args, **more)
        self.clients.append(client)
        return client

    def file(self, db):
        return os.path.join(self.directory, f"{db}.db")

    def open(self, client, db, tables):
        answer = client.ask("open", db=db, file=self.file(db), user="ann", tables=tables)
        self.assertNotIn("error", answer)

    def pushes(self):
        directory = os.path.join(self.directory, "pushes")
        return sorted(name for name in os.listdir(directory) if not name.startswith("."))


VALUES = [
    None, 0, 1, -1, 2**53 - 1, 2**53, -(2**53), 2**63 - 1, -(2**63), 1.0, -0.0, 0.1, 1e300, 5e-324, 1e22, -1.5,
    float("inf"), float("-inf"), "", "a", "1", "1.0", "it's \"quoted\"", "line\nbreak\r\t", "nul\0inside", "ünï 🦀 \u2028",
    "x" * 5000, b"", b"\0\xff\n", b"1", bytes(range(256)),
]  # fmt: skip


class Values(WithDirectory):
    def test_every_value_comes_back_as_it_was_here_and_on_another_replica(self):
        client = self.client()
        tables = ["CREATE TABLE t (id INTEGER PRIMARY KEY, v)", "CREATE TABLE k (v NOT NULL PRIMARY KEY, n) WITHOUT ROWID"]
        keys = [value for value in VALUES if value is not None and not (value == 1 and isinstance(value, float)) and repr(value) != "-0.0"]
        for db in (1, 2):
            self.open(client, db, tables)
        rows = [[n, to_wire(value)] for n, value in enumerate(VALUES)]
        answer = client.ask("exec", db=1, sql="INSERT INTO t VALUES (:n, :v)", names=[":n", ":v"], rows=rows)
        self.assertEqual(answer.get("changed"), len(VALUES), answer)
        rows = [[to_wire(value), n] for n, value in enumerate(keys)]
        answer = client.ask("exec", db=1, sql="INSERT INTO k VALUES (@v, $n)", names=["@v", "$n"], rows=rows)
        self.assertEqual(answer.get("changed"), len(keys), answer)
        client.ask("send", db=1, options={})
        client.ask("receive", db=2, options={})
        for db in (1, 2):
            self.assertEqual(typed(client.rows("SELECT v FROM t", db)), typed([value] for value in VALUES))
            self.assertEqual(typed(client.rows("SELECT v FROM k", db)), typed([value] for value in keys))
        for value in VALUES:
            self.assertEqual(typed(client.rows("SELECT ?", 1, [value])), typed([[value]]))
        answer = client.ask("exec", db=2, sql="DELETE FROM k", names=[], rows=[[]])
        self.assertEqual(answer["changed"], len(keys))
        client.ask("sync", db=2, options={})
        client.ask("sync", db=1, options={})
        self.assertEqual(client.rows("SELECT * FROM k", 1), [])
        self.assertEqual(client.end(), 0)


class Changes(WithDirectory):
    def test_a_row_that_replace_removed_is_gone_everywhere(self):
        client = self.client()
        for db in (1, 2):
            self.open(client, db, ["CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE)"])
        client.exec(1, "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        for sql, left in [
            ("REPLACE INTO t VALUES (4, 'a')", [[2, "b"], [3, "c"], [4, "a"]]),
            ("UPDATE OR REPLACE t SET v = 'b' WHERE id = 3", [[3, "b"], [4, "a"]]),
            ("UPDATE t SET v = 'x' || v", [[3, "xb"], [4, "xa"]]),
        ]:
            client.ask("sync", db=1, options={})
            client.ask("sync", db=2, options={})
            self.assertNotIn("error", client.exec(1, sql))
            client.ask("sync", db=1, options={})
            client.ask("sync", db=2, options={})
            for db in (1, 2):
                self.assertEqual(client.rows("SELECT * FROM t ORDER BY id", db), left, sql)


class Protocol(WithDirectory):
    TABLES = ["CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE)"]

    def test_errors_have_codes_and_say_what_stays(self):
        client = self.client()
        self.assertEqual(client.ask("begin", db=1)["error"]["code"], "not_open")
        self.open(client, 1, self.TABLES)
        self.assertEqual(client.ask("dance", db=1)["error"]["code"], "unknown_op")
        self.assertEqual(client.ask("hello", version=2, settings={}, databases=1, directory="/")["error"]["code"], "bad_version")
        insert = {"sql": "INSERT INTO t VALUES (:id, :v)", "names": [":id", ":v"]}
        answer = client.ask("exec", db=1, rows=[[1, 1], [2, 2], [1, 3], [4, 4]], **insert)
        self.assertEqual((answer["changed"], answer["error"]["where"]), (2, "client"))
        self.assertIn("UNIQUE constraint failed: t.id", answer["error"]["message"])
        client.ask("begin", db=1)
        answer = client.ask("exec", db=1, rows=[[5, 5], [1, 6]], **insert)
        self.assertEqual(answer["changed"], 0)
        client.ask("rollback", db=1)
        self.assertNotIn("error", client.ask("rollback", db=1))
        self.assertEqual(client.rows("SELECT id FROM t", 1), [[1], [2]])
        answer = client.ask("exec", db=1, rows=[[7, {"z": "1"}]], **insert)
        self.assertEqual(answer["error"]["code"], "bad_request")
        answer = client.exec(1, "SELEC 1")
        self.assertIn("syntax error", answer["error"]["message"])
        self.assertIn("error", client.ask("commit", db=1))
        client.process.stdin.write(b"no json\n[1]\n")
        self.assertNotIn("error", client.ask("unsent", db=1))
        self.assertEqual(client.end(), 0)

    def test_changed_counts_every_kind_of_statement(self):
        client = self.client()
        self.open(client, 1, self.TABLES)
        for sql, changed in [
            ("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)", 3),
            ("INSERT OR REPLACE INTO t VALUES (1, 2)", 1),  # It replaces two rows and changes one.
            ("INSERT OR IGNORE INTO t VALUES (1, 9)", 0),
            ("INSERT INTO t VALUES (1, 9) ON CONFLICT (id) DO UPDATE SET v = excluded.v", 1),
            ("WITH x AS (SELECT 1) UPDATE t SET v = id + 10", 2),
            ("WITH x AS (SELECT 1) UPDATE t SET v = 0 WHERE 0", 0),
            ("SELECT * FROM t", 2),
            ("DELETE FROM t RETURNING id", 2),
            ("CREATE TABLE other (a)", 0),
            ("/* a remark */ INSERT INTO t VALUES (1, 1)", 1),
        ]:
            answer = client.exec(1, sql)
            self.assertEqual(answer.get("changed"), changed, (sql, answer))
        self.assertEqual(client.ask("exec", db=1, sql="UPDATE t SET v = id", names=[], rows=[[]] * 3)["changed"], 3)
        self.assertEqual(client.end(), 0)

    def test_tables_that_it_cannot_sync_are_refused(self):
        client = self.client()
        for db, (table, word) in enumerate(
            [
                ("CREATE TABLE t (a)", "primary key"),
                ("CREATE TABLE t (a TEXT COLLATE NOCASE PRIMARY KEY)", "NOCASE"),
            ],
            1,
        ):
            answer = client.ask("open", db=db, file=self.file(db), user=None, tables=[table])
            self.assertIn(word, answer["error"]["message"])
        self.open(client, 3, ["CREATE TABLE t (a PRIMARY KEY, b)"])
        self.assertIn("NULL", client.exec(3, "INSERT OR IGNORE INTO t VALUES (NULL, 1)")["error"]["message"])
        self.assertEqual(client.rows("SELECT * FROM t", 3), [])

    def test_an_interrupt_is_never_lost_and_hits_nothing_else(self):
        client = self.client()
        for db in (1, 2):
            self.open(client, db, self.TABLES)
        client.exec(1, "INSERT INTO t VALUES (1, 1)")
        heavy = [("query", {"sql": HEAVY, "params": []}), ("exec", {"sql": HEAVY, "names": [], "rows": [[]]})]
        for round_ in range(60):
            op, fields = heavy[round_ % 2]
            request = client.put(op, db=1, **fields)
            if round_ % 3 == 0:
                time.sleep(0.002)
            stop = client.put("interrupt", of=request)
            self.assertEqual(client.rows("SELECT count(*) FROM t", 2), [[0]])  # Another database is not disturbed.
            self.assertEqual(client.get(request, within=2)["error"]["code"], "interrupted")
            self.assertNotIn("error", client.get(stop))
            count = client.put("query", db=1, sql=HEAVY.replace("1000000000", "10000"), params=[])
            client.put("interrupt", of=request)  # It is answered: nothing happens.
            self.assertEqual(client.get(count).get("rows"), [[10000]])
            self.assertEqual(client.exec(1, "UPDATE t SET v = 1").get("changed"), 1)
        request = client.put("server_query", sql=HEAVY, params=[])
        client.put("interrupt", of=request)
        self.assertEqual(client.get(request, within=2)["error"]["code"], "interrupted")
        self.assertEqual(client.end(), 0)

    def test_an_interrupted_batch_says_how_many_rows_stay(self):
        client = self.client()
        self.open(client, 1, self.TABLES)
        interrupted = 0
        for n in range(10):
            rows = [[None, 1000 * n + v] for v in range(1000)]
            before = client.rows("SELECT count(*) FROM t", 1)[0][0]
            request = client.put("exec", db=1, sql="INSERT INTO t VALUES (:id, :v)", names=[":id", ":v"], rows=rows)
            client.put("interrupt", of=request)
            answer = client.get(request)
            self.assertEqual(client.rows("SELECT count(*) FROM t", 1)[0][0], before + answer["changed"])
            interrupted += answer["changed"] < 1000 and answer["error"]["code"] == "interrupted"
        self.assertGreater(interrupted, 0)

    def test_an_interrupted_receive_applies_nothing_and_can_be_repeated(self):
        client = self.client()
        for db in (1, 2):
            self.open(client, db, self.TABLES)
        many = HEAVY.replace("1000000000", "5000").replace("SELECT count(*)", "SELECT x, x")
        self.assertEqual(client.exec(1, "INSERT INTO t " + many).get("changed"), 5000)
        client.ask("send", db=1, options={})
        interrupted = 0
        for n in range(100):
            request = client.put("receive", db=2, options={})
            time.sleep(n * 0.003)
            client.put("interrupt", of=request)
            answer = client.get(request)
            if "error" not in answer:
                break
            self.assertEqual(answer["error"]["code"], "interrupted")
            interrupted += 1
            self.assertEqual(client.rows("SELECT count(*) FROM t", 2), [[0]])
            self.assertNotIn("error", client.ask("begin", db=2))
            self.assertNotIn("error", client.ask("rollback", db=2))
        self.assertGreater(interrupted, 0)
        self.assertEqual(client.rows("SELECT count(*) FROM t", 2), [[5000]])

    def test_the_end_of_stdin_ends_it_also_in_the_middle_of_work(self):
        client = self.client()
        for db in (1, 2):
            self.open(client, db, self.TABLES)
        client.ask("begin", db=2)
        client.exec(2, "INSERT INTO t VALUES (1, 1)")
        client.put("query", db=1, sql=HEAVY, params=[])
        self.assertEqual(client.end(within=3), 0)
        with sqlite3.connect(self.file(2)) as connection:
            self.assertEqual(connection.execute("SELECT count(*) FROM t").fetchone(), (0,))
        connection.close()

    def test_what_is_printed_goes_to_the_log(self):
        program = "import importlib.util, sys\n" + SUDDEN.split("\n", 2)[2].split("link, moment")[0]
        program += "driver = skeleton.Driver(skeleton.Engine())\nprint('a remark')\ndriver.run()"
        client = self.client([sys.executable, "-c", program, SKELETON])
        self.assertEqual(client.hello["name"], "directory")
        self.assertEqual(client.end(), 0)
        with open(os.path.join(self.directory, "stderr.log")) as log:
            self.assertEqual(log.read(), "a remark\n")


class Crashes(WithDirectory):
    TABLES = ["CREATE TABLE t (id INTEGER PRIMARY KEY, v)"]

    def test_a_push_whose_answer_was_lost_is_there_once(self):
        for moment, pushed in (("before", 0), ("after", 1), ("fails", 1)):
            with self.subTest(moment=moment):
                self.setUp()
                client = self.client([sys.executable, "-c", SUDDEN, SKELETON, moment])
                self.open(client, 1, self.TABLES)
                client.exec(1, "INSERT INTO t VALUES (1, 'first')")
                answer = client.get(client.put("send", db=1, options={}))
                self.assertEqual(len(self.pushes()), pushed)
                if moment == "fails":  # The same process goes on.
                    self.assertEqual(answer["error"]["message"], "the answer was lost")
                else:
                    self.assertIsNone(answer)
                    client.kill()
                    client = self.client()
                    self.open(client, 1, self.TABLES)
                    self.assertEqual(client.ask("unsent", db=1)["unsent"], not pushed)
                self.open(client, 2, self.TABLES)
                # Another database replaces the row. Sent a second time, the first push would win.
                client.ask("receive", db=2, options={})
                client.exec(2, "INSERT OR REPLACE INTO t VALUES (1, 'second')")
                client.ask("send", db=2, options={})
                client.ask("send", db=1, options={})
                self.assertEqual(len(self.pushes()), 2)
                self.assertFalse(client.ask("unsent", db=1)["unsent"])
                for db in (1, 2):
                    client.ask("receive", db=db, options={})
                    expected = "second" if pushed else "first"
                    self.assertEqual(client.rows("SELECT v FROM t", db), [[expected]])
                self.assertEqual(client.end(), 0)

    def test_a_directory_that_fails_is_the_servers_fault_and_loses_nothing(self):
        client = self.client()
        for db in (1, 2):
            self.open(client, db, self.TABLES)
        client.exec(1, "INSERT INTO t VALUES (1, 1)")
        pushes = os.path.join(self.directory, "pushes")
        os.rename(pushes, pushes + ".away")
        self.assertEqual(client.ask("send", db=1, options={})["error"]["where"], "server")
        os.rename(pushes + ".away", pushes)
        self.assertTrue(client.ask("unsent", db=1)["unsent"])
        client.ask("send", db=1, options={})
        client.ask("receive", db=2, options={})
        self.assertEqual(client.rows("SELECT * FROM t", 2), [[1, 1]])

    def test_two_drivers_share_one_directory(self):
        first, second = self.client(), self.client()
        for client, db in ((first, 1), (second, 2)):
            self.open(client, db, self.TABLES)
        for n in range(40):
            requests = []
            for client, db in ((first, 1), (second, 2)):
                client.exec(db, "INSERT INTO t VALUES (:id, :v)", {"id": 2 * n + db, "v": db})
                requests.append((client, client.put("send", db=db, options={})))
            for client, request in requests:
                self.assertNotIn("error", client.get(request))
        self.assertEqual(self.pushes(), [f"{n:08}.json" for n in range(1, 81)])
        for client, db in ((first, 1), (second, 2)):
            client.ask("receive", db=db, options={})
            self.assertEqual(client.rows("SELECT count(*), sum(v) FROM t", db), [[80, 120]])


class Model:
    """What must be seen. A change is (table, key) -> row, or None for a row that is gone."""

    def __init__(self):
        self.pushes = []  # (db, changes)
        self.replicas = {}

    def add(self, db):
        self.replicas[db] = {"position": 0, "waiting": {}, "open": None}

    def rows(self, db):
        replica = self.replicas[db]
        layers = [changes for _, changes in self.pushes[: replica["position"]]]
        layers += [changes for who, changes in self.pushes[replica["position"] :] if who == db]
        layers += [replica["waiting"], replica["open"] or {}]
        return self.fold(layers)

    @staticmethod
    def fold(layers):
        rows = {}
        for changes in layers:
            rows.update(changes)
        return {key: row for key, row in rows.items() if row is not None}

    def write(self, db, changes):
        replica = self.replicas[db]
        target = replica["waiting"] if replica["open"] is None else replica["open"]
        for key, row in changes.items():
            target.pop(key, None)  # 1 and 1.0 are one key: the dict would keep the older spelling.
            target[key] = row

    def push(self, db):
        replica = self.replicas[db]
        self.pushes.append((db, replica["waiting"]))
        replica["waiting"] = {}


class RandomOperations(WithDirectory):
    ODD = 'odd "table" \'name\''
    TABLES = [
        'CREATE TABLE "odd ""table"" \'name\'" ("select" INTEGER PRIMARY KEY, "a ""b""", "c d")',
        "CREATE TABLE pairs (v, a NOT NULL, w, b NOT NULL, PRIMARY KEY (b, a)) WITHOUT ROWID",
        "CREATE TABLE mixed (id PRIMARY KEY, v, twice GENERATED ALWAYS AS (id || id) VIRTUAL, w)",
        "CREATE INDEX mixed_v ON mixed (v)",
        "CREATE TABLE three (x TEXT, y INTEGER, z BLOB, v, PRIMARY KEY (x, y, z))",
    ]
    # Table: columns, places of the key in them.
    SHAPES = {
        ODD: (["select", 'a "b"', "c d"], [0]),
        "pairs": (["v", "a", "w", "b"], [3, 1]),
        "mixed": (["id", "v", "w"], [0]),
        "three": (["x", "y", "z", "v"], [0, 1, 2]),
    }

    def key(self, table):
        pick = self.random.choice
        if table == self.ODD:
            return (pick([1, 2, 3, 4, -(2**63), 2**63 - 1, 2**53 + 1]),)
        if table == "pairs":
            return (pick([1, "1", b"1", 2.5]), pick(["a", "b", 1, 1.0]))
        if table == "mixed":
            return (pick([1, 1.0, "1", b"1", 2**62, 0.1, "", b"", "nul\0"]),)
        return (pick(["", "x", "1"]), pick([0, 1, 2**60]), pick([b"", b"\0", "t"]))

    def row(self, table, key):
        columns, places = self.SHAPES[table]
        row = [self.random.choice(VALUES) for _ in columns]
        for place, value in zip(places, key):
            row[place] = value
        return row

    def statement(self, db):
        """A random write: its SQL, its parameters, and the changes it makes by the model (None: it must fail)."""
        table = self.random.choice(list(self.SHAPES))
        columns, places = self.SHAPES[table]
        name = '"' + table.replace('"', '""') + '"'
        names = ['"' + column.replace('"', '""') + '"' for column in columns]
        rows = {key: row for (of, key), row in self.model.rows(db).items() if of == table}
        key, other = self.key(table), self.key(table)
        if rows and self.random.random() < 0.5:
            key = self.random.choice(list(rows))
        row = self.row(table, key)
        parameters = {f"p{n}": value for n, value in enumerate(row)}
        marks = ", ".join(f":p{n}" for n in range(len(row)))
        insert = f"INTO {name} ({', '.join(names)}) VALUES ({marks})"
        where = " AND ".join(f"{names[place]} = :k{n}" for n, place in enumerate(places))
        keyed = {f"k{n}": value for n, value in enumerate(key)}
        there = rows.get(key)
        rest = [place for place in range(len(columns)) if place not in places]
        kind = self.random.choice(["insert", "replace", "ignore", "upsert", "update", "delete", "again", "move", "move over", "all"])
        if kind == "insert":
            return "INSERT " + insert, [parameters], None if there else {(table, key): row}
        if kind == "replace":
            return "REPLACE " + insert, [parameters], {(table, key): row}
        if kind == "ignore":
            return "INSERT OR IGNORE " + insert, [parameters], {} if there else {(table, key): row}
        if kind == "upsert":
            sets = ", ".join(f"{names[place]} = excluded.{names[place]}" for place in rest)
            target = ", ".join(names[place] for place in places)
            after = row if there is None else [row[place] if place in rest else there[place] for place in range(len(row))]
            return f"INSERT {insert} ON CONFLICT ({target}) DO UPDATE SET {sets}", [parameters], {(table, key): after}
        if kind == "update":
            sets = ", ".join(f"{names[place]} = :p{place}" for place in rest)
            used = {**{f"p{place}": row[place] for place in rest}, **keyed}
            after = there and [row[place] if place in rest else there[place] for place in range(len(row))]
            return f"UPDATE {name} SET {sets} WHERE {where}", [used], {(table, key): after} if there else {}
        if kind == "delete":
            return f"DELETE FROM {name} WHERE {where}", [keyed], {(table, key): None} if there else {}
        if kind == "again":  # Two requests in a row: the row is deleted, then inserted with other values.
            return (f"DELETE FROM {name} WHERE {where}", "INSERT " + insert), [keyed, parameters], {(table, key): row}
        if kind in ("move", "move over"):
            sets = ", ".join(f"{names[place]} = :n{n}" for n, place in enumerate(places))
            used = {**{f"n{n}": value for n, value in enumerate(other)}, **keyed}
            verb = "UPDATE OR REPLACE" if kind == "move over" else "UPDATE"
            if there is None:
                changes = {}
            elif kind == "move" and other in rows and other != key:
                changes = None
            else:
                moved = list(there)
                for place, value in zip(places, other):
                    moved[place] = value
                changes = {(table, key): None}
                changes.pop((table, other), None)
                changes[(table, other)] = moved
            return f"{verb} {name} SET {sets} WHERE {where}", [used], changes
        if self.random.random() < 0.8:  # Seldom: all rows of the table at once.
            return f"DELETE FROM {name} WHERE 0", [{}], {}
        return f"DELETE FROM {name}", [{}], {(table, key): None for key in rows}

    def start(self):
        self.driver = self.client()
        requests = []
        for db in self.model.replicas:
            fields = {"db": db, "file": self.file(db), "user": "ann", "tables": self.TABLES}
            requests.append(self.driver.put("open", **fields))
        for request in requests:  # All databases are opened at the same time.
            self.assertNotIn("error", self.driver.get(request))

    def write(self, db):
        sql, parameters, changes = self.statement(db)
        if isinstance(sql, str):
            sql = (sql,)
        for statement, values in zip(sql, parameters):
            answer = self.driver.exec(db, statement, values)
            self.assertEqual("error" in answer, changes is None, (statement, values, answer))
        self.model.write(db, changes or {})

    def check(self, db):
        expected = self.model.rows(db)
        for table, (columns, _) in self.SHAPES.items():
            names = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
            rows = self.driver.rows(f"SELECT {names} FROM \"" + table.replace('"', '""') + '"', db)
            wanted = [row for (of, _), row in expected.items() if of == table]
            self.assertEqual(typed(rows), typed(wanted), f"database {db}, table {table}")

    def sync_round(self):
        """Every database does something with the directory, all at the same time."""
        asked, known = {}, len(self.model.pushes)
        for db, replica in self.model.replicas.items():
            if replica["open"] is None:
                op = self.random.choice(["send", "send", "receive", "receive", "sync", "unsent"])
                options = {"max_chunks": self.random.randint(1, 3)} if self.random.random() < 0.3 else {}
                asked[db] = (op, options, self.driver.put(op, db=db, options=options))
        answers = {db: self.driver.get(request) for db, (_, _, request) in asked.items()}
        for db, answer in answers.items():
            self.assertNotIn("error", answer, (db, asked[db]))
        # Which push got which number is not foreseeable: the files say whose they are, the model says what they hold.
        for number in range(known + 1, len(self.pushes()) + 1):
            with open(os.path.join(self.directory, "pushes", f"{number:08}.json")) as file:
                db = self.names[json.load(file)["from"]]
            self.assertIn(asked[db][0], ("send", "sync"))
            self.model.push(db)
        for db, (op, options, _) in asked.items():
            replica = self.model.replicas[db]
            if op in ("send", "sync"):
                self.assertEqual(replica["waiting"], {}, f"database {db} sent nothing")
            if op == "unsent":
                self.assertEqual(answers[db]["unsent"], bool(replica["waiting"]))
            if op in ("receive", "sync"):
                before = replica["position"]
                replica["position"] = self.driver.rows("SELECT position FROM _sync_state", db)[0][0]
                others = [who for who, _ in self.model.pushes[before : replica["position"]] if who != db]
                self.assertEqual(answers[db]["chunks"], len(others))
                self.assertLessEqual(len(others), options.get("max_chunks", 10**9))
                if "max_chunks" not in options:
                    self.assertGreaterEqual(replica["position"], known)
                    self.assertTrue(answers[db]["complete"])
                elif not answers[db]["complete"]:
                    self.assertEqual(len(others), options["max_chunks"])

    def learn_names(self):
        for db in self.model.replicas:
            self.names[self.driver.rows("SELECT replica FROM _sync_state", db)[0][0]] = db

    def scenario(self, seed, rounds):
        self.random = random.Random(seed)
        self.model, self.names = Model(), {}
        for db in range(1, self.random.randint(3, 5) + 1):
            self.model.add(db)
        self.start()
        self.learn_names()
        for _ in range(rounds):
            dice = self.random.random()
            db = self.random.choice(list(self.model.replicas))
            replica = self.model.replicas[db]
            if dice < 0.62:
                self.write(db)
            elif dice < 0.72:
                if replica["open"] is None:
                    self.driver.ask("begin", db=db)
                    replica["open"] = {}
                else:
                    end = self.random.choice(["commit", "rollback"])
                    self.assertNotIn("error", self.driver.ask(end, db=db))
                    changes, replica["open"] = replica["open"], None
                    if end == "commit":
                        self.model.write(db, changes)
            elif dice < 0.96:
                self.sync_round()
            elif dice < 0.985:  # Closing gives up an open transaction.
                self.driver.ask("close", db=db)
                replica["open"] = None
                self.open(self.driver, db, self.TABLES)
            else:
                if self.random.random() < 0.5:
                    self.driver.kill()
                else:
                    self.assertEqual(self.driver.end(), 0)
                for other in self.model.replicas.values():
                    other["open"] = None
                self.start()
            self.check(db)
        for db, replica in self.model.replicas.items():
            self.driver.ask("rollback", db=db)
            replica["open"] = None
            self.driver.ask("send", db=db, options={})
            if replica["waiting"]:
                self.model.push(db)
        self.assertEqual(len(self.pushes()), len(self.model.pushes))
        new = len(self.model.replicas) + 1
        self.model.add(new)
        self.open(self.driver, new, self.TABLES)
        for db, replica in self.model.replicas.items():
            self.driver.ask("receive", db=db, options={})
            replica["position"] = len(self.model.pushes)
            self.check(db)
            self.assertIs(self.driver.ask("unsent", db=db)["unsent"], False)
            self.assertEqual(self.driver.rows("SELECT * FROM _sync_log", db), [], "the log is empty when all is settled")
        everything = self.model.rows(new)
        answer = self.driver.ask("server_query", sql="SELECT count(*) FROM mixed WHERE id IS NOT ?", params=["1"])
        count = sum(1 for table, key in everything if table == "mixed" and key != ("1",))
        self.assertEqual(answer.get("rows"), [[count]], answer)
        self.assertEqual(self.driver.end(), 0)

    def test_replicas_show_what_the_model_says(self):
        seeds = [int(os.environ["SEED"])] if "SEED" in os.environ else range(5)
        for seed in seeds:
            with self.subTest(seed=seed):
                self.setUp()
                self.scenario(seed, int(os.environ.get("ROUNDS", 250)))


if __name__ == "__main__":
    unittest.main()
