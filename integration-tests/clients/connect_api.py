"""kafka-connect-api, the library below the watcher: objects for clusters, connectors, tasks."""

from kafka_connect_api.errors import GenericConflict, GenericNotFound
from kafka_connect_api.kafka_connect_api import Api, Cluster, Connector

from walk import URL, ask, await_states, eventually, name, settled, source

host, port = URL.split("//")[1].split(":")
for api in Api(url=URL), Api(hostname=host, port=int(port), protocol="http"):
    assert api.get("/")["version"]
cluster = Cluster(api)
connector = Connector(cluster, name("one"))


def retried(f, *args):
    def once():
        try:
            f(*args)
            return True
        except GenericConflict:  # a rebalance
            return False

    eventually(f"{f} is not refused", once)


assert cluster.version and cluster.kafka_cluster


def missing(f):
    """exists() raises what it wants to tell."""
    try:
        f()
        return False
    except GenericNotFound as e:
        return e.code == 404


assert missing(connector.exists) and missing(lambda: connector.status)


def configure(config):
    connector.config = config


retried(configure, source(connector.name))
await_states(connector.name, "RUNNING", "RUNNING")
assert connector.exists() and cluster.connectors[connector.name].name == connector.name
assert settled(lambda: connector.config)["topic"] == connector.name
assert connector.connector_class.endswith("VerifiableSourceConnector")
assert connector.state == "RUNNING" and connector.status["type"] == "source"
(task,) = settled(lambda: connector.tasks)
assert task.id == 0 and task.config["topic"] == connector.name and task.is_running() and task.status["worker_id"]
retried(task.restart)
await_states(connector.name, "RUNNING", "RUNNING")
retried(connector.restart)
retried(connector.restart_all_tasks)
connector.pause()
await_states(connector.name, "PAUSED", "PAUSED")
connector.resume()
await_states(connector.name, "RUNNING", "RUNNING")
retried(connector.cycle_connector)
await_states(connector.name, "RUNNING", "RUNNING")

assert cluster.root_logger["level"], cluster.loggers
logger = next(one for one in cluster.loggers if one != "root")
assert logger in cluster.set_logger_log_level(logger, "DEBUG")
assert cluster.loggers[logger]["level"] == "DEBUG"
cluster.root_logger = "INFO"
assert cluster.root_logger["level"] == "INFO"

retried(connector.delete)
eventually("it is gone", lambda: missing(connector.exists))
