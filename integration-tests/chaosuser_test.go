//go:build integration

package integration

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/penstock-io/penstock/rest/client"
)

// chaosConnector is a connector with the group it lives in and its config when all is calm.
type chaosConnector struct {
	name    string
	workers []*chaosWorker
	config  map[string]string
	tasks   int // as tasks.max has it
}

// What a user does meanwhile. A request may fail, be done in spite of an error, or be
// undone by the next one: only what is asked for in the end counts.
var userFaults = []fault{
	{3, "change a config", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		con := c.connectors[r.IntN(2)]
		config := maps.Clone(con.config)
		config["tasks.max"] = fmt.Sprint(1 + r.IntN(4))
		if _, sink := config["flush.size"]; sink {
			config["flush.size"] = fmt.Sprint(100 + r.IntN(900))
		}
		c.request(con, r, http.MethodPut, "config", config)
	}},
	{2, "restart a connector", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		con := c.connectors[r.IntN(len(c.connectors))]
		c.request(con, r, http.MethodPost, "restart?includeTasks=true", nil)
	}},
	{1, "pause a connector", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		con := c.connectors[r.IntN(len(c.connectors))]
		c.request(con, r, http.MethodPut, "pause", nil)
		c.wait(between(r, 0, 4))
		c.request(con, r, http.MethodPut, "resume", nil)
	}},
	{1, "stop a connector", func(c *chaos, _ *chaosWorker, r *rand.Rand) {
		con := c.connectors[r.IntN(2)]
		c.request(con, r, http.MethodPut, "stop", nil)
		c.wait(between(r, 0, 4))
		c.request(con, r, http.MethodPut, "resume", nil)
	}},
}

// request asks some worker of the group, once.
func (c *chaos) request(con chaosConnector, r *rand.Rand, method, what string, body any) {
	w := con.workers[r.IntN(len(con.workers))]
	err := c.ask(w, con, method, what, body)
	c.log("user: %s %s/%s at %s: %v", method, con.name, what, w.name, err)
}

func (c *chaos) ask(w *chaosWorker, con chaosConnector, method, what string, body any) error {
	const patience = 15 * time.Second
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	return c.rest.JSON(ctx, method, client.ConnectorURL(w.base, con.name)+"/"+what, body, nil)
}

// calm asks for what is to be in the end, until it is accepted.
func (c *chaos) calm(t *testing.T) {
	t.Helper()
	for _, con := range c.connectors {
		i := 0
		eventually(t, 3*time.Minute, "the user's last requests for "+con.name+" are accepted", func() error {
			w := con.workers[i%len(con.workers)]
			i++
			if err := c.ask(w, con, http.MethodPut, "config", con.config); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			return c.ask(w, con, http.MethodPut, "resume", nil)
		})
	}
	c.log("the user has made the last requests")
}
