"""kafka-connect-manager: the command line kcm."""

import json
import os
import subprocess
import sys
import tempfile

from walk import URL, await_states, eventually, failing, name, source

# kcm drops signs that it thinks unfit for a URL from names.
good, bad = (name(what).replace("-", "").replace("_", "") for what in ("good", "bad"))


def kcm(*args, wrong=False):
    done = subprocess.run([sys.executable, "-m", "kafka_connect_manager", "--host", URL, *args], capture_output=True, text=True,
                          env=dict(os.environ, COLUMNS="200", NO_COLOR="1"))
    assert (done.returncode != 0) == wrong, (args, done)
    return done.stdout + done.stderr


with tempfile.TemporaryDirectory() as folder:
    def config(connector, settings):
        path = os.path.join(folder, connector)
        with open(path, "w") as f:
            json.dump({"name": connector, "config": settings}, f)
        return path

    for connector, settings in (good, source(good)), (bad, failing("task-failure", 0)):
        assert "Connector Registered" in kcm("add", "-f", config(connector, settings))
    await_states(good, "RUNNING", "RUNNING")
    await_states(bad, "RUNNING", "FAILED")
    assert "already exists" in kcm("add", "-f", config(good, source(good)), wrong=True)

    def listed():
        text = kcm("list", "--type", "source")
        return good in text and bad in text and "VerifiableSourceConnector" in text

    eventually("both are listed", listed)
    assert good not in kcm("list", "--type", "sink")
    status = kcm("status", "--connector", bad)
    assert "FAILED" in status and "java.lang.RuntimeException" in status and URL.split("//")[1] in status, status
    eventually("the change is accepted", lambda: "Connector Updated" in kcm("update", good, "-f", config(good, dict(source(good), throughput="10"))))
