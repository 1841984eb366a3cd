package settings

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/connect/config/javaregex"
)

const (
	topicCreation = "topic.creation."
	defaultGroup  = "default"
)

// TopicGroup says how to create those of a source connector's topics that it matches
// (KIP-158). It is not changed after ParseSource and safe for concurrent use.
type TopicGroup struct {
	Name string
	// Partitions and ReplicationFactor are positive, or -1 for the broker's default.
	Partitions        int32
	ReplicationFactor int16
	// Config are the topic's own settings, such as cleanup.policy.
	Config map[string]string

	include, exclude *javaregex.Regex
}

// Matches reports whether the group is for a topic: an include expression matches its
// whole name and no exclude expression does.
func (g *TopicGroup) Matches(topic string) bool {
	return !g.exclude.MatchFull(topic) && g.include.MatchFull(topic)
}

// TopicGroupOf returns the group that a new topic belongs to, nil when the connector does
// not create topics.
func (s *Source) TopicGroupOf(topic string) *TopicGroup {
	for i := range s.TopicGroups {
		if g := &s.TopicGroups[i]; g.Name == defaultGroup || g.Matches(topic) {
			return g
		}
	}
	return nil
}

// UsesTopicCreation reports whether a source connector's config has any key of topic
// creation, and so whether its admin settings count.
func UsesTopicCreation(props map[string]string) bool {
	for k := range props {
		if strings.HasPrefix(k, topicCreation) {
			return true
		}
	}
	return false
}

// parseTopicGroups reads topic.creation.<group>.* of all groups.
func parseTopicGroups(props map[string]string, warn func(key, msg string)) ([]TopicGroup, error) {
	fallback, values, err := parseTopicGroup(defaultGroup, defaultGroupDef(), props, warn)
	problems := []error{err}
	var groups []TopicGroup
	names := config.ParseList(props[topicCreation+"groups"])
	if len(names) > MaxNames {
		return nil, err // and one of that key, which is the connector's
	}
	for _, name := range config.Distinct(names) {
		if name == defaultGroup {
			if warn != nil {
				warn(topicCreation+"groups", "'default' topic creation group always exists and does not need to be listed explicitly")
			}
			continue
		}
		// Wrong values of the default group are reported there, not once more here.
		g, _, err := parseTopicGroup(name, groupDef(values), props, warn)
		problems = append(problems, err)
		groups = append(groups, g)
	}
	return append(groups, fallback), joined(problems)
}

const (
	includeKey     = "include"
	excludeKey     = "exclude"
	replicationKey = "replication.factor"
	partitionsKey  = "partitions"
)

func parseTopicGroup(name string, def *config.Def, props map[string]string, warn func(key, msg string)) (TopicGroup, config.Values, error) {
	prefix := topicCreation + name + "."
	if name == defaultGroup { // it takes what is left, whatever its patterns say
		props = maps.Clone(props)
		delete(props, prefix+includeKey)
		delete(props, prefix+excludeKey)
	}
	found, err := config.NewDef().Embed(prefix, "", 0, def).ParseWarn(props, warn)
	v := config.Values{}
	for key, value := range found {
		v[strings.TrimPrefix(key, prefix)] = value
	}
	g := TopicGroup{Name: name, Partitions: int32(v.Int(partitionsKey)), ReplicationFactor: v.Short(replicationKey), Config: withPrefix(props, prefix)} //nolint:gosec // an INT
	if err != nil {
		return g, v, groupError(prefix, err)
	}
	for _, k := range def.Keys() {
		delete(g.Config, k.Name)
	}
	var errInclude, errExclude error
	g.include, errInclude = javaregex.Compile(strings.Join(v.List(includeKey), "|"))
	g.exclude, errExclude = javaregex.Compile(strings.Join(v.List(excludeKey), "|"))
	if err := errors.Join(errInclude, errExclude); err != nil {
		return g, v, &config.Error{Key: prefix + includeKey, Msg: fmt.Sprintf("Syntax error in regular expression: %v. "+
			"The expressions of %sinclude and exclude are right by themselves but not joined by |.", err, prefix)}
	}
	return g, v, nil
}

// groupError says where the wrong value stands: of a validator's error the JVM shows only
// the key's last part.
func groupError(prefix string, err error) error {
	list := []error{err}
	if several, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // what errors.Join returned
		list = several.Unwrap()
	}
	for i, err := range list {
		var e *config.Error
		if errors.As(err, &e) && !strings.HasPrefix(e.Key, prefix) {
			list[i] = &config.Error{Key: prefix + e.Key, Msg: strings.TrimSuffix(e.Msg, ".") + ". The key is " + prefix + e.Key + "."}
		}
	}
	return joined(list)
}

// defaultGroupDef defines the keys below topic.creation.default.
func defaultGroupDef() *config.Def {
	return config.NewDef(amend(table(`
replication.factor | SHORT | - | L | | Replicas of new topics.
partitions | INT | - | L | | Partitions of new topics.
include | LIST | .* | L | | Not read: the group takes every topic that no other takes.
exclude | LIST | | L | | Not read.
`), map[string]func(k *config.Key){
		replicationKey: checked(checkReplication, "positive, or -1 for the broker's default"),
		partitionsKey:  checked(checkPartitions, "positive, or -1 for the broker's default"),
	})...)
}

// groupDef defines the keys below topic.creation.<group>, with what the default group has
// as defaults.
func groupDef(fallback config.Values) *config.Def {
	keys := table(`
include | LIST | | L | | Java regular expressions of the topics that the group is for.
exclude | LIST | | L | | Java regular expressions of topics that the group is not for although include matches them.
replication.factor | SHORT | -1 | L | | Replicas of new topics; not set: the default group's.
partitions | INT | -1 | L | | Partitions of new topics; not set: the default group's.
`)
	for i := range keys {
		if v := fallback[keys[i].Name]; v != nil && keys[i].Type != config.TypeList {
			keys[i].Default = v
		}
	}
	return config.NewDef(amend(keys, map[string]func(k *config.Key){
		includeKey:     checked(checkRegexes, "Java regular expressions"),
		excludeKey:     checked(checkRegexes, "Java regular expressions"),
		replicationKey: checked(checkReplication, "positive, or -1 for the broker's default"),
		partitionsKey:  checked(checkPartitions, "positive, or -1 for the broker's default"),
	})...)
}

func checkRegexes(_ string, v any) error {
	list, _ := v.([]string)
	for _, text := range list {
		if _, err := javaregex.Compile(text); err != nil {
			return errors.New("Syntax error in regular expression: " + err.Error())
		}
	}
	return nil
}
