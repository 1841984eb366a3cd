// Package faultfs wraps a file system and makes chosen operations fail, hang or end
// the process, for tests of everything that writes.
//
// Rules say which operation, on which path, for the how manieth time, and what
// happens:
//
//	fs := faultfs.New(memfs.New(),
//		faultfs.On(faultfs.Rename).Path("/topics/**").Nth(2).FailAfter(),
//		faultfs.On(faultfs.Write).Path("/logs/**/log").Crash())
//
// To let every operation of a scenario fail once, run it without rules, take
// len(fs.Trace()), and run it again with At(0), At(1), … and each action.
package faultfs
