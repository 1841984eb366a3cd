package hdfssink

import (
	"errors"
	"maps"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

func TestConnectorCopiesItsConfigToTasks(t *testing.T) {
	for class, c := range map[string]*Connector{TaskClass: NewConnector(), Task3Class: NewConnector3()} {
		if c.TaskClass() != class || c.Version() != Version || c.NewTask() == nil {
			t.Errorf("%s: %s, version %s", class, c.TaskClass(), c.Version())
		}
		if _, err := c.TaskConfigs(2); err == nil {
			t.Error("task configs of a connector that was not started")
		}
		p := props("topics", "orders")
		if err := c.Start(t.Context(), nil, p); err != nil {
			t.Fatal(err)
		}
		p["flush.size"] = "changed"
		configs, err := c.TaskConfigs(2)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []map[string]string{props("topics", "orders", "task.id", "0"), props("topics", "orders", "task.id", "1")} {
			if !maps.Equal(configs[i], want) {
				t.Errorf("task %d: %v", i, configs[i])
			}
		}
		configs[0]["x"] = "y" // tasks do not share a map
		if _, ok := configs[1]["x"]; ok {
			t.Error("the tasks share their config")
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestConnectorDoesNotStartWithABadConfig(t *testing.T) {
	err := NewConnector().Start(t.Context(), nil, props("flush.size", "0"))
	var outer *connect.Error
	var inner *config.Error
	if !errors.As(err, &outer) || outer.Msg != "Couldn't start HdfsSinkConnector due to configuration error" || !errors.As(err, &inner) || inner.Key != "flush.size" {
		t.Errorf("%v", err)
	}
}

func TestValidationShowsEveryKeyOnce(t *testing.T) {
	seen := map[string]int{}
	for _, v := range NewConnector().ValidateConfig(props("hive.integration", "true")) {
		seen[v.Name]++
		if v.Name == keyHiveIntegration && len(v.Errors) != 1 || v.Name != keyHiveIntegration && len(v.Errors) != 0 {
			t.Errorf("%s: %v", v.Name, v.Errors)
		}
	}
	for _, k := range ConfigDef().Keys() {
		if seen[k.Name] != 1 {
			t.Errorf("%s is shown %d times", k.Name, seen[k.Name])
		}
	}
}
