package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Entry is one line. Fields that do not apply are left out.
type Entry struct {
	Time          time.Time `json:"time"`
	RequestID     string    `json:"request_id"` // the same on every worker that a request passed
	User          string    `json:"user"`
	Groups        []string  `json:"groups,omitempty"`
	Auth          string    `json:"auth"` // how the user was recognised
	Remote        string    `json:"remote"`
	Method        string    `json:"method"`
	Path          string    `json:"path"`
	Connector     string    `json:"connector,omitempty"`
	Status        int       `json:"status"`
	DurationMS    int64     `json:"duration_ms"`
	ForwardedFrom string    `json:"forwarded_from,omitempty"` // URL of the worker that sent it on
	ConfigKeys    []string  `json:"config_keys,omitempty"`    // names of the keys that were changed
	// Denied tells why the request was not let in.
	Denied string `json:"denied,omitempty"`
	// Suppressed is how many denied requests before this line have none of their own.
	Suppressed int `json:"suppressed,omitempty"`
}

const (
	// maxPending bounds the lines that wait for a file that cannot be written: those of requests
	// that were under way when it failed.
	maxPending = 1000
	// maxText bounds what a client can put into a line, in bytes.
	maxText = 2048
	// maxNames bounds the lists of a line.
	maxNames = 200
	// maxDenied bounds the lines of denied requests per second. Anybody can send those, and should
	// not be able to push what matters out of the files.
	maxDenied = 20
)

// Options are those of a Log.
type Options struct {
	// Path of the file; "" writes to Log.
	Path string
	// MaxBytes is the size from which the file is rotated to Path.1, Path.2 and so on, of which
	// MaxFiles stay; 0 leaves that to others: a file that was renamed or removed is opened anew.
	MaxBytes int64
	MaxFiles int
	// Refuse: changes are refused while the file cannot be written.
	Refuse bool
	// Log gets the lines without a file, and those that cannot be written.
	Log *zap.Logger
}

// Log is the audit log. It is safe for concurrent use.
type Log struct {
	o Options

	// mu orders the lines, and is held while they are written: changes are few.
	mu         sync.Mutex
	file       file
	pending    [][]byte // only with Refuse
	failing    bool
	second     time.Time // in which denied requests are counted
	denied     int
	suppressed int
	closed     bool
}

// Open opens the file, so that a wrong path is told at the start.
func Open(o Options) (*Log, error) {
	l := &Log{o: o, file: file{path: o.Path, maxBytes: o.MaxBytes, maxFiles: o.MaxFiles}}
	if o.Path == "" {
		return l, nil
	}
	if err := l.file.open(); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	return l, nil
}

// Ready tells whether changes may go on: it is an error when the log refuses them because it
// cannot be written. What was not written before is tried again.
func (l *Log) Ready() error {
	if l.o.Path == "" || !l.o.Refuse {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.flush(); err != nil {
		return err
	}
	return l.file.open()
}

// Write writes a line; what cannot be written goes to the worker's log.
func (l *Log) Write(e Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Denied != "" && !l.mayDeny(e.Time) {
		l.suppressed++
		return
	}
	e.Suppressed, l.suppressed = l.suppressed, 0
	line, err := json.Marshal(shorten(e))
	if err != nil {
		l.o.Log.Error("could not write a line of the audit log as JSON", zap.Error(err))
		return
	}
	if l.o.Path == "" {
		l.o.Log.Info(string(line))
		return
	}
	line = append(line, '\n')
	if err = l.flush(); err == nil {
		err = l.file.write(line, e.Denied == "")
	}
	if err == nil {
		l.recovered()
		return
	}
	l.failing = true
	l.o.Log.Error("The audit log cannot be written; the line is here", zap.ByteString("line", line[:len(line)-1]), zap.Error(err))
	if l.o.Refuse && len(l.pending) < maxPending {
		l.pending = append(l.pending, line)
	}
}

// flush writes what could not be written before.
func (l *Log) flush() error {
	if l.closed {
		return errors.New("the audit log is closed: the worker stops")
	}
	for len(l.pending) > 0 {
		if err := l.file.write(l.pending[0], true); err != nil {
			return err
		}
		l.pending = l.pending[1:]
	}
	return nil
}

func (l *Log) recovered() {
	if l.failing {
		l.failing = false
		l.o.Log.Info("The audit log can be written again", zap.String("file", l.o.Path))
	}
}

// mayDeny counts the denied requests of a second.
func (l *Log) mayDeny(now time.Time) bool {
	if now.Sub(l.second).Abs() >= time.Second {
		l.second, l.denied = now, 0
	}
	l.denied++
	return l.denied <= maxDenied
}

// Close writes what waits and closes the file. Lines after it go to the worker's log.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	err := l.flush()
	l.closed = true
	return errors.Join(err, l.file.close())
}

// shorten bounds what a client can make long.
func shorten(e Entry) Entry {
	for _, text := range []*string{&e.User, &e.Path, &e.Connector, &e.Denied} {
		if len(*text) > maxText {
			*text = (*text)[:maxText] + "…"
		}
	}
	for _, list := range []*[]string{&e.Groups, &e.ConfigKeys} {
		if len(*list) > maxNames {
			*list = append((*list)[:maxNames:maxNames], fmt.Sprintf("… and %d more", len(*list)-maxNames))
		}
		for i, name := range *list {
			if len(name) > maxText {
				short := append([]string(nil), *list...)
				short[i] = name[:maxText] + "…"
				*list = short
			}
		}
	}
	return e
}
