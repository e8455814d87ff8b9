#!/usr/bin/env python3
"""Tests that each lie of liar.py is told: a lie that does nothing would make every check of `stress` look good.

    python3 tests/drivers/test_liar.py
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import liar
import test_skeleton

LIAR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "liar.py")
TABLES = ["CREATE TABLE t (id TEXT PRIMARY KEY, user TEXT, v INTEGER)"]


class Raw:
    """A driver with its raw output: lines, and how it ended."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, LIAR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.lines, self.stderr, self.ids = [], b"", 0
        for target in (self.read_lines, self.read_stderr):
            threading.Thread(target=target, daemon=True).start()

    def read_lines(self):
        with self.process.stdout as stdout:
            for line in stdout:
                self.lines.append(line)

    def read_stderr(self):
        with self.process.stderr as stderr:
            self.stderr = stderr.read()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def put(self, op, **fields):
        self.ids += 1
        self.process.stdin.write(json.dumps({"id": self.ids, "op": op, **fields}).encode() + b"\n")
        self.process.stdin.flush()
        return self.ids

    def settle(self, count, quiet=0.05):
        """Waits for so many lines, or for the end of the process, then a moment for lines too many."""
        end = time.time() + 10
        while len(self.lines) < count and self.process.poll() is None and time.time() < end:
            time.sleep(0.005)
        time.sleep(quiet)


class AboutTheProtocol(unittest.TestCase):
    FIELDS = {
        "send": {"options": {}},
        "receive": {"options": {}},
        "query": {"sql": "SELECT 1 AS a, 2 AS b", "params": []},
        "exec": {"sql": "INSERT INTO t VALUES ('a', 'ann', 1)", "names": [], "rows": [[]]},
        "unsent": {},
        "begin": {},
        "commit": {},
        "close": {},
        "server_query": {"sql": "SELECT 1", "params": []},
    }

    def lie(self, name, count=None, quiet=0.05, **settings):
        """Says hello, opens a database, and makes the request in which the lie is told."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        raw = Raw()
        self.addCleanup(raw.end)
        op = settings.get("op") or liar.LIES.get(name, (None, None))[1] or "send"
        raw.put("hello", version=1, settings={"lie": name, **settings}, databases=2, directory=directory)
        raw.put("open", db=1, file=os.path.join(directory, "1.db"), user="ann", tables=TABLES)
        if op in self.FIELDS:
            raw.settle(2, quiet=0)
            raw.put(op, db=1, **self.FIELDS[op])
        raw.settle(count or raw.ids, quiet)
        return raw

    def answers(self, raw):
        return [json.loads(line) for line in raw.lines]

    def test_without_a_lie_all_is_answered(self):
        raw = self.lie(None)
        self.assertEqual([answer["id"] for answer in self.answers(raw)], [1, 2, 3])
        raw.process.stdin.close()
        self.assertEqual(raw.process.wait(5), 0)
        self.assertIn("no lie has the name", self.answers(self.lie("unheard", 1))[0]["error"]["message"])

    def test_silence(self):
        self.assertEqual(len(self.lie("silent", 2, quiet=0.3).lines), 2)
        self.assertEqual([answer["id"] for answer in self.answers(self.lie("no_hello", 1, quiet=0.3))], [2])
        raw = self.lie("late", seconds=0.5)
        self.assertEqual(len(raw.lines), 3)
        self.assertEqual(len(self.lie("late", 2, quiet=0.2, seconds=5).lines), 2)
        raw = self.lie("closes_stdout", 2, quiet=0.2)
        self.assertEqual((len(raw.lines), raw.process.poll()), (2, None))
        self.assertEqual(len(self.lie("stops_reading", 2, quiet=0.3).lines), 2)

    def test_lines_that_are_wrong(self):
        raw = self.lie("torn")
        self.assertEqual((raw.process.wait(5), raw.lines[2][-1:] == b"\n"), (0, False))
        self.assertEqual(self.lie("nonsense").lines[2], b"all is well\n")
        lines = self.lie("noise", 4).lines
        self.assertEqual((lines[2], json.loads(lines[3])["id"]), (b"debug: about to answer\n", 3))
        self.assertIn(b"\xff", self.lie("bad_utf8").lines[2])
        self.assertIsInstance(json.loads(self.lie("no_object").lines[2]), list)
        self.assertEqual([answer["id"] for answer in self.answers(self.lie("wrong_id"))], [1, 2, 1_000_003])
        self.assertEqual([answer["id"] for answer in self.answers(self.lie("text_id"))], [1, 2, "3"])
        self.assertEqual([answer["id"] for answer in self.answers(self.lie("twice", 4))], [1, 2, 3, 3])
        self.assertEqual([answer["id"] for answer in self.answers(self.lie("unasked", 4))], [1, 2, 1_000_003, 3])
        self.assertGreater(len(self.lie("huge_line").lines[2]), 64 * 2**20)

    def test_fields_that_are_wrong(self):
        self.assertEqual(self.answers(self.lie("wrong_version"))[0]["error"]["code"], "bad_version")
        self.assertEqual(self.answers(self.lie("bad_shape"))[2], {"id": 3, "columns": {"is": "wrong"}, "rows": {"is": "wrong"}})
        self.assertEqual(self.answers(self.lie("empty_answer"))[2], {"id": 3})
        self.assertEqual(self.answers(self.lie("short_row"))[2]["rows"], [[1]])
        self.assertEqual(self.answers(self.lie("wrong_count"))[2]["changed"], 2)
        self.assertIs(self.answers(self.lie("never_complete"))[2]["complete"], False)
        self.assertEqual(self.answers(self.lie("server_hides_row"))[2]["rows"], [])
        answer = self.answers(self.lie("fails", error={"code": "busy", "http": 503, "where": "server"}))[2]
        self.assertEqual((answer["error"]["http"], answer["error"]["where"]), (503, "server"))

    def test_ends(self):
        for op in ("hello", "open", "begin", "exec", "query", "send", "receive", "close", "commit", "unsent"):
            raw = self.lie("dies_in", op=op)
            self.assertEqual(raw.process.wait(5), 3, op)
            time.sleep(0.05)
            self.assertIn(f"dies in {op}".encode(), raw.stderr)
        self.assertEqual(self.lie("dies_by_signal").process.wait(5), -9)
        raw = self.lie("never_ends")
        raw.process.stdin.close()
        with self.assertRaises(subprocess.TimeoutExpired):
            raw.process.wait(0.5)
        raw = self.lie("stderr_flood")
        raw.process.stdin.close()
        raw.process.wait(5)
        time.sleep(0.2)
        self.assertGreaterEqual(len(raw.stderr), 10 * 2**20)

    def test_interrupts(self):
        for name, answered in (("slow", True), ("ignores_interrupt", False)):
            raw = self.lie(name, 2)
            raw.put("interrupt", of=3)
            raw.settle(4 if answered else 3, quiet=0.3)
            answers = {answer["id"]: answer for answer in self.answers(raw)}
            self.assertIn(4, answers)
            self.assertEqual(answers.get(3, {}).get("error", {}).get("code"), "interrupted" if answered else None)


class AboutData(test_skeleton.WithDirectory):
    """Three databases write, sync, change, delete, sync. What they hold then is compared with the truth."""

    TRUTH = [["a", "ann", 2], ["c", "cy", 1]]
    USERS = {1: "ann", 2: "bob", 3: "cy"}

    def play(self, lie, new=False, **settings):
        settings = {"lie": lie, **settings}
        client = self.client([sys.executable, LIAR], databases=3, settings=settings)
        self.assertNotIn("error", client.hello, client.hello)
        for db, user in self.USERS.items():
            client.ask("open", db=db, file=self.file(db), user=user, tables=TABLES)
        client.exec(1, "INSERT INTO t VALUES ('a', 'ann', 1), ('b', 'bob', 1)")
        client.exec(3, "INSERT INTO t VALUES ('c', 'cy', 1)")
        self.sync(client)
        client.exec(2, "UPDATE t SET v = 2 WHERE id = 'a'")
        client.exec(2, "DELETE FROM t WHERE id = 'b'")
        self.sync(client)
        self.sync(client)
        if new:
            client.ask("open", db=4, file=self.file(4), user="ann", tables=TABLES)
            client.ask("receive", db=4, options={})
        return client

    def sync(self, client):
        for op in ("send", "receive"):
            for db in self.USERS:
                self.assertNotIn("error", client.ask(op, db=db, options={}))

    def states(self, client):
        return [client.rows("SELECT * FROM t ORDER BY id", db) for db in self.USERS]

    def test_without_a_lie_all_is_true(self):
        client = self.play(None, new=True)
        self.assertEqual(self.states(client), [self.TRUTH] * 3)
        self.assertEqual(client.rows("SELECT * FROM t ORDER BY id", 4), self.TRUTH)

    def test_lies_that_all_databases_agree_on(self):
        a, b, c = ["a", "ann", 2], ["b", "bob", 1], ["c", "cy", 1]
        for name, db, expected in [
            ("lose_row_everywhere", 2, [c]),
            ("resurrect", 2, [a, b, c]),
            ("stale", 2, [["a", "ann", 1], c]),
            ("phantom", 1, [a, c, ["nobody-a", "ann?", 0]]),
            ("duplicate", 1, [a, c, ["nobody-a", "ann", 1]]),
            ("corrupt_value_everywhere", 2, [["a", "ann?", 2], c]),
            ("swap_user", 3, [a, ["c", "ann", 1]]),
        ]:
            with self.subTest(lie=name):
                self.setUp()
                self.assertEqual(self.states(self.play(name, db=db)), [expected] * 3)

    def test_lies_that_databases_differ_in(self):
        a, b, c = ["a", "ann", 2], ["b", "bob", 1], ["c", "cy", 1]
        for name, settings, expected in [
            ("lose_row", {"db": 3}, [[a], [a], [a, c]]),
            ("lose_delete", {"db": 2}, [[a, b, c], [a, c], [a, b, c]]),
            ("corrupt_value", {"db": 3}, [[a, ["c", "cy?", 1]], [a, ["c", "cy?", 1]], [a, c]]),
            ("corrupt_value", {"db": 3, "column": "v"}, [[a, ["c", "cy", 0]], [a, ["c", "cy", 0]], [a, c]]),
            ("drop_received_row", {"db": 2, "after": 1}, [[a, c], [a], [a, c]]),
            ("drop_received_delete", {"db": 3}, [[a, c], [a, c], [a, b, c]]),
            ("corrupt_received_value", {"db": 1}, [[a, ["c", "cy?", 1]], [a, c], [a, c]]),
            ("forget_send", {"db": 3}, [[a], [a], [a, c]]),
            ("skip_receive", {"db": 1, "after": 1}, [[["a", "ann", 1], b, c], [a, c], [a, c]]),
        ]:
            with self.subTest(lie=name):
                self.setUp()
                self.assertEqual(self.states(self.play(name, **settings)), expected)

    def test_lies_that_pass(self):
        client = self.play("empty_bootstrap", new=True, times=0)
        self.assertEqual(self.states(client), [self.TRUTH] * 3)
        self.assertEqual(client.rows("SELECT * FROM t", 4), [])

        self.setUp()
        client = self.play("back_in_time", db=1, times=0)
        self.assertEqual(self.states(client), [[["a", "ann", 1], ["c", "cy", 1]], self.TRUTH, self.TRUTH])

        self.setUp()
        client = self.client([sys.executable, LIAR], settings={"lie": "half_push"})
        for db in (1, 2):
            client.ask("open", db=db, file=self.file(db), user="ann", tables=TABLES)
        client.exec(1, "INSERT INTO t VALUES ('x', '', 1), ('y', '', 1)")
        for seen in (1, 2):
            client.ask("send", db=1, options={})
            client.ask("receive", db=2, options={})
            self.assertEqual(client.rows("SELECT count(*) FROM t", 2), [[seen]])

        self.setUp()
        client = self.client([sys.executable, LIAR], settings={"lie": "overwrite_waiting"})
        for db in (1, 2):
            client.ask("open", db=db, file=self.file(db), user="ann", tables=TABLES)
            client.exec(db, "INSERT INTO t VALUES ('x', '', :v)", {"v": db})
        client.ask("send", db=1, options={})
        client.ask("receive", db=2, options={})
        self.assertEqual(client.rows("SELECT v FROM t", 2), [[1]])

        self.setUp()
        client = self.client([sys.executable, LIAR], settings={"lie": "nothing_unsent"})
        client.ask("open", db=1, file=self.file(1), user="ann", tables=TABLES)
        client.exec(1, "INSERT INTO t VALUES ('x', '', 1)")
        self.assertEqual([client.ask("unsent", db=1)["unsent"] for _ in range(2)], [False, True])

    def test_every_lie_is_tested(self):
        with open(__file__) as file:
            source = file.read()
        self.assertGreaterEqual(len(liar.LIES), 20)
        for name in liar.LIES:
            self.assertIn(f'"{name}"', source)


if __name__ == "__main__":
    unittest.main()
