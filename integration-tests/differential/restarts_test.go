//go:build integration

package differential

import (
	"os"
	"testing"
)

func TestRestart(t *testing.T) {
	const c = "/connectors/r"
	running, paused, stopped := state("r", "RUNNING [RUNNING RUNNING]"), state("r", "PAUSED [PAUSED PAUSED]"), state("r", "STOPPED []")
	topics := followRestarts(t)
	again := func(name, req, body string, c condition) step {
		if standalone {
			c = settled(c)
		}
		return step{name: name, req: req, body: body, until: c, restarts: topics}
	}
	steps := []step{
		{name: "an unknown one", req: "POST /connectors/r/restart", alone: notAsked},
		{name: "an unknown one with tasks", req: "POST /connectors/r/restart?includeTasks=true"},
		{name: "an unknown one, only failed", req: "POST /connectors/r/restart?onlyFailed=true"},
		{name: "an unknown task", req: "POST /connectors/r/tasks/0/restart", alone: notAsked},
		{name: "create", req: "PUT " + c + "/config", body: `{"connector.class":"VerifiableSource","topic":"differential-r-{{side}}","throughput":"20","tasks.max":"2"}`, until: running},
	}
	queries := []string{"", "?includeTasks=false&onlyFailed=false", "?includeTasks=true", "?onlyFailed=true", "?includeTasks=true&onlyFailed=true", "?includeTasks=TRUE&onlyFailed=yes", "?includeTasks=", "?includeTasks", "?includetasks=true",
		"?includeTasks=false&includeTasks=true", "?includeTasks=true&includeTasks=false", "?includeTasks=%74rue", "?includeTasks=true&forward=true", "?onlyFailed=true&forward=false"}
	for _, q := range queries {
		steps = append(steps, again("running"+q, "POST "+c+"/restart"+q, "", running))
	}
	steps = append(steps,
		again("a task", "POST "+c+"/tasks/1/restart", "", running),
		step{name: "a task that is not there", req: "POST " + c + "/tasks/2/restart", alone: notAsked},
		step{name: "a negative task", req: "POST " + c + "/tasks/-1/restart", alone: notAsked},
		step{name: "no number", req: "POST " + c + "/tasks/x/restart"},
		again("with a body", "POST "+c+"/restart", `{"includeTasks":true}`, running),
		step{name: "with a text", req: "POST " + c + "/restart", header: "Content-Type: text/plain", body: "x"},
		again("a task with a body", "POST "+c+"/tasks/0/restart", `{`, running),
		step{name: "by PUT", req: "PUT " + c + "/restart"},
		step{name: "status", req: "GET " + c + "/status"},
		step{name: "pause", req: "PUT " + c + "/pause", until: paused})
	for _, q := range queries[:5] {
		steps = append(steps, again("paused"+q, "POST "+c+"/restart"+q, "", paused))
	}
	steps = append(steps,
		again("a paused task", "POST "+c+"/tasks/0/restart", "", paused),
		step{name: "stop", req: "PUT " + c + "/stop", until: stopped})
	for _, q := range queries[:5] {
		steps = append(steps, again("stopped"+q, "POST "+c+"/restart"+q, "", stopped))
	}
	compare(t, append(steps,
		step{name: "a task of a stopped one", req: "POST " + c + "/tasks/5/restart", alone: notAsked},
		step{name: "stopped still", req: "GET " + c + "/status"},
		remove("r"),
		step{name: "a deleted one", req: "POST " + c + "/restart", alone: notAsked},
	))
}

// TestRestartOfWhatFailed has a connector that fails and one whose task does, until a folder
// is there.
func TestRestartOfWhatFailed(t *testing.T) {
	needWorkers(t)
	const late = `"connector.class":"FileStreamSink","topics":"differential","file":"{{dir}}/late-{{side}}/out","consumer.override.group.id":"late-{{side}}"`
	failed, topics := state("late", "RUNNING [FAILED]"), followRestarts(t)
	compare(t, []step{
		{name: "create", req: "PUT /connectors/late/config", body: `{` + late + `}`, until: failed},
		{name: "its status", req: "GET /connectors/late/status", differs: "Traces"},
		{name: "its task", req: "GET /connectors/late/tasks/0/status", differs: "Traces"},
		{name: "restart the connector", req: "POST /connectors/late/restart", until: failed, restarts: topics},
		{name: "restart what failed, without tasks", req: "POST /connectors/late/restart?onlyFailed=true", until: failed, differs: "Traces", restarts: topics},
		{name: "still failed", req: "GET /connectors/late/status", differs: "Traces"},
		{name: "pause", req: "PUT /connectors/late/pause", until: state("late", "PAUSED [FAILED]")},
		{name: "a failed task of a paused one", req: "GET /connectors/late/status", differs: "Traces"},
		{name: "resume", req: "PUT /connectors/late/resume", until: failed},
	})
	for _, w := range []*worker{&jvm, &ours} {
		if err := os.Mkdir(sharedDir+"/late-"+w.side, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	running := state("late", "RUNNING [RUNNING]")
	compare(t, []step{
		{name: "restart what failed", req: "POST /connectors/late/restart?onlyFailed=true&includeTasks=true", until: running, differs: "Traces", restarts: topics},
		{name: "it runs", req: "GET /connectors/late/status"},
		{name: "nothing has failed", req: "POST /connectors/late/restart?onlyFailed=true&includeTasks=true", until: running, restarts: topics},
		{name: "delete", req: "DELETE /connectors/late", until: gone("late")},
		{name: "a task that fails", req: "PUT /connectors/f/config", body: `{"connector.class":"MockSource","mock_mode":"task-failure","delay_ms":"0"}`, until: state("f", "RUNNING [FAILED]")},
		{name: "its status", req: "GET /connectors/f/status"},
		{name: "stop a failed one", req: "PUT /connectors/f/stop", until: state("f", "STOPPED []")},
		{name: "its status then", req: "GET /connectors/f/status"},
		{name: "a connector that fails", req: "PUT /connectors/f/config", body: `{"connector.class":"MockSink","topics":"differential","consumer.override.group.id":"f-{{side}}","mock_mode":"connector-failure","delay_ms":"1000"}`, until: state("f", "STOPPED []")},
		{name: "resume it", req: "PUT /connectors/f/resume", until: state("f", "FAILED [RUNNING]")},
		{name: "its status", req: "GET /connectors/f/status"},
		{name: "pause it", req: "PUT /connectors/f/pause", until: state("f", "FAILED [PAUSED]")},
		{name: "paused", req: "GET /connectors/f/status"},
		{name: "mend it", req: "PUT /connectors/f/config", body: `{` + quiet + `}`, until: state("f", "PAUSED [PAUSED]")},
		{name: "resume then", req: "PUT /connectors/f/resume", until: state("f", "RUNNING [RUNNING]")},
		{name: "delete it", req: "DELETE /connectors/f", until: gone("f")},
	})
}
