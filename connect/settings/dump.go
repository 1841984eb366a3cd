package settings

import (
	"slices"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
)

// Dump lists the worker's properties with their values in force, sorted, as the JVM writes
// them into its log at the start. Passwords are [hidden]; what is not defined is left out.
func (w *Worker) Dump() string {
	var b strings.Builder
	b.WriteString("DistributedConfig values: ")
	if w.Mode == Standalone {
		b.Reset()
		b.WriteString("StandaloneConfig values: ")
	}
	names := make([]string, 0, len(w.Values))
	for _, k := range WorkerDef(w.Mode).Keys() {
		if !k.Internal {
			names = append(names, k.Name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b.WriteString("\n\t" + name + " = " + config.JavaText(w.Values[name]))
	}
	return b.String()
}
