package faultfs

import (
	"fmt"
	"path"
	"strings"
)

// Op names an operation of a file system or of an open file.
type Op string

// The operations. Any matches each of them.
const (
	Any          Op = "*"
	Create       Op = "create"
	Append       Op = "append"
	Open         Op = "open"
	Rename       Op = "rename"
	Remove       Op = "remove"
	MkdirAll     Op = "mkdir"
	Stat         Op = "stat"
	List         Op = "list"
	RecoverLease Op = "recover-lease"
	Read         Op = "read"  // of a file opened with Open
	Write        Op = "write" // of a file opened with Create or Append
	Sync         Op = "sync"
	Close        Op = "close" // of the same
)

// Ops lists the operations, without Any.
func Ops() []Op {
	return []Op{Create, Append, Open, Rename, Remove, MkdirAll, Stat, List, RecoverLease, Read, Write, Sync, Close}
}

// Action is what happens to a matching call.
type Action string

// The actions.
const (
	// FailBefore: nothing is done, an error is returned.
	FailBefore Action = "fail-before"
	// FailAfter: it is done, and an error returned all the same (a lost reply).
	FailAfter Action = "fail-after"
	// FailHalf: a Write writes half of its bytes; any other operation fails before.
	FailHalf Action = "fail-half"
	// Hang: nothing is done until the context ends; for a file's operations, which have
	// none, until FS.HangTimeout has passed or the FS is closed.
	Hang Action = "hang"
	// CrashBefore: the process is dead before the operation: this call and all later
	// ones of the FS and its files return ErrCrashed and reach nothing.
	CrashBefore Action = "crash-before"
	// CrashAfter: the same, the operation done.
	CrashAfter Action = "crash-after"
)

// Actions lists the actions.
func Actions() []Action {
	return []Action{FailBefore, FailAfter, FailHalf, Hang, CrashBefore, CrashAfter}
}

// Call is one operation as it was asked for.
type Call struct {
	N    int // number among all calls of the FS, from 0
	Op   Op
	Path string
	To   string // Rename's target
}

// String gives "rename /a to /b", without the number.
func (c Call) String() string {
	if c.To != "" {
		return fmt.Sprintf("%s %s to %s", c.Op, c.Path, c.To)
	}
	return fmt.Sprintf("%s %s", c.Op, c.Path)
}

// Rule selects calls and says what happens to them. Build it with On or At; it does
// nothing until one of the action methods made it complete. A Rule is a value: each
// method returns a changed copy.
type Rule struct {
	op     Op
	path   string
	call   int // call number, -1 = any
	skip   int // matching calls to let pass
	times  int // then this many are hit, 0 = all
	action Action
	err    error
}

// On selects the calls of an operation.
func On(op Op) Rule { return Rule{op: op, call: -1, times: 1} }

// At selects the one call with this number.
func At(n int) Rule { return Rule{op: Any, call: n, times: 1} }

// Path selects paths (a Rename's source or target) by a pattern: "*" and "?" stay
// within a name, "**" stands for any number of names.
func (r Rule) Path(pattern string) Rule { r.path = pattern; return r }

// Nth selects the nth matching call, from 1.
func (r Rule) Nth(n int) Rule { r.skip = n - 1; return r }

// Times selects this many matching calls in a row in place of one; 0 is all of them.
func (r Rule) Times(n int) Rule { r.times = n; return r }

// Err sets the error to return in place of ErrInjected, which it need not wrap.
func (r Rule) Err(err error) Rule { r.err = err; return r }

// Do sets the action. Fail, FailAfter, FailHalf, Hang, Crash and CrashAfter are short for it.
func (r Rule) Do(a Action) Rule { r.action = a; return r }

// Fail is Do(FailBefore).
func (r Rule) Fail() Rule { return r.Do(FailBefore) }

// FailAfter is Do(FailAfter).
func (r Rule) FailAfter() Rule { return r.Do(FailAfter) }

// FailHalf is Do(FailHalf).
func (r Rule) FailHalf() Rule { return r.Do(FailHalf) }

// Hang is Do(Hang).
func (r Rule) Hang() Rule { return r.Do(Hang) }

// Crash is Do(CrashBefore).
func (r Rule) Crash() Rule { return r.Do(CrashBefore) }

// CrashAfter is Do(CrashAfter).
func (r Rule) CrashAfter() Rule { return r.Do(CrashAfter) }

// String gives the rule in words, such as "write /logs/** 2nd: fail-after".
func (r Rule) String() string {
	var b strings.Builder
	if r.call >= 0 {
		fmt.Fprintf(&b, "call %d", r.call)
	} else {
		b.WriteString(string(r.op))
	}
	if r.path != "" {
		b.WriteString(" " + r.path)
	}
	if r.skip > 0 {
		fmt.Fprintf(&b, " after %d", r.skip)
	}
	if r.times != 1 {
		fmt.Fprintf(&b, " times %d", r.times)
	}
	fmt.Fprintf(&b, ": %s", r.action)
	return b.String()
}

// matches says whether the rule is about this call, counting aside.
func (r Rule) matches(c Call) bool {
	if r.call >= 0 && r.call != c.N || r.op != Any && r.op != c.Op {
		return false
	}
	return r.path == "" || match(r.path, c.Path) || c.To != "" && match(r.path, c.To)
}

// match matches whole paths, name by name.
func match(pattern, p string) bool {
	return matchNames(strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(p, "/"), "/"))
}

func matchNames(pattern, names []string) bool {
	if len(pattern) == 0 {
		return len(names) == 0
	}
	if pattern[0] == "**" {
		for i := range len(names) + 1 {
			if matchNames(pattern[1:], names[i:]) {
				return true
			}
		}
		return false
	}
	if len(names) == 0 {
		return false
	}
	ok, err := path.Match(pattern[0], names[0])
	return err == nil && ok && matchNames(pattern[1:], names[1:])
}
