package rest

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
)

// TestTheReferenceListsAllEndpoints compares docs/reference/rest.md with the router.
func TestTheReferenceListsAllEndpoints(t *testing.T) {
	router, ok := (&Server{loggers: fakeLoggers{}}).routes().(chi.Routes)
	if !ok {
		t.Fatal("routes are no longer a chi router")
	}
	parameter := regexp.MustCompile(`\{[a-z]+\}`)
	var routed []string
	err := chi.Walk(router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if method != http.MethodHead { // goes with GET
			routed = append(routed, method+" "+parameter.ReplaceAllString(route, "{}"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/reference/rest.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	row := regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)` \\|")
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, parameter.ReplaceAllString(strings.TrimSpace(m[1]), "{}"))
	}
	slices.Sort(routed)
	slices.Sort(listed)
	if diff := cmp.Diff(routed, listed); diff != "" {
		t.Errorf("docs/reference/rest.md (-routes +listed):\n%s", diff)
	}
}
