package transform

import (
	"errors"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/javaregex"
)

// hasHeaderKey is true of records that have a header of a name.
type hasHeaderKey struct {
	closer
	name string
}

func (*hasHeaderKey) ConfigDef() *config.Def {
	return config.NewDef(ranked(config.Medium, required("name", config.TypeString, "Name of the header.", config.NonEmpty)))
}

func (p *hasHeaderKey) Configure(props map[string]string) error {
	v, err := p.ConfigDef().Parse(props)
	if err == nil {
		p.name = v.String("name")
	}
	return err
}

func (p *hasHeaderKey) Test(rec *connect.Record) bool {
	for i := range rec.Headers {
		if rec.Headers[i].Key == p.name {
			return true
		}
	}
	return false
}

// recordIsTombstone is true of records without a value.
type recordIsTombstone struct{ closer }

func (*recordIsTombstone) ConfigDef() *config.Def { return config.NewDef() }

func (*recordIsTombstone) Configure(map[string]string) error { return nil }

func (*recordIsTombstone) Test(rec *connect.Record) bool { return rec.Value.Null() }

// topicNameMatches is true of records whose whole topic name matches an expression.
type topicNameMatches struct {
	closer
	pattern *javaregex.Regex
}

func (*topicNameMatches) ConfigDef() *config.Def {
	return config.NewDef(ranked(config.Medium, required("pattern", config.TypeString, "Java regular expression that the whole topic name matches.",
		config.All(config.NonEmpty, checkRegex))))
}

func checkRegex(_ string, v any) error {
	text, ok := v.(string)
	if !ok {
		return errors.New("Invalid regex: null")
	}
	if _, err := javaregex.Compile(text); err != nil {
		return errors.New("Invalid regex: " + err.Error())
	}
	return nil
}

func (p *topicNameMatches) Configure(props map[string]string) error {
	v, err := p.ConfigDef().Parse(props)
	if err == nil {
		p.pattern, err = javaregex.Compile(v.String("pattern"))
	}
	return err
}

func (p *topicNameMatches) Test(rec *connect.Record) bool { return p.pattern.MatchFull(rec.Topic) }
