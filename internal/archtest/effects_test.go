package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/penstock-io/penstock/connect/settings"
)

// TestAKeyThatNothingReadsIsListed keeps the compatibility matrix honest: a key of the JVM
// that no code of ours names cannot do what it does there.
func TestAKeyThatNothingReadsIsListed(t *testing.T) {
	named := literals(t)
	for _, k := range settings.CompatibleKeys() {
		if k.Effect.Why == "" && !named[k.Key] {
			t.Errorf("nothing reads %s, and connect/settings/effects.go does not say what happens to it", k.Key)
		}
	}
}

// literals returns all string literals of the code, but for the tables of definitions,
// which are texts of many lines.
func literals(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "integration-tests" || d.Name() == "bench"):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
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
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
