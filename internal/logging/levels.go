package logging

import (
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Root is the name of the logger that all others inherit from.
const Root = "root"

// off is above every level that is logged.
const off = zapcore.FatalLevel + 1

// Level is a level under its log4j name.
type Level struct {
	Name     string // ALL, TRACE, DEBUG, INFO, WARN, ERROR, FATAL, OFF
	Modified time.Time
}

// Levels holds the level of every named logger. A name inherits from the longest prefix,
// at a dot, that has a level of its own, at last from Root. It is safe for concurrent use.
type Levels struct {
	mu       sync.RWMutex
	explicit map[string]Level
	seen     map[string]bool
	cache    map[string]zapcore.Level

	hide hider
}

// New returns a logger that writes to w, and its levels; everything starts at INFO.
func New(w io.Writer) (*zap.Logger, *Levels) {
	l := &Levels{explicit: map[string]Level{Root: {Name: "INFO"}}, seen: map[string]bool{}, cache: map[string]zapcore.Level{}}
	enc := zapcore.EncoderConfig{
		TimeKey: "time", LevelKey: "level", NameKey: "logger", MessageKey: "message", StacktraceKey: "stacktrace",
		EncodeTime: zapcore.TimeEncoderOfLayout("[2006-01-02 15:04:05,000]"), EncodeLevel: zapcore.CapitalLevelEncoder,
		EncodeDuration: zapcore.StringDurationEncoder, EncodeName: func(n string, a zapcore.PrimitiveArrayEncoder) { a.AppendString("(" + n + ")") },
		ConsoleSeparator: " ", LineEnding: "\n",
	}
	core := zapcore.NewCore(&hidingEncoder{zapcore.NewConsoleEncoder(enc), &l.hide}, zapcore.Lock(zapcore.AddSync(w)), zapcore.DebugLevel)
	return zap.New(&levelCore{core, l}), l
}

var zapLevels = map[string]zapcore.Level{"ALL": zapcore.DebugLevel, "TRACE": zapcore.DebugLevel, "DEBUG": zapcore.DebugLevel,
	"INFO": zapcore.InfoLevel, "WARN": zapcore.WarnLevel, "ERROR": zapcore.ErrorLevel, "FATAL": zapcore.FatalLevel, "OFF": off}

// Set gives a name and all names below it a level, one of log4j's in any case, and returns
// the loggers whose level changed, sorted. An unknown level changes nothing.
func (l *Levels) Set(name, level string) []string {
	level = strings.ToUpper(level)
	if _, ok := zapLevels[level]; !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if strings.EqualFold(name, Root) {
		name = Root
	}
	before := l.effective()
	if _, known := before[name]; !known {
		before[name] = l.inherited(name)
	}
	now := time.Now()
	for known := range l.explicit {
		if known == name || name == Root || strings.HasPrefix(known, name) {
			l.setOne(known, level, now)
		}
	}
	l.setOne(name, level, now)
	clear(l.cache)
	changed := []string{}
	for known, lv := range l.effective() {
		if old, ok := before[known]; !ok || old.Name != lv.Name {
			changed = append(changed, known)
		}
	}
	slices.Sort(changed)
	return changed
}

// setOne gives one name a level of its own. What has that level already, also by
// inheritance, is not modified.
func (l *Levels) setOne(name, level string, now time.Time) {
	old, own := l.explicit[name]
	if !own {
		old = l.inherited(name)
		if !l.seen[name] {
			old.Modified = time.Time{}
		}
	}
	if old.Name != level {
		old = Level{Name: level, Modified: now}
	}
	l.explicit[name] = old
}

// All returns the effective level of every logger that was used or set.
func (l *Levels) All() map[string]Level {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.effective()
}

func (l *Levels) effective() map[string]Level {
	all := maps.Clone(l.explicit)
	for name := range l.seen {
		all[name] = l.inherited(name)
	}
	return all
}

func (l *Levels) inherited(name string) Level {
	for prefix := name; prefix != ""; {
		if lv, ok := l.explicit[prefix]; ok {
			return lv
		}
		i := strings.LastIndexByte(prefix, '.')
		prefix = prefix[:max(i, 0)]
	}
	return l.explicit[Root]
}

func (l *Levels) enabled(name string, level zapcore.Level) bool {
	l.mu.RLock()
	limit, ok := l.cache[name]
	l.mu.RUnlock()
	if !ok {
		l.mu.Lock()
		if name != "" {
			l.seen[name] = true
		}
		limit = zapLevels[l.inherited(name).Name]
		l.cache[name] = limit
		l.mu.Unlock()
	}
	return level >= limit
}

// levelCore asks Levels for every entry.
type levelCore struct {
	zapcore.Core
	levels *Levels
}

func (c *levelCore) With(f []zapcore.Field) zapcore.Core {
	return &levelCore{c.Core.With(f), c.levels}
}

func (c *levelCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.levels.enabled(e.LoggerName, e.Level) {
		return ce.AddCore(e, c)
	}
	return ce
}
