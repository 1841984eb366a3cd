package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect/settings"
)

// TestAKeyThatNothingReadsIsListed keeps the compatibility matrix honest: a key of the JVM
// that no code of ours names cannot do what it does there. A key that only clients have must
// be named where the clients read their properties: connect/settings defines and passes on all.
func TestAKeyThatNothingReadsIsListed(t *testing.T) {
	anywhere, clients := literals(t, "../.."), literals(t, "../kafka", "../tlsstore")
	for _, k := range settings.CompatibleKeys() {
		named := anywhere
		if !slices.ContainsFunc(k.In, func(def string) bool { return !slices.Contains(clientDefs, def) }) {
			named = clients
		}
		if k.Effect.Why == "" && !named[k.Key] {
			t.Errorf("nothing reads %s, and connect/settings/effects.go does not say what happens to it", k.Key)
		}
	}
}

var clientDefs = []string{"producer", "consumer", "admin"}

// literals returns all string literals of the code below some folders, but for the tables of
// definitions, which are texts of many lines.
func literals(t *testing.T, roots ...string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, root := range roots {
		if err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && (d.Name() == ".git" || d.Name() == "integration-tests" || d.Name() == "bench"):
				return fs.SkipDir
			case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
				return nil
			}
			return addLiterals(found, path)
		}); err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func addLiterals(found map[string]bool, path string) error {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				found[text] = true
			}
		}
		return true
	})
	return nil
}
