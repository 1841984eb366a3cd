//go:build integration

package differential

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// asked are the requests of steps, "GET /connectors/c/status" without query.
var asked = map[string]bool{}

// everyEndpointIsCompared tells whether steps have asked every endpoint that
// docs/reference/rest.md lists, which in turn are those of the router (package rest).
func everyEndpointIsCompared() bool {
	page, err := os.ReadFile("../../docs/reference/rest.md")
	if err != nil {
		fmt.Println(err)
		return false
	}
	rows := regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)` \\|").FindAllStringSubmatch(string(page), -1)
	complete := len(rows) > 20
	for _, row := range rows {
		if !isAsked(row[1]) {
			fmt.Println("no step compares", row[1])
			complete = false
		}
	}
	return complete
}

func isAsked(endpoint string) bool {
	parts := regexp.MustCompile(`\{[a-z]+\}`).Split(strings.TrimSpace(endpoint), -1)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	like := regexp.MustCompile("^" + strings.Join(parts, "[^/]+") + "$")
	for req := range asked {
		if like.MatchString(req) {
			return true
		}
	}
	return false
}
