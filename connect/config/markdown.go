package config

import (
	"fmt"
	"strings"
)

// Markdown renders the definition as reference tables, one per group, in order of
// definition. Internal keys are left out.
func (d *Def) Markdown() string {
	var b strings.Builder
	groups := d.groups
	for i := range d.keys {
		if d.keys[i].Group == "" {
			groups = append([]string{""}, groups...)
			break
		}
	}
	for _, g := range groups {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if g != "" {
			fmt.Fprintf(&b, "### %s\n\n", g)
		}
		b.WriteString("| Key | Type | Default | Valid values | Importance | Meaning |\n|---|---|---|---|---|---|\n")
		for i := range d.keys {
			if k := &d.keys[i]; k.Group == g && !k.Internal {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", k.Name, strings.ToLower(string(k.Type)),
					defaultText(k), cell(k.Valid), strings.ToLower(string(k.Importance)), cell(k.Doc))
			}
		}
	}
	return b.String()
}

func defaultText(k *Key) string {
	if k.Default == NoDefault {
		return "**required**"
	}
	text := Text(k.Default)
	switch {
	case text == nil:
		return "null"
	case *text == "":
		return "empty"
	}
	return "`" + cell(*text) + "`"
}

// cell makes text fit into one table cell.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\r", "", "\n", " ").Replace(text)
}
