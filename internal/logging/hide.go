package logging

import (
	"sync/atomic"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// hider takes secrets out of what is about to be written; empty at first.
type hider struct {
	f atomic.Pointer[func(string) string]
}

// AuditLogger is the name of the logger whose lines nothing is taken out of: those of the audit
// log have names and no values of configs, and nobody shall blank his name there by making it a
// secret.
const AuditLogger = "rest.audit"

// Hide has every line of the log, but those of AuditLogger, go through f, behind what other
// calls have asked for. It is for the secrets that a worker knows, and safe for concurrent use.
func (l *Levels) Hide(f func(text string) string) {
	for {
		before := l.hide.f.Load()
		all := f
		if before != nil {
			all = func(text string) string { return f((*before)(text)) }
		}
		if l.hide.f.CompareAndSwap(before, &all) {
			return
		}
	}
}

// hidingEncoder hides secrets in complete lines, so that it does not matter in which field
// of which type one stands.
type hidingEncoder struct {
	zapcore.Encoder
	hide *hider
}

// Clone implements zapcore.Encoder.
func (e *hidingEncoder) Clone() zapcore.Encoder { return &hidingEncoder{e.Encoder.Clone(), e.hide} }

// EncodeEntry implements zapcore.Encoder.
func (e *hidingEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	line, err := e.Encoder.EncodeEntry(entry, fields)
	if hide := e.hide.f.Load(); err == nil && hide != nil && entry.LoggerName != AuditLogger {
		text := line.String()
		if hidden := (*hide)(text); hidden != text {
			line.Reset()
			line.AppendString(hidden)
		}
	}
	return line, err
}
