//go:build integration

package differential

import "testing"

func TestPauseResumeStop(t *testing.T) {
	const status, c = "GET /connectors/s/status", "/connectors/s"
	running, paused, stopped := state("s", "RUNNING [RUNNING RUNNING]"), state("s", "PAUSED [PAUSED PAUSED]"), state("s", "STOPPED []")
	compare(t, []step{
		{name: "pause an unknown one", req: "PUT /connectors/s/pause"},
		{name: "resume an unknown one", req: "PUT /connectors/s/resume"},
		{name: "stop an unknown one", req: "PUT /connectors/s/stop", alone: "An unknown connector is stopped, standalone"},
		{name: "create", req: "PUT " + c + "/config", body: `{"connector.class":"VerifiableSource","topic":"differential-s-{{side}}","throughput":"20","tasks.max":"2"}`, until: running},
		{name: "resume a running one", req: "PUT " + c + "/resume", until: running},
		{name: "pause", req: "PUT " + c + "/pause", until: paused},
		{name: "paused", req: status},
		{name: "pause again", req: "PUT " + c + "/pause", until: paused},
		{name: "task of a paused one", req: "GET " + c + "/tasks/1/status"},
		{name: "stop a paused one", req: "PUT " + c + "/stop", until: stopped},
		{name: "stopped", req: status},
		{name: "tasks of a stopped one", req: "GET " + c + "/tasks"},
		{name: "task of a stopped one", req: "GET " + c + "/tasks/0/status"},
		{name: "info of a stopped one", req: "GET " + c},
		{name: "stop again", req: "PUT " + c + "/stop", until: stopped},
		{name: "pause a stopped one", req: "PUT " + c + "/pause", until: state("s", "PAUSED []")},
		{name: "paused again", req: status},
		{name: "resume", req: "PUT " + c + "/resume", until: running},
		{name: "running", req: status},
		{name: "resume again", req: "PUT " + c + "/resume", until: running},
		{name: "stop a running one", req: "PUT " + c + "/stop", until: stopped},
		{name: "resume a stopped one", req: "PUT " + c + "/resume", until: running},
		{name: "pause with a body", req: "PUT " + c + "/pause", body: `{"a":1}`, until: paused},
		{name: "pause with a body that is no JSON", req: "PUT " + c + "/pause", body: `{`, until: paused},
		{name: "pause with a text", req: "PUT " + c + "/pause", header: "Content-Type: text/plain", body: `x`},
		{name: "resume with parameters", req: "PUT " + c + "/resume?x=1&forward=true", until: running},
		{name: "stop with a forward parameter", req: "PUT " + c + "/stop?forward=false", until: stopped},
		{name: "stop with a body", req: "PUT " + c + "/stop", body: `[1]`, until: stopped},
		remove("s"),
		{name: "pause a deleted one", req: "PUT " + c + "/pause"},
		{name: "resume a deleted one", req: "PUT " + c + "/resume"},
		{name: "stop a deleted one", req: "PUT " + c + "/stop", alone: "An unknown connector is stopped, standalone"},
		{name: "status of a deleted one", req: status},
		{name: "tasks of a deleted one", req: "GET " + c + "/tasks"},
		{name: "create again, not paused any more", req: "PUT " + c + "/config", body: `{` + quiet + `}`, until: state("s", "RUNNING [RUNNING]")},
		remove("s"),
	})
}

func TestExpand(t *testing.T) {
	steps := []step{
		{name: "create a source", req: "PUT /connectors/x1/config", body: `{` + quiet + `}`, until: state("x1", "RUNNING [RUNNING]")},
		{name: "create a stopped one", req: "POST /connectors", body: post("x2", `,"initial_state":"STOPPED"`), until: state("x2", "STOPPED []")},
		{name: "create one that fails", req: "PUT /connectors/x3/config", body: `{"connector.class":"MockSource","mock_mode":"task-failure","delay_ms":"0"}`, until: state("x3", "RUNNING [FAILED]")},
	}
	for _, q := range []string{"", "?", "?expand", "?expand=", "?expand=status", "?expand=info", "?expand=status&expand=info", "?expand=info&expand=status", "?expand=info&expand=info",
		"?expand=INFO", "?expand=x", "?expand=x&expand=info", "?expand=status,info", "?expand=info;x=1", "?expand=%69nfo", "?Expand=info", "?expand=info&forward=true", "?x=1", "?&&", "?expand=+info", "?expand=info#x"} {
		steps = append(steps, step{name: "list" + q, req: "GET /connectors" + q})
	}
	compare(t, append(steps, remove("x1"), remove("x2"), remove("x3")))
}
