package provider

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/penstock-io/penstock/connect/config"
)

// maxFileBytes bounds what is read of one file: a placeholder that names a log or a
// device must not eat the worker's memory.
const maxFileBytes = 16 << 20

// files is what the providers of files have in common.
type files struct {
	allowed    allowedPaths
	checkEvery time.Duration
	loggable   bool
	warn       func(msg string)
}

// Configure takes allowed.paths, a list of absolute paths, and the parameters beyond the
// JVM's. All problems are returned together.
func (f *files) Configure(params map[string]string) error {
	var problems [3]error
	f.allowed, problems[0] = parseAllowedPaths(params)
	f.checkEvery, problems[1] = parseTTL(params)
	f.loggable, problems[2] = parseLoggable(params)
	return joinErrors(problems[:])
}

// Close does nothing.
func (f *files) Close() error { return nil }

func (f *files) nothing() Data {
	return Data{Values: map[string]string{}, TTL: NoTTL, CheckEvery: f.checkEvery, Loggable: f.loggable}
}

func (f *files) tell(msg string) {
	if f.warn != nil {
		f.warn(msg)
	}
}

// resolve is allowedPaths.resolve that says why a path is not read.
func (f *files) resolve(path string) (string, bool) {
	real, ok := f.allowed.resolve(path)
	if !ok {
		f.tell("The path " + path + " is not allowed to be accessed. It is not below allowed.paths of the config provider, so its placeholders stay as they are.")
	}
	return real, ok
}

const minCheck = 100 * time.Millisecond

func parseTTL(params map[string]string) (time.Duration, error) {
	text, given := params[TTLParam]
	if !given {
		return 0, nil
	}
	v, err := config.NewDef().ParseValue(TTLParam, text, config.TypeLong)
	if err != nil {
		return 0, err
	}
	ms := v.(int64)
	if ms < minCheck.Milliseconds() {
		return 0, config.Invalid(TTLParam, ms, fmt.Sprintf("Value must be at least %d. It is the pause between two looks at the files, in milliseconds, e.g. 10000.", minCheck.Milliseconds()))
	}
	return config.Values{TTLParam: ms}.Millis(TTLParam), nil
}

func parseLoggable(params map[string]string) (bool, error) {
	text, given := params[LogParam]
	if !given {
		return false, nil
	}
	v, err := config.NewDef().ParseValue(LogParam, text, config.TypeBoolean)
	if err != nil {
		return false, err
	}
	return v.(bool), nil
}

// allowedPaths is the setting allowed.paths; nil allows everything.
type allowedPaths []string

func parseAllowedPaths(params map[string]string) (allowedPaths, error) {
	text := params["allowed.paths"]
	if text == "" {
		return nil, nil
	}
	allowed := allowedPaths{}
	var problems []error
	for p := range strings.SplitSeq(strings.TrimRight(text, ","), ",") { // Java parity: empty items at the end do not count
		if p == "" && strings.Trim(text, ",") == "" {
			break // and neither does a list of nothing else, which allows nothing
		}
		if p != "" {
			p = filepath.Clean(p)
		}
		if !filepath.IsAbs(p) {
			problems = append(problems, pathError("Path "+p+" is not absolute"))
		} else if _, err := os.Stat(p); err != nil {
			problems = append(problems, pathError("Path "+p+" does not exist"))
		} else {
			allowed = append(allowed, p)
		}
	}
	return allowed, joinErrors(problems)
}

func pathError(msg string) error { return &config.Error{Key: "allowed.paths", Msg: msg} }

// resolve returns the path to read, or false when it lies outside. Symbolic links are
// followed only where they lead back inside, which is stricter than the JVM.
func (a allowedPaths) resolve(path string) (string, bool) {
	if a == nil {
		return path, true
	}
	path = filepath.Clean(path)
	if !a.contains(path) {
		return "", false
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && !a.containsReal(real) {
		return "", false
	}
	return path, true
}

func (a allowedPaths) contains(path string) bool {
	for _, dir := range a {
		if below(path, dir) {
			return true
		}
	}
	return false
}

func (a allowedPaths) containsReal(path string) bool {
	for _, dir := range a {
		if real, err := filepath.EvalSymlinks(dir); err == nil && below(path, real) {
			return true
		}
	}
	return false
}

func below(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

var (
	errNotUTF8 = errors.New("it is not UTF-8")
	errNoFile  = errors.New("it is a pipe, a socket or a device; use a regular file")
)

// readFile reads a text in UTF-8; Java refuses other bytes, too. Only regular files are read:
// to open or to read a pipe or a terminal may block for ever.
func readFile(path string) (string, error) {
	// Looked at before, since to open a device may already do something, and after, since the
	// path may be another file by then.
	if err := readable(os.Stat(path)); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := readable(f.Stat()); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFileBytes)
	}
	if err == nil && !utf8.Valid(text) {
		err = errNotUTF8
	}
	return string(text), err
}

// readable refuses what is no file. A directory passes, and fails when it is read, with the
// system's text.
func readable(info os.FileInfo, err error) error {
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return errNoFile
	}
	return err
}

// File reads keys of properties files (Java: FileConfigProvider). A path outside of
// allowed.paths has no keys.
type File struct{ files }

// Get reads the file in UTF-8.
func (f *File) Get(path string, keys []string) (Data, error) {
	data := f.nothing()
	if path == "" {
		return data, nil
	}
	real, ok := f.resolve(path)
	if !ok {
		return data, nil
	}
	text, err := readFile(real)
	if err != nil {
		return data, readError("Could not read properties from file "+path, err)
	}
	props, err := config.ParseProperties(text)
	if err != nil {
		return data, readError("Could not read properties from file "+path, err)
	}
	for _, k := range keys {
		if v, ok := props[k]; ok {
			data.Values[k] = v
		}
	}
	return data, nil
}

// Directory takes the content of files; the key is the file's name (Java:
// DirectoryConfigProvider). A path outside of allowed.paths has no keys.
type Directory struct{ files }

// Get reads the named regular files.
func (d *Directory) Get(path string, keys []string) (Data, error) {
	data := d.nothing()
	if path == "" {
		return data, nil
	}
	real, ok := d.resolve(path)
	if !ok {
		return data, nil
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		d.tell("The path " + path + " is not a directory. Its placeholders stay as they are.")
		return data, nil //nolint:nilerr // Java parity: what is no directory has no keys
	}
	if _, err := os.ReadDir(real); err != nil {
		return data, readError("Could not list directory "+path, err)
	}
	for _, k := range keys {
		// A key is the name of a file in the directory, never a way out of it.
		if k == "" || k != filepath.Base(k) || k == ".." || k == "." {
			continue
		}
		file := filepath.Join(real, k)
		if _, ok := d.resolve(file); !ok {
			continue
		}
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			continue
		}
		text, err := readFile(file)
		if err != nil {
			return data, readError("Could not read file "+file+" for property "+k, err)
		}
		data.Values[k] = text
	}
	return data, nil
}

// readError has the JVM's text; the cause tells why without naming the path again.
func readError(msg string, err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &config.Error{Msg: msg + ": " + err.Error()}
}
