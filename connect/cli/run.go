package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/plugin"
	"github.com/penstock-io/penstock/connect/settings"
	"github.com/penstock-io/penstock/internal/logging"
	"github.com/penstock-io/penstock/rest/api"
)

// runWorker runs "worker distributed" and "worker standalone".
func (p Program) runWorker(ctx context.Context, command string, args []string) error {
	over := overrides{}
	fs := flag.NewFlagSet(command, flag.ContinueOnError)
	fs.Var(over, "override", "key=value that replaces a worker property; may be repeated")
	files, err := ParseFlags(fs, args)
	if err != nil {
		return err
	}
	mode := settings.Distributed
	if command == "standalone" {
		mode = settings.Standalone
	}
	switch {
	case len(files) == 0:
		return UsageError(fmt.Sprintf("%s needs a properties file\n\n%s", command, p.usage()))
	case mode == settings.Distributed && len(files) > 1:
		return UsageError(fmt.Sprintf("distributed takes one properties file, not %d; connectors are created through REST\n\n%s", len(files), p.usage()))
	}
	props, err := config.LoadProperties(files[0])
	if err != nil {
		return UsageError(fmt.Sprintf("read the worker's properties: %v", err))
	}
	for k, v := range over {
		props[k] = v
	}
	var connectors []connectorFile
	var problems []error
	for _, path := range files[1:] {
		c, err := readConnectorFile(path)
		connectors, problems = append(connectors, c), append(problems, err)
	}
	log, levels := logging.New(os.Stdout)
	a, err := p.NewWorker(mode, props, log, levels)
	if err := errors.Join(append([]error{err}, problems...)...); err != nil {
		return err
	}
	a.connectors = connectors
	return a.Run(ctx)
}

// connectorFile is a connector of a standalone worker.
type connectorFile struct {
	path    string
	initial connect.TargetState // "": started
	api.CreateConnectorRequest
}

// readConnectorFile reads a connector's config as ConnectStandalone does: JSON, either a
// request of POST /connectors or the plain config, and otherwise properties.
func readConnectorFile(path string) (connectorFile, error) {
	c := connectorFile{path: path}
	wrong := func(err error) (connectorFile, error) {
		return c, UsageError(fmt.Sprintf("connector file %s: %v", path, err))
	}
	if strings.EqualFold(filepath.Ext(path), ".json") {
		text, err := os.ReadFile(path)
		if err != nil {
			return wrong(err)
		}
		if c.CreateConnectorRequest, err = parseConnectorJSON(text); err != nil {
			return wrong(err)
		}
	} else {
		props, err := config.LoadProperties(path)
		if err != nil {
			return wrong(err)
		}
		c.Config = props
	}
	if c.Name == "" {
		c.Name = c.Config["name"]
	}
	if c.Name == "" {
		return wrong(errors.New("it has no name. Set name to the connector's name"))
	}
	if named := c.Config["name"]; named != "" && named != c.Name {
		return wrong(fmt.Errorf("the name is %q, but the config's name is %q. Write one of them", c.Name, named))
	}
	c.Config["name"] = c.Name
	states := map[string]connect.TargetState{"": "", "RUNNING": connect.TargetStarted, "PAUSED": connect.TargetPaused, "STOPPED": connect.TargetStopped}
	initial, known := states[strings.ToUpper(c.InitialState)]
	if !known {
		return wrong(fmt.Errorf("%q is no initial_state: use RUNNING, PAUSED or STOPPED", c.InitialState))
	}
	c.initial = initial
	return c, nil
}

// parseConnectorJSON reads {"name": …, "config": {…}} or a flat map of strings.
func parseConnectorJSON(text []byte) (api.CreateConnectorRequest, error) {
	var request api.CreateConnectorRequest
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&request); err == nil && request.Config != nil && errors.Is(d.Decode(new(any)), io.EOF) {
		return request, nil
	}
	flat := map[string]string{}
	if err := json.Unmarshal(text, &flat); err != nil {
		return request, fmt.Errorf(`it is neither {"name": …, "config": {…}} nor a JSON object of strings: %w`, err)
	}
	return api.CreateConnectorRequest{Name: flat["name"], Config: flat}, nil
}

// runPlugins lists what can be run, or writes the reference of its configuration.
func (p Program) runPlugins(args []string, out io.Writer) error {
	fs := flag.NewFlagSet("plugins", flag.ContinueOnError)
	docs := fs.String("docs", "", "write the configuration reference into this folder")
	if files, err := ParseFlags(fs, args); err != nil {
		return err
	} else if len(files) > 0 {
		return UsageError("plugins takes no files")
	}
	registry, err := plugin.New(p.Plugins)
	if err != nil {
		return err
	}
	if *docs != "" {
		return p.writeReference(*docs)
	}
	for _, i := range registry.Infos(false) {
		fmt.Fprintf(out, "%-16s %-64s %s\n", i.Type, i.Class, i.Version)
	}
	return nil
}

// badConfig makes the refusal of a connector file an error of configuration.
func badConfig(path string, err error) error {
	var refused *api.Error
	if errors.As(err, &refused) && refused.Status < 500 {
		return UsageError(fmt.Sprintf("connector file %s: %s", path, refused.Message))
	}
	return fmt.Errorf("create the connector of %s: %w", path, err)
}
