package transform

import (
	"fmt"
	"strings"

	"github.com/penstock-io/penstock/connect"
	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/javaregex"
)

// timestampRouter makes the topic of the old topic and the record's timestamp.
type timestampRouter struct {
	closer
	topicFormat string
	format      *dateFormat
}

func (*timestampRouter) ConfigDef() *config.Def {
	return config.NewDef(ranked(config.High, optional("topic.format", config.TypeString, "${topic}-${timestamp}", "New topic; ${topic} and ${timestamp} are replaced.", nil)),
		ranked(config.High, optional("timestamp.format", config.TypeString, "yyyyMMdd", "Pattern of Java's SimpleDateFormat, in UTC.", nil)))
}

func (t *timestampRouter) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	t.topicFormat = v.String("topic.format")
	if t.format, err = parseDateFormat(v.String("timestamp.format")); err != nil {
		return config.Invalid("timestamp.format", v.String("timestamp.format"), err.Error())
	}
	return nil
}

func (t *timestampRouter) Apply(rec *connect.Record) (bool, error) {
	if rec.Timestamp == connect.NoTimestamp {
		return false, dataError("Timestamp missing on record: %s", place(rec))
	}
	stamp := t.format.format(rec.Timestamp)
	topic := strings.ReplaceAll(t.topicFormat, "${topic}", rec.Topic)
	rec.Topic = strings.ReplaceAll(topic, "${timestamp}", stamp)
	return true, nil
}

// place tells people which record it is: a source record has only its topic.
func place(rec *connect.Record) string {
	text := "topic " + rec.Topic
	if rec.Partition != connect.AnyPartition {
		text += fmt.Sprintf(", partition %d", rec.Partition)
	}
	if rec.Offset != connect.NoOffset {
		text += fmt.Sprintf(", offset %d", rec.Offset)
	}
	return text
}

// regexRouter renames topics that match an expression as a whole.
type regexRouter struct {
	closer
	replacer *javaregex.Replacer
}

func (*regexRouter) ConfigDef() *config.Def {
	return config.NewDef(required("regex", config.TypeString, "Java regular expression that the whole topic matches.", checkRegex),
		required("replacement", config.TypeString, "New topic; $1 and ${name} are groups of the expression.", nil))
}

func (t *regexRouter) Configure(props map[string]string) error {
	v, err := t.ConfigDef().Parse(props)
	if err != nil {
		return err
	}
	r, err := javaregex.Compile(v.String("regex"))
	if err == nil {
		t.replacer, err = r.Replacer(v.String("replacement"))
	}
	if err != nil {
		return config.Invalid("replacement", v.String("replacement"), err.Error())
	}
	return nil
}

func (t *regexRouter) Apply(rec *connect.Record) (bool, error) {
	rec.Topic = t.replacer.ReplaceFull(rec.Topic)
	return true, nil
}
