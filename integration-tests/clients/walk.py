"""What the scripts of this folder share: each drives a client, which somebody else wrote and
nobody changed, through all that it offers, against the worker at a URL."""

import json
import sys
import time
import urllib.error
import urllib.request

# The arguments: the worker's URL, and a prefix for the names of connectors and topics.
URL, PREFIX = sys.argv[1].rstrip("/"), sys.argv[2]

TOOLS = "org.apache.kafka.connect.tools."
JSON = "org.apache.kafka.connect.json.JsonConverter"


def name(what):
    return f"{PREFIX}-{what}"


def source(connector):
    """A source that makes a few records each second."""
    return {
        "connector.class": TOOLS + "VerifiableSourceConnector", "tasks.max": "1", "topic": connector, "throughput": "20",
        "key.converter": JSON, "key.converter.schemas.enable": "false",
        "value.converter": JSON, "value.converter.schemas.enable": "false",
    }


def failing(mode, after_ms):
    """A source that fails some time after each start."""
    return {"connector.class": TOOLS + "MockSourceConnector", "tasks.max": "1", "mock_mode": mode, "delay_ms": str(after_ms)}


def eventually(what, check, seconds=60):
    """Waits until check returns something true, and returns that."""
    deadline, last = time.monotonic() + seconds, None
    while True:
        try:
            last = check()
            if last:
                return last
        except Exception as e:  # clients have all kinds; the last one is shown
            last = repr(e)
        if time.monotonic() > deadline:
            raise AssertionError(f"not after {seconds} s: {what}; it was {last}")
        time.sleep(0.05)


def ask(method, path, body=None):
    """A request without a client, for what is not the client's matter."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json"} if data else {}, method=method)
    with urllib.request.urlopen(request, timeout=100) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def settled(f, *args, **kwargs):
    """Repeats a request that a rebalance refuses, as every user of Connect must."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return f(*args, **kwargs)
        except Exception as e:
            code = getattr(getattr(e, "response", None), "status_code", None) or getattr(e, "code", None)
            if (code != 409 and "409" not in repr(e) and "rebalance" not in repr(e)) or time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def states(status):
    return [status["connector"]["state"]] + [task["state"] for task in status["tasks"]]


def await_states(connector, *want):
    def check():
        status = ask("GET", f"/connectors/{connector}/status")
        return status if states(status) == list(want) else None

    return eventually(f"{connector} is {want}", check)
