package differential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// node is a JSON value as it was written: objects keep the order of their fields, and texts
// and numbers their form.
type node struct {
	raw    string // of a value that is no object or array
	fields []field
	items  []node
	kind   byte // '{', '[' or 0
}

type field struct {
	name  string
	value node
}

func parseNode(text []byte) (n node, err error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		if !json.Valid(text) {
			return n, fmt.Errorf("no JSON: %q", text)
		}
		return node{raw: string(text)}, nil
	}
	n.kind = text[0]
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return n, err
	}
	for d.More() {
		var name json.Token
		if n.kind == '{' {
			if name, err = d.Token(); err != nil {
				return n, err
			}
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return n, err
		}
		v, err := parseNode(raw)
		if err != nil {
			return n, err
		}
		if n.kind == '[' {
			n.items = append(n.items, v)
		} else {
			n.fields = append(n.fields, field{name.(string), v})
		}
	}
	_, err = d.Token()
	return n, err
}

// String writes the value compactly.
func (n node) String() string {
	var parts []string
	switch n.kind {
	case '{':
		for _, f := range n.fields {
			name, _ := json.Marshal(f.name) // a string always has a text
			parts = append(parts, string(name)+":"+f.value.String())
		}
		return "{" + strings.Join(parts, ",") + "}"
	case '[':
		for _, v := range n.items {
			parts = append(parts, v.String())
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return n.raw
}

var matrix = regexp.MustCompile(`;[^/]*`)

// sorted orders what has no order.
func (n node) sorted() node {
	slices.SortFunc(n.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(n.items, func(a, b node) int { return strings.Compare(a.String(), b.String()) })
	return n
}

// mask replaces what cannot be equal in an answer to a request; path is without the query.
func (n node) mask(method, path, query string) node {
	n = n.maskFields()
	path = strings.TrimSuffix(matrix.ReplaceAllString(path, ""), "/")
	switch {
	case strings.HasPrefix(path, "/admin/loggers"):
		return n.maskLoggers()
	case path == "/connector-plugins":
		n.items = slices.DeleteFunc(n.items, func(v node) bool { return !strings.HasPrefix(v.String(), `{"class":"`+kafkaPlugins) })
	case strings.HasSuffix(path, "/restart"):
		for i := range n.fields {
			if n.fields[i].name == "tasks" {
				n.fields[i].value = n.fields[i].value.sorted() // a plan has no order
			}
		}
	case path == "/connectors" && (n.kind == '[' || strings.Contains(query, "expand")),
		method == "GET" && strings.HasPrefix(path, "/connectors/") && strings.HasSuffix(path, "/config") && !n.has("error_code"):
		return n.sorted() // a list of names, or a map
	}
	return n
}

func (n node) has(name string) bool {
	return slices.ContainsFunc(n.fields, func(f field) bool { return f.name == name })
}

func (n node) maskFields() node {
	n.raw = nullRegex.Replace(n.raw)
	for i := range n.items {
		n.items[i] = n.items[i].maskFields()
	}
	for i := range n.fields {
		f := &n.fields[i]
		f.value = f.value.maskFields()
		switch f.name {
		case "config", "partition", "offset", "offsets", "topics":
			f.value = f.value.sorted() // the JVM's are hash maps and sets
		case "trace":
			var text string
			if json.Unmarshal([]byte(f.value.raw), &text) == nil {
				first, _, _ := strings.Cut(text, "\n")
				b, _ := json.Marshal(first) // a string always has a text
				f.value.raw = string(b)
			}
		case "message":
			f.value.raw = maskMap(f.value.raw)
		case "last_modified":
			if f.value.raw != "null" {
				f.value.raw = `"TIME"`
			}
		case "commit":
			f.value.raw = `"COMMIT"`
		case "documentation":
			f.value.raw = `"TEXT"` // of a config definition: ours are our own words
		}
	}
	return n
}

// kafkaPlugins begins the classes of the plugins that are compared: what else there is depends
// on what is installed.
const kafkaPlugins = "org.apache.kafka.connect."

// loggerPrefix begins the names of loggers that are compared, besides root: what else there
// is are Java's packages and ours.
const loggerPrefix = "differential"

func (n node) maskLoggers() node {
	compared := func(name string) bool { return name == "root" || strings.HasPrefix(name, loggerPrefix) }
	n.items = slices.DeleteFunc(n.items, func(v node) bool {
		var name string
		return json.Unmarshal([]byte(v.raw), &name) == nil && !compared(name)
	})
	n.fields = slices.DeleteFunc(n.fields, func(f field) bool { return f.value.kind == '{' && !compared(f.name) })
	return n
}

var javaMap = regexp.MustCompile(`^"(?:[\w.]+: )?Connector config \{(.*)\} contains no connector type"$`)

// nullRegex is how the JVM says that a required regular expression is missing, until it has
// compiled the code: then it leaves such texts out.
var nullRegex = strings.NewReplacer(`Cannot invoke \"String.isEmpty()\" because \"this.pattern\" is null`, "null")

// maskMap orders the keys of a config in a message.
func maskMap(text string) string {
	m := javaMap.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	keys := strings.Split(m[1], ", ")
	slices.Sort(keys)
	return strings.Replace(text, m[1], strings.Join(keys, ", "), 1)
}
