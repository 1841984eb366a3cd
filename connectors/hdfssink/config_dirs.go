package hdfssink

import (
	"errors"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/penstock-io/penstock/connect/config"
)

// url resolves store.url, or else the deprecated hdfs.url.
func (b *builder) url(c *Config) {
	key := keyStoreURL
	if c.StoreURL = b.v.String(key); c.StoreURL == "" {
		key = keyHdfsURL
		c.StoreURL = b.v.String(key)
	}
	if c.StoreURL == "" {
		b.fail(keyStoreURL, "Configuration store.url cannot be empty. "+hintURL)
		return
	}
	u, err := url.Parse(c.StoreURL)
	switch {
	case err != nil:
		b.invalid(key, c.StoreURL, "This is no URL. "+hintURL)
		return
	case u.Scheme != "hdfs" && u.Scheme != "file":
		b.invalid(key, c.StoreURL, "The scheme '"+u.Scheme+"' is not supported, only hdfs and file are. "+hintURL)
		return
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil || !strings.HasPrefix(c.StoreURL, u.Scheme+"://"):
		b.invalid(key, c.StoreURL, "It must consist of scheme, host and directory. "+hintURL)
		return
	case u.Scheme == "hdfs" && u.Host == "" && c.HadoopConfDir == "":
		b.invalid(key, c.StoreURL, "It names no NameNode, and there is no hadoop.conf.dir with fs.defaultFS. "+hintURL)
		return
	case u.Scheme == "file" && (u.Host != "" || u.Path == ""):
		b.invalid(key, c.StoreURL, "A local directory must be absolute. Write file:// and then the directory, e.g. file:///data.")
		return
	}
	c.Scheme, c.BaseDir = u.Scheme, path.Clean("/"+u.Path)
}

var substitution = regexp.MustCompile(`\$\{([^}]*)\}`)

// dirs checks the substitutions of the two directories (Java:
// HdfsSinkConnectorConfig.validateDirsAndRegex).
func (b *builder) dirs(c *Config) {
	if text := b.v.String(keyCaptureGroups); text != "" {
		re, err := regexp.Compile(text)
		if err != nil {
			b.fail(keyCaptureGroups, "Invalid value com.google.re2j.PatternSyntaxException: "+err.Error()+" for configuration "+
				keyCaptureGroups+" is an invalid regex pattern: "+err.Error()+". Mend the expression "+text+", whose syntax is that of RE2.")
		} else {
			// Longest-match alternatives do not matter: the whole topic must match.
			c.captureText, c.captureGroups = text, regexp.MustCompile(`\A(?:`+re.String()+`)\z`)
		}
	}
	b.dir(c, keyTopicsDir, c.topicsDir)
	b.dir(c, keyLogsDir, c.logsDir)
}

func (b *builder) dir(c *Config, key, dir string) {
	for _, m := range substitution.FindAllStringSubmatch(dir, -1) {
		_, err := strconv.ParseUint(m[1], 10, 31)
		switch {
		case m[1] == "topic":
		case err != nil:
			b.fail(key, key+": "+dir+" contains an invalid ${} substitution "+m[0]+". Valid substitutions are ${topic} and ${n} where n >= 0.")
		case c.captureText == "" && !b.wrong[keyCaptureGroups]:
			b.fail(key, key+" cannot contain ${} without a valid "+keyCaptureGroups+" being configured. Set that to an expression with groups that matches the topics, or use ${topic}.")
		}
	}
	if c.Scheme == "hdfs" && strings.Contains(dir, ":") {
		b.invalid(key, dir, "HDFS takes no name with a colon. Use another character.")
	}
}

// TopicsDir returns topics.dir for a topic, without the base directory. The error is the
// *config.Error that fails the task in the JVM when it opens a partition of the topic.
func (c *Config) TopicsDir(topic string) (string, error) {
	return c.expand(keyTopicsDir, c.topicsDir, topic)
}

// LogsDir returns logs.dir for a topic; it is otherwise as TopicsDir.
func (c *Config) LogsDir(topic string) (string, error) { return c.expand(keyLogsDir, c.logsDir, topic) }

// expand replaces ${topic} first, and then the groups (Java:
// HdfsSinkConnectorConfig.getDirFromTopic).
func (c *Config) expand(key, dir, topic string) (string, error) {
	dir = strings.ReplaceAll(dir, "${topic}", topic)
	if c.captureGroups == nil {
		return dir, nil
	}
	groups := c.captureGroups.FindStringSubmatch(topic)
	if groups == nil {
		e := config.Invalid(keyCaptureGroups, c.captureText, "Topic "+topic+" does not fully match the specified regex. Change the expression, or leave the topic out of the connector's topics.")
		return "", e
	}
	for _, m := range substitution.FindAllStringSubmatch(dir, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil {
			continue
		}
		if n >= len(groups) {
			return "", &config.Error{Key: key, Msg: "Topic " + topic + " must have at least " + strconv.Itoa(n) + " capture groups using regex pattern " +
				c.captureText + ", but actually had " + strconv.Itoa(len(groups)-1) + " capture groups. Use a smaller number in " + key + " or add groups to " + keyCaptureGroups + "."}
		}
		dir = strings.ReplaceAll(dir, m[0], groups[n])
	}
	return dir, nil
}

// maxName is the longest name of a file or directory, in bytes, in HDFS by default
// (dfs.namenode.fs-limits.max-component-length) and in local file systems.
const maxName = 255

// directoryCheck returns what tells whether a partitioner's directory can exist. The JVM
// finds it out when the file is made: its task fails, or tries again for ever.
func directoryCheck(scheme string) func(encoded string) error {
	return func(encoded string) error { return checkPath(scheme, encoded) }
}

// checkPath refuses names that HDFS refuses, and names that lead out of the directory.
func checkPath(scheme, dir string) error {
	for name := range strings.SplitSeq(dir, "/") {
		switch {
		case name == "." || name == "..":
			return errors.New("A directory cannot be called '" + name + "'.")
		case strings.IndexByte(name, 0) >= 0:
			return errors.New("The name '" + name + "' has a zero byte, which no file system takes.")
		case scheme == "hdfs" && strings.IndexByte(name, ':') >= 0:
			return errors.New("HDFS takes no name with a colon, as '" + name + "' has.")
		case len(name) > maxName:
			return errors.New("The name '" + name[:40] + "…' has " + strconv.Itoa(len(name)) + " bytes, more than the 255 that a name may have.")
		}
	}
	return nil
}
