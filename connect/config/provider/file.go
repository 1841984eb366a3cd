package provider

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
)

// maxFileBytes bounds what is read of one file: a placeholder that names a log or a
// device must not eat the worker's memory.
const maxFileBytes = 16 << 20

// allowedPaths is the setting allowed.paths; nil allows everything.
type allowedPaths []string

func parseAllowedPaths(params map[string]string) (allowedPaths, error) {
	text := params["allowed.paths"]
	if text == "" {
		return nil, nil
	}
	allowed := allowedPaths{}
	var problems []error
	for p := range strings.SplitSeq(text, ",") {
		p = filepath.Clean(p)
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

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFileBytes)
	}
	return string(text), err
}

// File reads keys of properties files (Java: FileConfigProvider). A path outside of
// allowed.paths has no keys.
type File struct{ allowed allowedPaths }

// Configure takes allowed.paths, a list of absolute paths.
func (f *File) Configure(params map[string]string) (err error) {
	f.allowed, err = parseAllowedPaths(params)
	return err
}

// Get reads the file in UTF-8.
func (f *File) Get(path string, keys []string) (Data, error) {
	data := Data{Values: map[string]string{}, TTL: NoTTL}
	if path == "" {
		return data, nil
	}
	real, ok := f.allowed.resolve(path)
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

// Close does nothing.
func (f *File) Close() error { return nil }

// Directory takes the content of files; the key is the file's name (Java:
// DirectoryConfigProvider). A path outside of allowed.paths has no keys.
type Directory struct{ allowed allowedPaths }

// Configure takes allowed.paths, a list of absolute paths.
func (d *Directory) Configure(params map[string]string) (err error) {
	d.allowed, err = parseAllowedPaths(params)
	return err
}

// Get reads the named regular files.
func (d *Directory) Get(path string, keys []string) (Data, error) {
	data := Data{Values: map[string]string{}, TTL: NoTTL}
	if path == "" {
		return data, nil
	}
	real, ok := d.allowed.resolve(path)
	if !ok {
		return data, nil
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return data, nil //nolint:nilerr // Java parity: what is no directory has no keys
	}
	for _, k := range keys {
		// A key is the name of a file in the directory, never a way out of it.
		if k == "" || k != filepath.Base(k) || k == ".." || k == "." {
			continue
		}
		file := filepath.Join(real, k)
		if _, ok := d.allowed.resolve(file); !ok {
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

// Close does nothing.
func (d *Directory) Close() error { return nil }

// readError has the JVM's text; the cause tells why without naming the path again.
func readError(msg string, err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &config.Error{Msg: msg + ": " + err.Error()}
}
