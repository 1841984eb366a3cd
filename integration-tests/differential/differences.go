package differential

import (
	"fmt"
	"regexp"
	"strings"
)

// difference is one that we want. jvm and ours are patterns of status and body, "500 {…}",
// where … stands for any text; «1» in ours stands for the first text that … stood for in jvm,
// and so on. Headers must be equal unless headers is set.
type difference struct {
	name      string // what steps name
	jvm, ours string
	headers   bool
	reason    string
}

// matches tells whether two answers, as text, show the difference.
func (d *difference) matches(jvm, ours string) error {
	m := pattern(d.jvm, nil).FindStringSubmatch(jvm)
	if m == nil {
		return fmt.Errorf("the JVM's answer is not the listed %s", d.jvm)
	}
	if !pattern(d.ours, m[1:]).MatchString(ours) {
		return fmt.Errorf("our answer is not the listed %s", d.ours)
	}
	return nil
}

var wildcard = regexp.MustCompile(`…|«\d»`)

// pattern makes a regular expression of a text with wildcards.
func pattern(text string, captured []string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	rest := text
	for _, at := range wildcard.FindAllStringIndex(text, -1) {
		b.WriteString(regexp.QuoteMeta(text[len(text)-len(rest) : at[0]]))
		if card := text[at[0]:at[1]]; card == "…" {
			b.WriteString(`(.*?)`)
		} else if n := int([]rune(card)[1] - '1'); n < len(captured) {
			b.WriteString(regexp.QuoteMeta(captured[n]))
		}
		rest = text[at[1]:]
	}
	b.WriteString(regexp.QuoteMeta(rest) + `$`)
	return regexp.MustCompile(b.String())
}

// differenceByName returns nil for a name that is not listed.
func differenceByName(name string) *difference {
	for i := range differences {
		if differences[i].name == name {
			return &differences[i]
		}
	}
	return nil
}

// page is docs/reference/rest-differences.md.
func page() string {
	var b strings.Builder
	b.WriteString(`# Answers that differ from the JVM worker's

Every request of the tests in ` + "`integration-tests/differential`" + ` is answered by this worker as by Kafka Connect 4.3.1, but
for those below. … is any text, «1» what the first … stands for. Made by ` + "`go test ./integration-tests/differential -update`" + `.

| What | JVM | Penstock | Why |
|---|---|---|---|
`)
	cell := strings.NewReplacer("|", `\|`)
	for _, d := range differences {
		fmt.Fprintf(&b, "| %s | `` %s `` | `` %s `` | %s |\n", d.name, cell.Replace(d.jvm), cell.Replace(d.ours), d.reason)
	}
	b.WriteString("\nNot compared:\n\n")
	for _, m := range masked {
		b.WriteString("- " + m + "\n")
	}
	return b.String()
}
