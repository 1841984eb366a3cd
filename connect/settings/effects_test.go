package settings

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettingsWithoutEffectAreTold(t *testing.T) {
	var got []string
	_, err := ParseSink(map[string]string{
		"name": "s", "connector.class": "c", "topics": "t",
		"consumer.override.interceptor.classes": "com.example.Interceptor", "consumer.override.max.poll.records": "5", "interceptor.classes": "the connector's own",
		"consumer.override.key.deserializer": "not worth a word",
	}, func(key, msg string) { got = append(got, key+": "+msg) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"consumer.override.interceptor.classes: consumer.override.interceptor.classes has no effect: Java interceptors cannot be loaded"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestEffectsAreOfKeysThatExist(t *testing.T) {
	known := map[string]bool{}
	for _, k := range CompatibleKeys() {
		known[k.Key] = true
	}
	for key := range effects {
		if !known[key] {
			t.Errorf("%s is no key of worker or clients", key)
		}
	}
}
