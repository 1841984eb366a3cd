"""kafka-connect-watcher: looks at all connectors every few seconds and restarts those that
failed; one that is paused it pauses, restarts and resumes."""

import os
import re
import subprocess
import sys
import tempfile

from walk import URL, ask, await_states, eventually, failing, name, settled, source

broken, resting = name("broken"), name("resting")

CONFIG = f"""
clusters:
- hostname: connect
  name: under-test
  url: {URL}
  evaluation_rules:
  - include_regex: ['{re.escape(name(""))}.*']
    auto_correct_actions:
    - action: restart
watch_interval: 2s
"""

settled(ask, "PUT", f"/connectors/{broken}/config", failing("connector-failure", 3000))
settled(ask, "PUT", f"/connectors/{resting}/config", source(resting))
await_states(resting, "RUNNING", "RUNNING")
ask("PUT", f"/connectors/{resting}/pause")
await_states(resting, "PAUSED", "PAUSED")
await_states(broken, "FAILED", "RUNNING")

with tempfile.TemporaryDirectory() as folder:
    path, log = os.path.join(folder, "watcher.yaml"), os.path.join(folder, "watcher.log")
    with open(path, "w") as f:
        f.write(CONFIG)
    with open(log, "w") as out:
        watcher = subprocess.Popen([sys.executable, "-m", "kafka_connect_watcher.cli", "-c", path], stdout=out, stderr=out,
                                   env=dict(os.environ, PYTHONUNBUFFERED="1"))
    try:
        await_states(resting, "RUNNING", "RUNNING")
        await_states(broken, "RUNNING", "RUNNING")
        said = eventually("it tells of the restart", lambda: (lambda text: text if "Applied corrective action 'restart' to connector "
                          + broken in text else None)(open(log).read()))
        assert "Failed to process the cluster" not in said or "409" in said or "rebalance" in said, said
    except AssertionError:
        sys.stderr.write(open(log).read())
        raise
    finally:
        watcher.kill()
        watcher.wait()
for connector in broken, resting:
    settled(ask, "DELETE", f"/connectors/{connector}")
