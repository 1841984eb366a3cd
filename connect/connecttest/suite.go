package connecttest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

// promptly is how long a call may take after it was told to end, and Stop at any time.
const promptly = time.Second

// subject is a connector under test, source or sink.
type subject struct {
	new   func() connect.Connector
	props func(tb testing.TB) map[string]string
	bad   []map[string]string
	// start runs connector and tasks and stops what failed.
	start func(ctx context.Context, props map[string]string) (stop func(context.Context) error, err error)
	// newTask makes a task and returns its Stop.
	newTask func() (stop func(context.Context) error)
}

// testCase is one rule of the contract.
type testCase struct {
	name string
	run  func(tb testing.TB)
}

// run runs cases as subtests, none of which may leave a goroutine.
func run(t *testing.T, cases []testCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := goleak.IgnoreCurrent()
			t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after what the case cleans up
			c.run(t)
		})
	}
}

// connectorCases hold for every connector.
func (s *subject) connectorCases() []testCase {
	return []testCase{
		{"the config definition is complete and its defaults are valid", s.checkDef},
		{"version and task class are set", s.checkNames},
		{"task configs are at most as many as allowed and share nothing", s.checkTaskConfigs},
		{"a wrong config is refused", s.checkBad},
		{"stop returns promptly, also after a failed start and a second time", s.checkStop},
	}
}

func (s *subject) checkDef(tb testing.TB) {
	c := s.new()
	def := c.ConfigDef()
	if def == nil {
		tb.Fatal("ConfigDef returned nil; a connector without keys returns config.NewDef()")
	}
	for _, k := range def.Keys() {
		checkKey(tb, def, k)
	}
	props := s.props(tb)
	values := def.Validate(props)
	if v, ok := c.(connect.ConfigValidator); ok {
		values = v.ValidateConfig(props)
	}
	for _, v := range values {
		if len(v.Errors) > 0 {
			tb.Errorf("the config that should be right has errors in %s: %s", v.Name, strings.Join(v.Errors, "; "))
		}
		if def.Key(v.Name) == nil {
			tb.Errorf("ValidateConfig returned the key %s, which ConfigDef does not have", v.Name)
		}
	}
	if again := s.new().ConfigDef(); len(again.Keys()) != len(def.Keys()) {
		tb.Errorf("ConfigDef has %d keys at first and %d later", len(def.Keys()), len(again.Keys()))
	}
}

func checkKey(tb testing.TB, def *config.Def, k config.Key) {
	tb.Helper()
	if k.Name == "" || strings.TrimSpace(k.Name) != k.Name {
		tb.Errorf("key %q: the name is empty or begins or ends with white space", k.Name)
	}
	if k.Doc == "" && !k.Internal {
		tb.Errorf("key %s has no documentation", k.Name)
	}
	if !slices.Contains([]config.Importance{config.High, config.Medium, config.Low}, k.Importance) {
		tb.Errorf("key %s: importance %q is not one of config.High, config.Medium and config.Low", k.Name, k.Importance)
	}
	for _, name := range k.Dependents {
		if def.Key(name) == nil {
			tb.Errorf("key %s: the dependent %s is no key", k.Name, name)
		}
	}
	if k.Default == nil || k.Default == config.NoDefault {
		return
	}
	if !hasType(k.Default, k.Type) {
		tb.Errorf("key %s: the default %v is a %T, which is not the Go type of %s; see config.Values", k.Name, k.Default, k.Default, k.Type)
		return
	}
	if k.Validator != nil {
		if err := k.Validator(k.Name, k.Default); err != nil {
			tb.Errorf("key %s: its validator refuses the default: %v", k.Name, err)
		}
	}
}

// hasType tells whether a default is of the Go type of config.Values.
func hasType(v any, t config.Type) (ok bool) {
	switch t {
	case config.TypeBoolean:
		_, ok = v.(bool)
	case config.TypeString, config.TypeClass:
		_, ok = v.(string)
	case config.TypeInt:
		_, ok = v.(int)
	case config.TypeShort:
		_, ok = v.(int16)
	case config.TypeLong:
		_, ok = v.(int64)
	case config.TypeDouble:
		_, ok = v.(float64)
	case config.TypeList:
		_, ok = v.([]string)
	case config.TypePassword:
		_, ok = v.(config.Password)
	}
	return ok
}

func (s *subject) checkNames(tb testing.TB) {
	a, b := s.new(), s.new()
	if a.Version() == "" || a.Version() != b.Version() {
		tb.Errorf("versions %q and %q: a connector has one version", a.Version(), b.Version())
	}
	if a.TaskClass() == "" || a.TaskClass() != b.TaskClass() {
		tb.Errorf("task classes %q and %q: a connector has one task class", a.TaskClass(), b.TaskClass())
	}
}

func (s *subject) checkTaskConfigs(tb testing.TB) {
	c, props := s.new(), s.props(tb)
	given := maps.Clone(props)
	defer stopQuietly(tb, c.Stop)
	if err := c.Start(tb.Context(), newContext(), given); err != nil {
		tb.Fatalf("start with a config that should be right: %v", err)
	}
	if !maps.Equal(given, props) {
		tb.Error("Start changed the config that it was given")
	}
	given["connecttest.changed"] = "after Start"
	for _, most := range []int{1, 2, 5} {
		configs, err := c.TaskConfigs(most)
		if err != nil {
			tb.Fatalf("TaskConfigs(%d): %v", most, err)
		}
		if len(configs) > most {
			tb.Errorf("TaskConfigs(%d) returned %d configs", most, len(configs))
		}
		for _, config := range configs {
			if config == nil {
				tb.Fatalf("TaskConfigs(%d) returned a nil map", most)
			}
			if len(config["connecttest.changed"])+len(config["connecttest.task"]) > 0 {
				tb.Fatal("task configs share a map with each other, with the config given to Start, or with those of an earlier call: copy it with maps.Clone")
			}
			config["connecttest.task"] = "changed"
		}
	}
}

func (s *subject) checkBad(tb testing.TB) {
	for _, bad := range s.bad {
		props := s.badProps(tb, bad)
		stop, err := s.start(tb.Context(), props)
		if err == nil {
			tb.Errorf("connector and tasks started with %v", bad)
			stopQuietly(tb, stop)
		}
	}
}

// badProps is the config that works with keys that make it wrong.
func (s *subject) badProps(tb testing.TB, bad map[string]string) map[string]string {
	props := s.props(tb)
	for k, v := range bad {
		if v == Missing {
			delete(props, k)
		} else {
			props[k] = v
		}
	}
	return props
}

// Missing, as the value of a key of Bad, leaves the key out.
const Missing = "\x00missing"

func (s *subject) checkStop(tb testing.TB) {
	for _, bad := range s.bad {
		c, props := s.new(), s.badProps(tb, bad)
		_ = c.Start(tb.Context(), newContext(), props) // tasks may be the ones that refuse it
		stopQuietly(tb, c.Stop)
		stopQuietly(tb, c.Stop)
	}
	stopQuietly(tb, s.new().Stop) // Start may not have been reached
	stopTask := s.newTask()
	stopQuietly(tb, stopTask)
	stopQuietly(tb, stopTask)
	stop, err := s.start(tb.Context(), s.props(tb))
	if err != nil {
		tb.Fatalf("start with a config that should be right: %v", err)
	}
	stopQuietly(tb, stop)
}

// stopQuietly calls a Stop, which has to return promptly and without an error.
func stopQuietly(tb testing.TB, stop func(context.Context) error) {
	tb.Helper()
	within(tb, "Stop", promptly, func() {
		if err := stop(context.Background()); err != nil {
			tb.Errorf("Stop: %v", err)
		}
	})
}

// within runs what has to end in some time.
func within(tb testing.TB, what string, d time.Duration, f func()) {
	tb.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		tb.Fatalf("%s has not returned after %s", what, d)
	}
}

func newContext() *Context {
	o := Options{}.withDefaults()
	return &Context{offsets: o.Offsets, log: o.Logger}
}
