package transform

import "github.com/penstock-io/penstock/connect/config"

// ranked gives a key another importance than that of required and optional.
func ranked(i config.Importance, k config.Key) config.Key {
	k.Importance = i
	return k
}

// names is a required list of names: neither empty nor with a name twice (since Kafka 4.2).
func names(name, doc string) config.Key {
	k := required(name, config.TypeList, doc, nil)
	k.List = &config.ListRule{}
	return k
}
