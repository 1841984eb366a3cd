// Command ctl starts the real Kafka and HDFS for people (make stack-up) and stops
// them again (make stack-down). What runs is kept in .stack/stack.json.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/penstock-io/penstock/integration-tests/stack"
)

// state is what stack-down needs, and what scripts read.
type state struct {
	Bootstrap string         `json:"bootstrap"`
	HDFS      string         `json:"hdfs"`
	ConfDir   string         `json:"hadoop_conf_dir"`
	PIDs      map[string]int `json:"pids"`
}

func main() {
	dir := flag.String("dir", ".stack", "folder of the stack's data and logs")
	brokers := flag.Int("brokers", 1, "Kafka brokers: 1 or 3")
	datanodes := flag.Int("datanodes", 1, "DataNodes: 1 or 3")
	flag.Parse()
	var err error
	switch flag.Arg(0) {
	case "up":
		err = up(*dir, *brokers, *datanodes)
	case "down":
		err = down(*dir)
	default:
		err = errors.New("usage: ctl [-dir D] [-brokers N] [-datanodes N] up|down")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func up(dir string, brokers, datanodes int) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "stack.json")
	if _, err := os.Stat(file); err == nil {
		return fmt.Errorf("%s exists: a stack is running (make stack-down ends it)", file)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	ctx := context.Background()
	s := state{PIDs: map[string]int{}}
	k, err := stack.StartKafka(ctx, stack.KafkaOptions{Brokers: brokers, Dir: dir, Detached: true})
	if err != nil {
		return err
	}
	h, err := stack.StartHDFS(ctx, stack.HDFSOptions{DataNodes: datanodes, Dir: dir, Detached: true})
	if err != nil {
		return errors.Join(err, k.Stop())
	}
	for _, p := range append(append(k.Brokers, h.NameNode), h.DataNodes...) {
		s.PIDs[p.Name] = p.PID()
	}
	s.Bootstrap, s.HDFS, s.ConfDir = k.Bootstrap, h.URL, h.ConfDir
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(b))
	return os.WriteFile(file, b, 0o644)
}

func down(dir string) error {
	file := filepath.Join(dir, "stack.json")
	b, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("no stack is running here: %w", err)
	}
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for name, pid := range s.PIDs {
		// A pid may have been given to another program since: only a java is ours.
		if exe, err := exec.Command("ps", "-o", "comm=", "-p", fmt.Sprint(pid)).Output(); err != nil || string(exe) != "java\n" {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
			return fmt.Errorf("stop %s (pid %d): %w", name, pid, err)
		}
	}
	for name, pid := range s.PIDs {
		for deadline := time.Now().Add(30 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				return fmt.Errorf("%s (pid %d) does not end", name, pid)
			}
		}
	}
	return os.RemoveAll(dir)
}
