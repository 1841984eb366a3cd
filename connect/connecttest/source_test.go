package connecttest

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/data"
)

// counter is a source that counts to limit, with a fault.
type counter struct {
	fault string
	props map[string]string
}

func (c *counter) has(fault string) bool { return c.fault == fault }

func (c *counter) Version() string {
	if c.has("no version") {
		return ""
	}
	return "1"
}

func (c *counter) TaskClass() string { return "CounterTask" }

func (c *counter) ConfigDef() *config.Def {
	key := config.Key{Name: "limit", Type: config.TypeInt, Default: 100, Importance: config.High, Doc: "How far to count.", Validator: config.AtLeast(1)}
	switch c.fault {
	case "no doc":
		key.Doc = ""
	case "default of another type":
		key.Default = "100"
	case "wrong default":
		key.Default = 0
	case "no importance":
		key.Importance = ""
	case "unknown dependent":
		key.Dependents = []string{"other"}
	case "no definition":
		return nil
	}
	return config.NewDef(key)
}

func (c *counter) Start(_ context.Context, _ connect.ConnectorContext, props map[string]string) error {
	if _, err := c.ConfigDef().Parse(props); err != nil && !c.has("takes anything") {
		return err
	}
	c.props = maps.Clone(props)
	if c.has("keeps the config") {
		c.props = props
	}
	return nil
}

func (c *counter) TaskConfigs(most int) ([]map[string]string, error) {
	if c.has("too many tasks") {
		most++
	}
	var configs []map[string]string
	for range most {
		if c.has("shared task configs") {
			configs = append(configs, c.props)
		} else {
			configs = append(configs, maps.Clone(c.props))
		}
	}
	return configs, nil
}

func (c *counter) Stop(context.Context) error {
	if c.has("stop fails") {
		return errors.New("cannot stop")
	}
	return nil
}

func (c *counter) NewTask() connect.SourceTask { return &counterTask{fault: c.fault} }

func (c *counter) SupportsExactlyOnce(props map[string]string) bool {
	if c.has("wants checked configs") {
		props["limit"] = "" // panics for nil
	}
	return !c.has("repeats, which it may")
}

func (c *counter) AlterOffsets(_ map[string]string, offsets []connect.SourceOffset) error {
	for _, o := range offsets {
		if o.Offset == nil && c.has("holds on to offsets") {
			return errors.New("no such partition")
		}
		if o.Offset != nil && c.has("refuses its own offsets") {
			return errors.New("no")
		}
	}
	return nil
}

type counterTask struct {
	fault     string
	limit, n  int64
	partition *data.Map
	bytes     []byte
}

func (t *counterTask) Version() string { return "1" }

func (t *counterTask) Start(ctx context.Context, tc connect.SourceTaskContext, props map[string]string) error {
	t.limit = 100
	if text, ok := props["limit"]; ok {
		t.limit, _ = strconv.ParseInt(text, 10, 64)
	}
	t.partition = data.NewMap(1)
	t.partition.Put("task", int32(tc.TaskID().Task))
	offset, err := tc.Offsets().Offset(ctx, t.partition)
	if err != nil || offset == nil {
		return err
	}
	v, _ := offset.Get("n")
	t.n = v.(int64)
	switch t.fault {
	case "skips after a restart":
		t.n++
	case "repeats", "repeats, which it may":
		t.n = max(t.n-3, 0)
	case "starts in the future":
		t.n += 7
	}
	return nil
}

func (t *counterTask) Poll(ctx context.Context) ([]connect.SourceRecord, error) {
	if t.n == t.limit {
		switch t.fault {
		case "spins":
		case "is deaf":
			takeLong()
		case "fails when it is told to end":
			<-ctx.Done()
			return nil, errors.New("interrupted")
		case "retriable":
			<-ctx.Done()
			return nil, &connect.RetriableError{Err: errors.New("later")}
		default:
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, nil
	}
	t.n++
	offset := data.NewMap(1)
	offset.Put("n", t.n)
	r := connect.NewSourceRecord(t.partition, offset, "numbers", data.OptionalBytes, []byte(strconv.FormatInt(t.n, 10)))
	switch t.fault {
	case "no topic":
		r.Topic = ""
	case "offset without partition":
		r.SourcePartition = nil
	case "offset of a list":
		offset.Put("list", []any{"x"})
	case "reuses its buffer":
		t.bytes = strconv.AppendInt(t.bytes[:0], t.n, 10)
		r.Value.SetValue(data.OptionalBytes, t.bytes)
	}
	return []connect.SourceRecord{r}, nil
}

func (t *counterTask) Stop(context.Context) error {
	if t.fault == "takes long to stop" {
		takeLong()
	}
	return nil
}

func counterSuite(fault string) []testCase {
	return Source{
		New:     func() connect.SourceConnector { return &counter{fault: fault} },
		Props:   func(testing.TB) map[string]string { return map[string]string{"limit": "20"} },
		Bad:     []map[string]string{{"limit": "0"}, {"limit": "x"}},
		Records: 20, MaxTasks: 2,
	}.cases()
}

const (
	defCase     = "the config definition is complete and its defaults are valid"
	namesCase   = "version and task class are set"
	configsCase = "task configs are at most as many as allowed and share nothing"
	badCase     = "a wrong config is refused"
	stopCase    = "stop returns promptly, also after a failed start and a second time"
	pollCase    = "a poll returns within a second after its context ends, and waits for records"
	askCase     = "questions about a config that was not checked are answered"
	forgetCase  = "any offset can be forgotten"
	recordsCase = "records have a topic and offsets that can be stored"
	ownerCase   = "records are not touched after they were returned"
	restartCase = "a restart goes on after the committed offset"
	alterCase   = "its own offsets can be set by hand"
)

func TestAGoodSourcePasses(t *testing.T) {
	for _, fault := range []string{"", "repeats, which it may", "retriable"} {
		wantFailures(t, fault, counterSuite(fault), map[string]string{})
	}
}

func TestTheSuiteFindsFaultsOfSources(t *testing.T) {
	for fault, want := range map[string]map[string]string{
		"no version":                   {namesCase: "versions"},
		"no doc":                       {defCase: "key limit has no documentation"},
		"default of another type":      {defCase: "the default 100 is a string"},
		"wrong default":                {defCase: "its validator refuses the default"},
		"no importance":                {defCase: "importance"},
		"unknown dependent":            {defCase: "the dependent other is no key"},
		"takes anything":               {badCase: "started with map[limit:0]"},
		"keeps the config":             {configsCase: "share a map"},
		"shared task configs":          {configsCase: "share a map"},
		"holds on to offsets":          {forgetCase: "must let go"},
		"refuses its own offsets":      {alterCase: "are refused"},
		"no topic":                     {recordsCase: "has no topic"},
		"offset of a list":             {recordsCase: "is a []interface", restartCase: "is a []interface", alterCase: "is a []interface"},
		"skips after a restart":        {restartCase: "a record is missing"},
		"starts in the future":         {restartCase: "a record is missing"},
		"repeats":                      {restartCase: "it repeats"},
		"spins":                        {pollCase: "without records"},
		"fails when it is told to end": {pollCase: "interrupted"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			wantFailures(t, fault, counterSuite(fault), want)
		})
	}
}

// Faults that several cases find, or that take long.
func TestTheSuiteFindsFaultsOfSourcesInOneCase(t *testing.T) {
	for fault, want := range map[string]struct{ name, text string }{
		"no definition":            {defCase, "config.NewDef()"},
		"too many tasks":           {configsCase, "TaskConfigs(1) returned 2 configs"},
		"stop fails":               {stopCase, "cannot stop"},
		"takes long to stop":       {stopCase, "Stop has not returned after 1s"},
		"is deaf":                  {pollCase, "has not returned after"},
		"offset without partition": {recordsCase, "both or none"},
		"reuses its buffer":        {ownerCase, "has changed a record"},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			wantFailures(t, fault, only(counterSuite(fault), want.name), map[string]string{want.name: want.text})
		})
	}
}

func only(cases []testCase, name string) []testCase {
	for _, c := range cases {
		if c.name == name {
			return []testCase{c}
		}
	}
	return nil
}

func TestOffsetsComeBackAsFromKafka(t *testing.T) {
	partition, offset := data.NewMap(2), data.NewMap(5)
	partition.Put("a", int8(1))
	partition.Put("b", "x")
	for k, v := range map[string]any{"i": int32(3), "f": float32(0.5), "b": []byte{1, 2, 255}, "n": nil, "t": true} {
		offset.Put(k, v)
	}
	o := &Offsets{}
	if err := o.Set(partition, offset); err != nil {
		t.Fatal(err)
	}
	same := data.NewMap(2)
	same.Put("b", "x")
	same.Put("a", int64(1))
	got, err := o.Offsets(t.Context(), []*data.Map{same, data.NewMap(0)})
	if err != nil || got[1] != nil {
		t.Fatalf("%v, %v", got, err)
	}
	want := data.NewMap(5)
	for k, v := range map[string]any{"i": int64(3), "f": 0.5, "b": "AQL/", "n": nil, "t": true} {
		want.Put(k, v)
	}
	if !got[0].Equal(want) || len(o.All()) != 1 {
		t.Errorf("%s, want %s", got[0], want)
	}
	if err := o.Set(same, nil); err != nil || len(o.All()) != 0 {
		t.Errorf("%v, still there: %v", err, o.All())
	}
	bad := data.NewMap(1)
	bad.Put(int32(1), "x")
	if err := o.Set(bad, want); err == nil {
		t.Error("a key that is no string was taken")
	}
}

func TestTransactionsAreRemembered(t *testing.T) {
	run := StartSource(t, &counter{}, map[string]string{}, Options{Transactions: true})
	tx := run.Tasks[0].Context.Transaction()
	tx.CommitTransaction()
	tx.AbortTransactionAt(3)
	got := tx.(*Transaction).Take()
	if len(got) != 2 || got[0] != (TransactionRequest{false, WholeBatch}) || got[1] != (TransactionRequest{true, 3}) || len(tx.(*Transaction).Take()) != 0 {
		t.Errorf("%v", got)
	}
	if StartSource(t, &counter{}, map[string]string{}, Options{}).Tasks[0].Context.Transaction() != nil {
		t.Error("a transaction without Options.Transactions")
	}
}

func TestAFailedStartStopsWhatRuns(t *testing.T) {
	if _, err := OpenSource(t.Context(), &counter{fault: "too many tasks"}, nil, Options{}); err == nil {
		t.Error("two tasks were allowed where one is")
	}
	run := StartSource(t, &counter{}, map[string]string{"limit": "2"}, Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if records, err := run.Tasks[0].Poll(ctx, 3); err == nil || len(records) != 2 {
		t.Errorf("%d records, %v", len(records), err)
	}
}
