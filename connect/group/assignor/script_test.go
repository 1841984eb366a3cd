package assignor

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect"
)

var update = flag.Bool("update", false, "rewrite the expected output of the scripts")

// cluster plays the members of a group around an assignor.
type cluster struct {
	assignor   *Incremental
	maxDelay   time.Duration
	now        time.Duration
	generation int32
	completed  int32
	configured []Item
	owned      map[string][]Item
	deaf       map[string]bool // members that miss the next assignment
}

func newCluster(maxDelay time.Duration) *cluster {
	return &cluster{
		assignor: NewIncremental(maxDelay), maxDelay: maxDelay, now: time.Hour, completed: -1,
		owned: map[string][]Item{}, deaf: map[string]bool{},
	}
}

// configure takes name:tasks.
func (c *cluster) configure(specs []string) {
	c.configured = nil
	for _, s := range specs {
		name, tasks, _ := strings.Cut(s, ":")
		c.configured = append(c.configured, Connector(name))
		n, _ := strconv.Atoi(tasks)
		for i := range n {
			c.configured = append(c.configured, connect.TaskID{Connector: name, Task: i})
		}
	}
}

// round lets the group rebalance once; members do what they are told.
func (c *cluster) round() Result {
	c.generation++
	res := c.assignor.Assign(Round{
		Now: c.now, LastCompleted: c.completed, Generation: c.generation, Configured: c.configured, Owned: c.owned,
	})
	c.completed = c.generation
	for id := range c.owned {
		if !c.deaf[id] {
			c.owned[id] = append(without(c.owned[id], newSet(res.Revoked[id])), res.Assigned[id]...)
		}
	}
	c.deaf = map[string]bool{}
	return res
}

// settle rebalances as members would: after revocations, and when a delay is over.
func (c *cluster) settle() (rounds int, last Result) {
	for rounds = 1; rounds < 100; rounds++ {
		last = c.round()
		revoked := false
		for _, items := range last.Revoked {
			revoked = revoked || len(items) > 0
		}
		if !revoked && last.Delay == 0 {
			break
		}
		if !revoked {
			c.now += last.Delay
		}
	}
	return rounds, last
}

func itemNames(items []Item) string {
	var out []string
	for _, i := range newSet(items).sorted() {
		if IsConnector(i) {
			out = append(out, i.Connector)
		} else {
			out = append(out, i.String())
		}
	}
	return strings.Join(out, " ")
}

func describe(res Result) string {
	var b strings.Builder
	for _, id := range sortedKeys(res.Owners) {
		line := id + ": " + itemNames(res.Owners[id])
		if len(res.Assigned[id]) > 0 {
			line += " | new " + itemNames(res.Assigned[id])
		}
		if len(res.Revoked[id]) > 0 {
			line += " | revoked " + itemNames(res.Revoked[id])
		}
		fmt.Fprintln(&b, strings.TrimRight(line, " "))
	}
	if res.Delay > 0 {
		fmt.Fprintf(&b, "delay %v\n", res.Delay)
	}
	return b.String()
}

func (c *cluster) run(t *testing.T, command string) string {
	words := strings.Fields(command)
	switch args := words[1:]; words[0] {
	case "connectors":
		c.configure(args)
	case "join":
		for _, id := range args {
			c.owned[id] = nil
		}
	case "leave":
		for _, id := range args {
			delete(c.owned, id)
		}
	case "owns": // what a member claims to run
		var items []Item
		for _, name := range args[1:] {
			if at := strings.LastIndexByte(name, '-'); at > 0 {
				n, _ := strconv.Atoi(name[at+1:])
				items = append(items, connect.TaskID{Connector: name[:at], Task: n})
			} else {
				items = append(items, Connector(name))
			}
		}
		c.owned[args[0]] = items
	case "miss": // the member does not hear the next assignment
		for _, id := range args {
			c.deaf[id] = true
		}
	case "wait":
		d, err := time.ParseDuration(args[0])
		if err != nil {
			t.Fatal(err)
		}
		c.now += d
	case "newleader":
		c.assignor = NewIncremental(c.maxDelay)
	case "fail": // the leader could not complete the next round
		before := map[string][]Item{}
		for id, items := range c.owned {
			before[id] = slices.Clone(items)
		}
		completed := c.completed
		res := c.round()
		c.owned, c.completed = before, completed
		return describe(res)
	case "round":
		return describe(c.round())
	default:
		t.Fatalf("unknown command %q", command)
	}
	return ""
}

// TestScripts runs testdata/*.txt: commands, each round followed by its result.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

// replay runs the lines that start with "> "; "# " lines are kept, all others replaced.
// "> group 5m" starts a new group with that maximum delay.
func replay(t *testing.T, script string) string {
	var out strings.Builder
	c := newCluster(5 * time.Minute)
	for line := range strings.Lines(script) {
		line = strings.TrimSpace(line)
		switch command, isCommand := strings.CutPrefix(line, "> "); {
		case isCommand:
			fmt.Fprintln(&out, line)
			if d, ok := strings.CutPrefix(command, "group "); ok {
				delay, err := time.ParseDuration(d)
				if err != nil {
					t.Fatal(err)
				}
				c = newCluster(delay)
				continue
			}
			out.WriteString(c.run(t, command))
		case strings.HasPrefix(line, "#"), line == "":
			fmt.Fprintln(&out, line)
		}
	}
	return out.String()
}
