package worker

import (
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/convert"
	"github.com/penstock-io/penstock/connect/settings"
)

// converters are the three of a task, with their Java class names. They belong to the
// task's goroutine.
type converters struct {
	key, value                        convert.Converter
	header                            convert.HeaderConverter
	keyClass, valueClass, headerClass string
}

// converters makes and configures the converters of a connector: its own, or else the
// worker's.
func (w *Worker) converters(s *settings.Connector) (_ *converters, err error) {
	c := &converters{}
	defer func() {
		if err == nil {
			return
		}
		if e := c.close(); e != nil { // joined to err it would hide err's cause in the trace
			w.Log.Warn("could not close a converter", zap.Error(e))
		}
	}()
	if c.key, c.keyClass, err = w.recordConverter(s, "key.converter", true); err != nil {
		return nil, err
	}
	if c.value, c.valueClass, err = w.recordConverter(s, "value.converter", false); err != nil {
		return nil, err
	}
	if c.header, c.headerClass, err = w.headerConverter(s); err != nil {
		return nil, err
	}
	return c, nil
}

func (w *Worker) recordConverter(s *settings.Connector, key string, isKey bool) (convert.Converter, string, error) {
	named := s.Converter(w.Settings, key)
	p, err := w.Plugins.Converter(named.Class)
	if err != nil {
		return nil, "", converterError(key, named.Class, err)
	}
	if err := p.CheckVersion(named.Version); err != nil {
		return nil, "", converterError(key, named.Class, err)
	}
	c := p.New()
	if err := c.Configure(convert.WithType(named.Props, isKey), isKey); err != nil {
		return nil, "", converterError(key, named.Class, err)
	}
	return c, p.Class, nil
}

func (w *Worker) headerConverter(s *settings.Connector) (convert.HeaderConverter, string, error) {
	const key = "header.converter"
	named := s.Converter(w.Settings, key)
	p, err := w.Plugins.HeaderConverter(named.Class)
	if err != nil {
		return nil, "", converterError(key, named.Class, err)
	}
	if err := p.CheckVersion(named.Version); err != nil {
		return nil, "", converterError(key, named.Class, err)
	}
	c := p.New()
	if err := c.ConfigureHeader(convert.WithHeaderType(named.Props)); err != nil {
		return nil, "", converterError(key, named.Class, err)
	}
	return c, p.Class, nil
}

func converterError(key, class string, err error) error {
	return &connect.Error{Msg: fmt.Sprintf("could not set up %s with class %s", key, class), Err: err}
}

// close closes the converters that were made.
func (c *converters) close() error {
	var problems []error
	if c.key != nil {
		problems = append(problems, c.key.Close())
	}
	if c.value != nil {
		problems = append(problems, c.value.Close())
	}
	if c.header != nil {
		problems = append(problems, c.header.Close())
	}
	return errors.Join(problems...)
}
