package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/penstock-io/penstock"

// pkg is what go list tells of a package.
type pkg struct {
	ImportPath string
	Name       string
	Doc        string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Name,Doc,Imports,GoFiles", module+"/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// rule forbids packages below from to import anything below one of the prefixes of to,
// unless the import is below one of except.
type rule struct {
	from, why string
	to        []string
	except    []string
}

var rules = []rule{
	{"connect/data", "the data model is a leaf", []string{module, "github.com", "go.uber.org"}, []string{module + "/connect/data"}},
	{"connect/config", "configuration is a leaf of the SDK", []string{module}, []string{module + "/connect/config"}},
	{"connectors/hdfssink", "a connector uses the SDK only, as third parties do", []string{module},
		[]string{module + "/connectors/hdfssink", module + "/connect/data", module + "/connect/config", module + "/connect/convert", module + "/connect$"}},
	{"connectors/filestream", "a connector uses the SDK only, as third parties do", []string{module},
		[]string{module + "/connectors/filestream", module + "/connect/data", module + "/connect/config", module + "/connect$"}},
	{"connectors/testing", "a connector uses the SDK only, as third parties do", []string{module},
		[]string{module + "/connectors/testing", module + "/connect/data", module + "/connect/config", module + "/connect$"}},
	{"connect/connecttest", "the test kit is part of the SDK", []string{module},
		[]string{module + "/connect/connecttest", module + "/connect/data", module + "/connect/config", module + "/connect$"}},
	{"rest", "the REST layer knows the cluster through rest.Herder only", []string{module},
		[]string{module + "/rest", module + "/connect$", module + "/storage$"}},
	{"storage", "stores know nothing of who uses them", []string{module},
		[]string{module + "/storage", module + "/connect$", module + "/connect/data", module + "/connect/convert", module + "/internal"}},
	{"internal/kafka", "the Kafka client is below the runtime", []string{module},
		[]string{module + "/internal", module + "/connect$", module + "/connect/config"}},
	{"connect/herder", "task configs reach the leader through a LeaderClient", []string{module + "/rest"}, []string{module + "/rest/api"}},
	{"connect/worker", "the worker does not decide what runs", []string{module + "/connect/herder", module + "/connect/group", module + "/rest"}, nil},
}

func below(path, prefix string) bool {
	if exact, ok := strings.CutSuffix(prefix, "$"); ok {
		return path == exact
	}
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func TestImportsPointDown(t *testing.T) {
	for _, p := range packages(t) {
		for _, r := range rules {
			if !below(p.ImportPath, module+"/"+r.from) {
				continue
			}
			for _, imp := range p.Imports {
				forbidden := slices.ContainsFunc(r.to, func(x string) bool { return below(imp, x) })
				allowed := slices.ContainsFunc(r.except, func(x string) bool { return below(imp, x) })
				if forbidden && !allowed {
					t.Errorf("%s imports %s: %s", p.ImportPath, imp, r.why)
				}
			}
		}
	}
}

func TestSaramaStaysInInternalKafka(t *testing.T) {
	for _, p := range packages(t) {
		if slices.Contains(p.Imports, "github.com/IBM/sarama") && p.ImportPath != module+"/internal/kafka" {
			t.Errorf("%s imports sarama: only internal/kafka may", p.ImportPath)
		}
	}
}

func TestOnlyTheBinaryNamesConnectors(t *testing.T) {
	for _, p := range packages(t) {
		if below(p.ImportPath, module+"/connectors") || below(p.ImportPath, module+"/cmd") ||
			below(p.ImportPath, module+"/integration-tests") || below(p.ImportPath, module+"/bench") {
			continue
		}
		for _, imp := range p.Imports {
			if below(imp, module+"/connectors") {
				t.Errorf("%s imports %s: connectors are linked in by cmd/worker", p.ImportPath, imp)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	banned := []string{"util", "utils", "common", "helpers", "types", "manager"}
	for _, p := range packages(t) {
		if len(p.GoFiles) > 0 && p.Doc == "" {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
		if slices.Contains(banned, p.Name) {
			t.Errorf("%s: %q says nothing about the package", p.ImportPath, p.Name)
		}
	}
}
