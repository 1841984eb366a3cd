// Package basicauth decides on user and password of the REST interface as the JVM worker's
// BasicAuthSecurityRestExtension does with its PropertyFileLoginModule: the JAAS section
// KafkaConnect names a properties file with lines user=password.
package basicauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connect/config"
	"github.com/penstock-io/penstock/internal/jaas"
	"github.com/penstock-io/penstock/internal/livefile"
)

// Names of the JVM's classes and of the JAAS section.
const (
	ExtensionClass = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension"
	moduleClass    = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule"
	section        = "KafkaConnect"
)

// JAASFile finds the login configuration that JVM options, e.g. those of KAFKA_OPTS, name;
// "" when they do not. Of several the last one counts, as in the JVM.
func JAASFile(jvmOptions string) string {
	const option = "-Djava.security.auth.login.config="
	file := ""
	for _, word := range strings.Fields(jvmOptions) {
		word = strings.Trim(word, `"'`)
		if value, ok := strings.CutPrefix(word, option); ok {
			// With == Java reads this file and no other; it is the only one here.
			file = strings.Trim(strings.TrimPrefix(value, "="), `"'`)
		}
	}
	return file
}

// Users are those of a properties file. They are safe for concurrent use.
type Users struct {
	file *livefile.File[map[string]string]
	// open: the file had no users at the start.
	open bool
}

// Open reads the login configuration and the users it leads to. Its errors show no passwords.
func Open(jaasFile string, log *zap.Logger) (*Users, error) {
	b, err := os.ReadFile(jaasFile)
	if err != nil {
		return nil, fmt.Errorf("Failed to retrieve JAAS configuration: %w", err) //nolint:staticcheck // the JVM's wording
	}
	sections, err := jaas.ParseFile(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", jaasFile, err)
	}
	path, err := usersFile(sections)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", jaasFile, err)
	}
	u := &Users{}
	u.file, err = livefile.Open(path, "The users file of the REST interface", u.read, log)
	if err != nil {
		return nil, fmt.Errorf("the users file that section %s of %s names: %w", section, jaasFile, err)
	}
	if u.open = len(u.file.Content()) == 0; u.open {
		log.Warn("The users file of the REST interface is empty: everybody is let in.", zap.String("file", path))
	}
	return u, nil
}

// read refuses a file that has become empty, as it is for a moment while an editor writes it:
// what happens to the file later must not open the worker to all.
func (u *Users) read(path string) (map[string]string, error) {
	passwords, err := config.LoadProperties(path)
	if err == nil && len(passwords) == 0 && u.file != nil {
		err = errors.New("the file is empty now. Restart the worker to let everybody in")
	}
	return passwords, err
}

// Open tells that the file was empty at the start, so that everybody is let in until it has users.
func (u *Users) Open() bool { return u.open }

// usersFile returns the option file of the section's only entry. Like Java's LoginContext it
// takes the section other when there is none.
func usersFile(sections map[string][]jaas.Entry) (string, error) {
	entries, ok := sections[section]
	if !ok {
		entries = sections["other"]
	}
	switch {
	case len(entries) == 0:
		return "", errors.New("No LoginModules configured for " + section + ". Write " + section + " { " + moduleClass + ` required file="…"; };`) //nolint:staticcheck // the JVM's wording
	case len(entries) > 1:
		return "", fmt.Errorf("the section %s has %d login modules; only one is supported", section, len(entries))
	case entries[0].Module != moduleClass:
		return "", fmt.Errorf("the login module %s of section %s is a Java class that cannot be loaded. Use %s", entries[0].Module, section, moduleClass)
	}
	path := strings.TrimSpace(entries[0].Options["file"])
	switch {
	case path == "":
		return "", fmt.Errorf(`Property Credentials file must be specified: add file="…" to the login module of section %s`, section) //nolint:staticcheck // the JVM's wording
	case strings.Contains(path, "${"):
		return "", fmt.Errorf("the file %s of section %s holds a Java system property, which is not replaced here. Write the path out", path, section)
	}
	return path, nil
}

// Allow tells whether a user may come in with a password. The time it takes tells nothing
// about the right password. Everybody may when the file was empty at the start.
func (u *Users) Allow(user, password string) bool {
	passwords := u.file.Content()
	if len(passwords) == 0 {
		return true
	}
	right, known := passwords[user]
	// Digests have one length, as ConstantTimeCompare needs.
	given, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(right))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1 && known && user != ""
}

// Any returns the first user by name, with whose password this worker asks the others: they
// have the same users. It is empty when everybody is let in.
func (u *Users) Any() (user, password string) {
	passwords := u.file.Content()
	for name := range passwords {
		if user == "" || name < user {
			user, password = name, passwords[name]
		}
	}
	return user, password
}
