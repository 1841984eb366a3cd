package connecttest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
)

// filer is a sink that keeps lines in memory until PreCommit writes them to a file for
// each partition, with a fault.
type filer struct {
	fault string
	props map[string]string
}

func (f *filer) Version() string   { return "1" }
func (f *filer) TaskClass() string { return "FilerTask" }
func (f *filer) ConfigDef() *config.Def {
	return config.NewDef(config.Key{Name: "dir", Type: config.TypeString, Default: config.NoDefault, Importance: config.High, Doc: "Where to."})
}

func (f *filer) Start(_ context.Context, _ connect.ConnectorContext, props map[string]string) error {
	if _, err := f.ConfigDef().Parse(props); err != nil {
		return err
	}
	f.props = maps.Clone(props)
	return nil
}

func (f *filer) TaskConfigs(int) ([]map[string]string, error) {
	return []map[string]string{maps.Clone(f.props)}, nil
}

func (f *filer) Stop(context.Context) error { return nil }
func (f *filer) NewTask() connect.SinkTask  { return &filerTask{fault: f.fault} }

func (f *filer) AlterOffsets(_ map[string]string, offsets map[connect.TopicPartition]*int64) error {
	for _, offset := range offsets {
		if f.fault == "holds on to offsets" && offset == nil {
			return errors.New("cannot be forgotten")
		}
	}
	return nil
}

type filerTask struct {
	fault   string
	dir     string
	context connect.SinkTaskContext
	open    map[connect.TopicPartition]bool
	kept    []connect.SinkRecord
	lines   map[connect.TopicPartition][]string
	puts    int
}

func (t *filerTask) Version() string { return "1" }

func (t *filerTask) Start(_ context.Context, tc connect.SinkTaskContext, props map[string]string) error {
	t.context, t.dir = tc, props["dir"]
	t.open, t.lines = map[connect.TopicPartition]bool{}, map[connect.TopicPartition][]string{}
	return nil
}

func (t *filerTask) Open(_ context.Context, tps []connect.TopicPartition) error {
	for _, tp := range tps {
		t.open[tp] = true
	}
	if t.fault == "pauses first" {
		t.context.Pause(tps...)
		t.context.Timeout(5)
	}
	return nil
}

func (t *filerTask) Put(_ context.Context, records []connect.SinkRecord) error {
	t.puts++
	switch t.fault {
	case "needs records":
		if len(records) == 0 {
			return errors.New("nothing to put")
		}
	case "is busy at times":
		if t.puts%3 == 1 {
			return &connect.RetriableError{Err: errors.New("busy")}
		}
	case "is always busy":
		return &connect.RetriableError{Err: errors.New("busy")}
	case "pauses first":
		t.context.Resume(t.context.Assignment()...)
	case "keeps records":
		t.kept = append(t.kept, records...)
		return nil
	case "drops records":
		return nil
	}
	for i := range records {
		tp := records[i].Original
		if !t.open[tp] {
			return fmt.Errorf("%s is not open", tp)
		}
		v, err := records[i].Value.Value()
		if err != nil {
			return err
		}
		t.lines[tp] = append(t.lines[tp], v.(string))
	}
	return nil
}

func (t *filerTask) PreCommit(_ context.Context, offsets map[connect.TopicPartition]int64) (map[connect.TopicPartition]int64, error) {
	for i := range t.kept {
		_, raw := t.kept[i].Value.Raw()
		t.lines[t.kept[i].Original] = append(t.lines[t.kept[i].Original], string(raw))
	}
	t.kept = nil
	for tp := range offsets {
		f, err := os.OpenFile(filepath.Join(t.dir, tp.String()), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, err
		}
		fmt.Fprint(f, strings.Join(append(t.lines[tp], ""), "\n"))
		f.Close()
		delete(t.lines, tp)
	}
	switch t.fault {
	case "commits too much":
		for tp := range offsets {
			offsets[tp] += 10
		}
	case "commits others":
		offsets[connect.TopicPartition{Topic: "other"}] = 0
	}
	return offsets, nil
}

func (t *filerTask) Close(_ context.Context, tps []connect.TopicPartition) error {
	for _, tp := range tps {
		delete(t.open, tp)
	}
	if t.fault == "closes all" {
		clear(t.open)
	}
	return nil
}

func (t *filerTask) Stop(context.Context) error { return nil }

func filerSuite(fault string) []testCase {
	return Sink{
		New:   func() connect.SinkConnector { return &filer{fault: fault} },
		Props: func(tb testing.TB) map[string]string { return map[string]string{"dir": tb.TempDir()} },
		Bad:   []map[string]string{{"dir": Missing}},
		Holds: func(tb testing.TB, props map[string]string, tp connect.TopicPartition, next int64) {
			text, err := os.ReadFile(filepath.Join(props["dir"], tp.String()))
			if err != nil {
				tb.Fatal(err)
			}
			lines := strings.Split(string(text), "\n")
			for offset := range next {
				if !slices.Contains(lines, TextOf(tp, offset)) {
					tb.Fatalf("%s at %d is missing", tp, offset)
				}
			}
		},
	}.cases()
}

const (
	emptyCase     = "an empty batch may come at any time"
	commitCase    = "nothing is committed that was not put"
	rebalanceCase = "partitions come and go"
	survivesCase  = "what was committed survives a restart"
	alterSinkCase = "offsets can be set by hand and forgotten"
)

func TestAGoodSinkPasses(t *testing.T) {
	for _, fault := range []string{"", "is busy at times", "pauses first"} {
		wantFailures(t, fault, filerSuite(fault), map[string]string{})
	}
}

func TestTheSuiteFindsFaultsOfSinks(t *testing.T) {
	for fault, want := range map[string]map[string]string{
		"needs records":    {emptyCase: "nothing to put", commitCase: "nothing to put"},
		"commits too much": {emptyCase: "only the records before", commitCase: "only the records before", rebalanceCase: "only the records before", survivesCase: "only the records before"},
		"commits others":   {emptyCase: "not asked for", commitCase: "not asked for", rebalanceCase: "not asked for", survivesCase: "not asked for"},
		"closes all":       {rebalanceCase: "is not open"},
		"drops records":    {rebalanceCase: "is missing", survivesCase: "is missing"},
		"keeps records":    {rebalanceCase: "is missing", survivesCase: "is missing"},

		"holds on to offsets": {alterSinkCase: "cannot be forgotten"},
	} {
		t.Run(fault, func(t *testing.T) { wantFailures(t, fault, filerSuite(fault), want) })
	}
}

func TestTheHarnessKeepsToTheOrderOfCalls(t *testing.T) {
	task := StartSink(t, &filer{fault: "is always busy"}, map[string]string{"dir": t.TempDir()}, Options{}).Tasks[0]
	tp := connect.TopicPartition{Topic: "t"}
	if err := task.Put(t.Context(), NewText(tp, 0)); err == nil {
		t.Error("a record of a partition that is not open was put")
	}
	if err := task.OpenAt(t.Context(), 5, tp); err != nil {
		t.Fatal(err)
	}
	var retriable *connect.RetriableError
	if err := task.Put(t.Context(), NewText(tp, 5)); !errors.As(err, &retriable) {
		t.Errorf("%v", err)
	}
	if err := task.Put(t.Context(), NewText(tp, 6)); err == nil || errors.As(err, &retriable) {
		t.Errorf("another batch where the same was due: %v", err)
	}
	if err := task.Retry(t.Context()); !errors.As(err, &retriable) {
		t.Errorf("%v", err)
	}
	if offsets, err := task.Commit(t.Context()); err != nil || offsets[tp] != 5 {
		t.Errorf("%v, %v", offsets, err)
	}
	task.Context.Offset(tp, 3)
	task.Context.RequestCommit()
	if got := task.Context.TakeSeeks(); got[tp] != 3 || task.Context.TakeSeeks() != nil || task.Context.CommitRequests() != 1 {
		t.Errorf("%v", got)
	}
}
