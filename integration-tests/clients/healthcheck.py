"""kafka-connect-healthcheck: the server that Kubernetes asks instead of the worker."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request

from walk import URL, ask, await_states, eventually, failing, name, settled, source

good, bad = name("good"), name("bad")
worker_id = URL.split("//")[1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Healthcheck:
    def __init__(self, *args):
        self.port = free_port()
        self.process = subprocess.Popen([sys.executable, "-m", "kafka_connect_healthcheck.main", "--port", str(self.port),
                                         "--connect-url", URL, "--log-level", "CRITICAL", *args])

    def get(self, path="/"):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)

    def __enter__(self):
        eventually("the healthcheck answers", lambda: self.get("/ping") == (200, {"status": "UP"}))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


with Healthcheck() as everything, Healthcheck("--connect-worker-id", worker_id) as here, Healthcheck(
        "--connect-worker-id", "elsewhere:1") as elsewhere, Healthcheck("--unhealthy-states", "PAUSED") as paused:
    settled(ask, "PUT", f"/connectors/{good}/config", source(good))
    await_states(good, "RUNNING", "RUNNING")
    for check in everything, here, elsewhere, paused:
        code, health = check.get()
        assert code == 200 and health["healthy"] and health["failures"] == [], health
    settled(ask, "PUT", f"/connectors/{bad}/config", failing("task-failure", 0))
    status = await_states(bad, "RUNNING", "FAILED")
    for check in everything, here:
        code, health = check.get()
        assert code == 503 and not health["healthy"], health
        assert health["failures"] == [{"type": "task", "connector": bad, "id": 0, "state": "FAILED", "worker_id": worker_id,
                                       "trace": status["tasks"][0]["trace"]}], health
        assert 0 < health["failure_rate"] < 1, health
    for check in elsewhere, paused:
        code, health = check.get()
        assert code == 200 and health["failures"] == [], health
    ask("PUT", f"/connectors/{good}/pause")
    await_states(good, "PAUSED", "PAUSED")
    code, health = paused.get()
    assert code == 503 and {f["type"] for f in health["failures"]} == {"connector", "task"}, health
    for connector in good, bad:
        settled(ask, "DELETE", f"/connectors/{connector}")
