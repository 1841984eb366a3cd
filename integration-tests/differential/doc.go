// Package differential sends one stream of requests to a JVM worker 4.3.1 and to ours, which
// are distributed workers of their own on one Kafka broker, and compares what they answer:
// status, headers and JSON, the order of fields included. Only what cannot be equal is masked
// (mask.go). Where ours is different on purpose, the step names an entry of the list in
// list.go, from which docs/reference/rest-differences.md is made.
//
// # Form
//
// A test is a list of steps for compare; each step is a subtest:
//
//	compare(t, []step{
//		{name: "create", req: "POST /connectors", body: `{"name":"c","config":{…}}`, until: state("c", "RUNNING [RUNNING]")},
//		{name: "its status", req: "GET /connectors/c/status"},
//		{name: "no JSON", req: "POST /connectors", body: "{", differs: "Texts of JSON errors"},
//		{name: "gone", req: "DELETE /connectors/c", until: gone("c")},
//	})
//
// What the fields mean, and the rules:
//
//   - req is method and path as they go over the wire, percent signs and all; a body has the
//     Content-Type application/json unless header ("Name: value", a line each) holds another.
//   - A step goes to the JVM's worker, then to ours. Answers 409 because of a rebalance are
//     asked again, as clients do.
//   - until is a condition that must be true on both workers before the next step: state, gone,
//     shows, all of several, or any other; settled for what shows its old state for a moment.
//     Nothing sleeps.
//   - {{side}} in path, header and body is a word that both workers replace differently; use it
//     for what the two must not share on the broker: consumer groups (so, names of sinks),
//     topics that are written, files. {{dir}} is a folder. Answers show {{side}} and {{dir}}
//     again.
//   - differs names the difference that the answers must show, exactly as the list in list.go
//     has it; a step whose answers are equal must not name one. What is not compared at all is
//     masked in mask.go and named in list.go.
//   - A test deletes the connectors that it creates.
package differential
