"""kafka-connect-py: its library, and its command line kc."""

import json

import requests
from click.testing import CliRunner
from kafka_connect import KafkaConnect
from kafka_connect.cli import cli

from walk import TOOLS, URL, await_states, eventually, name, settled, source, states

client = KafkaConnect(URL)
one, two = name("one"), name("two")
mine = name(".*")


def refused(status, f, *args):
    try:
        f(*args)
    except requests.HTTPError as e:
        assert e.response is None or e.response.status_code == status, e
        return
    raise AssertionError(f"{f.__name__}{args} was not refused with {status}")


def library():
    info = client.get_cluster_info()
    assert info["version"] and info["commit"] and info["kafka_cluster_id"], info
    plugins = {p["class"]: p for p in client.list_connector_plugins()}
    assert plugins[TOOLS + "VerifiableSourceConnector"]["type"] == "source", plugins
    assert plugins["org.apache.kafka.connect.file.FileStreamSinkConnector"]["version"], plugins

    checked = client.validate_connector_config("VerifiableSourceConnector", dict(source(one), name=one))
    assert checked["error_count"] == 0 and "Common" in checked["groups"], checked
    checked = client.validate_connector_config("VerifiableSourceConnector", dict(source(one), name=one, **{"tasks.max": "x"}))
    errors = {c["value"]["name"]: c["value"]["errors"] for c in checked["configs"] if c["value"]["errors"]}
    assert checked["error_count"] == 2 and list(errors) == ["tasks.max"], errors

    created = settled(client.create_connector, {"name": one, "config": source(one)})
    assert created["name"] == one and created["config"]["topic"] == one and created["type"] == "source", created
    refused(409, client.create_connector, {"name": one, "config": source(one)})
    refused(400, client.create_connector, {"name": name("bad"), "config": dict(source(one), **{"tasks.max": "x"})})
    updated = settled(client.update_connector, two, source(two))
    assert updated["name"] == two, updated
    for connector in one, two:
        status = await_states(connector, "RUNNING", "RUNNING")
        assert client.get_connector_status(connector) == status
        assert ":" in status["connector"]["worker_id"], status
    updated = settled(client.update_connector, two, dict(source(two), throughput="10"))
    assert updated["config"]["throughput"] == "10", updated
    eventually("the new config is shown", lambda: settled(client.get_connector_config, two)["throughput"] == "10")

    assert {one, two} <= set(client.list_connectors())
    assert set(client.list_connectors(pattern=mine)) == {one, two}
    assert set(client.list_connectors(expand="info", pattern=mine)[one]["info"]) >= {"name", "config", "tasks", "type"}
    eventually("both run", lambda: set(client.list_connectors(pattern=mine, state="running")) == {one, two})
    assert states(client.list_connectors(expand="status", pattern=mine)[one]["status"])[0] == "RUNNING"

    assert settled(client.get_connector, one)["tasks"] == [{"connector": one, "task": 0}]
    tasks = settled(client.list_connector_tasks, one)
    assert tasks[0]["id"] == {"connector": one, "task": 0} and tasks[0]["config"]["topic"] == one, tasks
    assert client.get_connector_task_status(one, 0)["state"] == "RUNNING"
    eventually("the topic is known", lambda: client.list_connector_topics(one) == {one: {"topics": [one]}})
    client.reset_connector_topics(one)

    settled(client.restart_connector_task, one, 0)
    await_states(one, "RUNNING", "RUNNING")
    assert settled(client.restart_connector, one) is None
    restarted = settled(client.restart_connector, one, include_tasks=True)
    assert states(restarted) == ["RESTARTING", "RESTARTING"], restarted
    await_states(one, "RUNNING", "RUNNING")
    settled(client.restart_connector, one, include_tasks=True, only_failed=True)
    settled(client.restart_all_connectors, pattern=mine)

    client.pause_connector(one)
    await_states(one, "PAUSED", "PAUSED")
    client.resume_connector(one)
    await_states(one, "RUNNING", "RUNNING")
    client.pause_all_connectors(pattern=mine)
    eventually("both are paused", lambda: set(client.list_connectors(pattern=mine, state="PAUSED")) == {one, two})
    client.resume_all_connectors(pattern=mine)
    await_states(two, "RUNNING", "RUNNING")
    settled(client.stop_connector, two)
    await_states(two, "STOPPED")
    settled(client.stop_all_connectors, pattern=mine)
    await_states(one, "STOPPED")

    settled(client.delete_connector, two)
    settled(client.delete_all_connectors, pattern=mine)
    eventually("both are gone", lambda: client.list_connectors(pattern=mine) == [])
    for method in client.get_connector, client.get_connector_config, client.pause_connector, client.restart_connector:
        settled(refused, 404, method, one)
    # The status goes with the rebalance after.
    eventually("the status is gone", lambda: refused(404, client.get_connector_status, one) or True)


def kc(*args):
    result = CliRunner().invoke(cli, ["--url", URL, "--log-level", "CRITICAL", *args])
    if result.exception is not None:
        raise result.exception
    return json.loads(result.stdout) if result.stdout.strip() else None


def command_line():
    assert kc("info") == client.get_cluster_info()
    assert any(p["type"] == "sink" for p in kc("list-plugins"))
    assert settled(kc, "create", "-d", json.dumps({"name": one, "config": source(one)}))["name"] == one
    await_states(one, "RUNNING", "RUNNING")
    assert settled(kc, "update", one, "-d", json.dumps(dict(source(one), throughput="10")))["config"]["throughput"] == "10"
    assert one in kc("list")
    eventually("it runs", lambda: kc("list", "-e", "status", "-p", mine, "-s", "running")[one]["status"]["name"] == one)
    assert kc("list", "-e", "info", "-p", mine)[one]["info"]["type"] == "source"
    assert settled(kc, "get", one)["name"] == one
    assert settled(kc, "config", one)["name"] == one
    assert kc("status", one)["name"] == one
    assert settled(kc, "list-tasks", one)[0]["id"]["task"] == 0
    await_states(one, "RUNNING", "RUNNING")
    assert kc("task-status", one, "0")["state"] == "RUNNING"
    settled(kc, "restart-task", one, "0")
    settled(kc, "restart", one, "--include-tasks")
    settled(kc, "restart", "--all", "-p", mine)
    await_states(one, "RUNNING", "RUNNING")
    assert one in kc("list-topics", one)
    kc("reset-topics", one)
    kc("pause", one)
    await_states(one, "PAUSED", "PAUSED")
    kc("resume", "--all", "-p", mine)
    await_states(one, "RUNNING", "RUNNING")
    settled(kc, "delete", one)
    eventually("it is gone", lambda: one not in kc("list"))


library()
command_line()
