package differential

// differences is the whole list. An entry that no step of the tests shows fails them.
var differences = []difference{
	{
		name:   "Texts of JSON errors",
		jvm:    `500 {"error_code":500,"message":"…[Source: …"}`,
		ours:   `500 {"error_code":500,"message":"…"}`,
		reason: "they are those of another JSON library",
	},
	{
		name:   "Missing body or field",
		jvm:    `500 {"error_code":500,"message":"Cannot invoke …"}`,
		ours:   `500 {"error_code":500,"message":"…"}`,
		reason: "ours says what is missing",
	},
	{
		name:    "Paths that Jetty refuses",
		jvm:     `400 <html>…`,
		ours:    `…`,
		headers: true,
		reason:  "names with such characters can be created, so they must be reachable",
	},
	{
		name:    "Pages of Jetty",
		jvm:     `400 …`,
		ours:    `400…`,
		headers: true,
		reason:  "what is no HTTP is refused before it reaches Connect, with a page of the server",
	},
	{
		name:   "A class that is no connector",
		jvm:    `400 {"error_code":400,"message":"…Failed to find any class that implements Connector and which name matches …, available connectors are: …"}`,
		ours:   `400 {"error_code":400,"message":"…«2»…"}`,
		reason: "ours says which kind of plugin it is",
	},
	{
		name:    "A name with braces",
		jvm:     `500 {"error_code":500,"message":"The template variable '…' has no value"}`,
		ours:    `201 …`,
		headers: true,
		reason:  "the connector was created",
	},
	{
		name:   "List of connector classes",
		jvm:    `400 {"error_code":400,"message":"…Failed to find any class that implements Connector and which name matches …, available connectors are: …"}`,
		ours:   `400 {"error_code":400,"message":"Failed to find any class that implements Connector and which name matches «2», available connectors are: …"}`,
		reason: "each worker lists its own classes, here without how Java prints them; the second time, the JVM begins with the name of an exception class",
	},
	{
		name:   "Half of a character",
		jvm:    `200 …"x\uD83Dy"…"\uDE42"…`,
		ours:   "200 «1»\"x\ufffdy\"«2»\"\ufffd\"«3»",
		reason: "half of a surrogate pair is no text; in the name of a key both refuse it",
	},
	{
		name:   "Causes in messages",
		jvm:    `500 {"error_code":500,"message":"…"}`,
		ours:   `500 {"error_code":500,"message":"«1»: …"}`,
		reason: "the JVM writes the cause into its log only",
	},
	{
		name:   "Traces",
		jvm:    `…"trace":"…"}…`,
		ours:   `«1»"trace":"«2»…`,
		reason: "the first line of ours goes on with the cause, and what to do",
	},
	{
		name:   "Values of config providers in messages",
		jvm:    `400 {"error_code":400,"message":"…not-a-number…"}`,
		ours:   `400 {"error_code":400,"message":"«1»[hidden]«2»"}`,
		reason: "they may be secrets; the answer of a validation shows what the JVM's shows",
	},
	{
		name:   "An override that does not parse",
		jvm:    `500 {"error_code":500,"message":"…Invalid value … for configuration …: …"}`,
		ours:   `…Invalid value «2» for configuration «3»: «4»…`,
		reason: "it is an error of its key like any other (400, and 200 in a validation)",
	},
	{
		name:   "Null for a connector's own key",
		jvm:    `20…`,
		ours:   `…Null value can not be supplied as the configuration value.…`,
		reason: "the JVM stores it, and then the connector cannot be started",
	},
	{
		name:   "Null pointers",
		jvm:    `500 {"error_code":500,"message":…}`,
		ours:   `…Null value can not be supplied as the configuration value.…`,
		reason: "null is refused like that of other keys",
	},
	{
		name:   "Unknown class in a validation",
		jvm:    `500 {"error_code":500,"message":"org.apache.kafka.connect.runtime.rest.errors.BadRequestException: …available connectors are: …"}`,
		ours:   `500 {"error_code":500,"message":"org.apache.kafka.connect.runtime.rest.errors.BadRequestException: …available connectors are: …"}`,
		reason: "each worker lists its own classes, as above",
	},
	{
		name:   "Java classes that are no plugins",
		jvm:    `…`,
		ours:   `…Class … could not be found.…`,
		reason: "there are no Java classes here",
	},
	{
		name:   "Definitions of Java classes that are no plugins",
		jvm:    `500 {"error_code":500,"message":"Instantiation error"}`,
		ours:   `404 {"error_code":404,"message":"Unknown plugin …."}`,
		reason: "there are no Java classes here",
	},
	{
		name:   "An abstract Java class as connector",
		jvm:    `500 {"error_code":500,"message":"…Instantiation error"}`,
		ours:   `500 {"error_code":500,"message":"«1»Failed to find any class that implements Connector and which name matches …`,
		reason: "there are no Java classes here",
	},
	{
		name:   "Java classes of clients",
		jvm:    `500 {"error_code":500,"message":"…Invalid value … for configuration …: Class … could not be found."}`,
		ours:   `20…`,
		reason: "keys for classes inside Java's clients have no effect here",
	},
	{
		name:   "A wrong version again",
		jvm:    `500 {"error_code":500,"message":…}`,
		ours:   `…Plugin … not found that matches the version range …`,
		reason: "the JVM answers as ours does when it is asked for that version for the first time",
	},
	{
		name:   "Versions of connectors on the class path",
		jvm:    `…Plugin … has version … which does not match the required version range …`,
		ours:   `…Plugin «2» not found that matches the version range …, available versions: [«3»]…`,
		reason: "the JVM's words are these for a connector on its plugin path",
	},
	{
		name:   "A dead letter queue and a wrong regex",
		jvm:    `500 {"error_code":500,"message":"…"}`,
		ours:   `…Invalid regex: …`,
		reason: "it is an error of its key like any other",
	},
	{
		name:   "Blanks around the class of a transform",
		jvm:    `200 …`,
		ours:   `200 …`,
		reason: "the class is found without them, and its keys are shown",
	},
	{
		name:   "An unknown connector is stopped, standalone",
		jvm:    "500 {\"error_code\":500,\"message\":\"No connector `…` configured\"}",
		ours:   `404 {"error_code":404,"message":"Unknown connector …"}`,
		reason: "as with distributed workers",
	},
	{
		name:    "Wrong escapes in parameters of a path",
		jvm:     `…`,
		ours:    `400…`,
		headers: true,
		reason:  "what is no HTTP is refused wherever it stands",
	},
}

// masked is what is not compared (mask.go), for the page.
var masked = []string{
	"addresses, times, commits, and traces behind their first line",
	"the order of names, offsets and topics in lists, and of the keys of a connector's config, a partition and an offset: they come from hash maps in the JVM",
	"the names of loggers, which are those of Java's packages and of ours; `root` and loggers that are made by requests are compared",
	"the `documentation` of keys, which is in our own words",
	"in the list of plugins, classes that are not Kafka's: what there is depends on what is installed",
	"the headers `Date`, `Server`, `Connection`, `Cache-Control`, and how the length of a body is told",
}
