package basicauth

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	// As a new file, as editors and secret mounts do.
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

func jaasFile(t *testing.T, users string) string {
	return write(t, filepath.Join(t.TempDir(), "jaas.conf"), fmt.Sprintf("KafkaConnect {\n  %s required\n  file=%q;\n};\n", moduleClass, users))
}

func open(t *testing.T, text string) (*Users, string) {
	t.Helper()
	path := write(t, filepath.Join(t.TempDir(), "users.properties"), text)
	u, err := Open(jaasFile(t, path), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return u, path
}

func TestUsersAndTheirPasswords(t *testing.T) {
	u, _ := open(t, "# users\nada=lovelace\ngrace = hopper \\\n  more\nempty=\n")
	for _, test := range []struct {
		user, password string
		want           bool
	}{
		{"ada", "lovelace", true}, {"ada", "hopper", false}, {"ada", "", false}, {"Ada", "lovelace", false},
		{"grace", "hopper more", true}, {"empty", "", true}, {"", "", false}, {"nobody", "", false}, {"nobody", "lovelace", false},
	} {
		if got := u.Allow(test.user, test.password); got != test.want {
			t.Errorf("%s with %q: %v", test.user, test.password, got)
		}
	}
}

func TestAWorkerAsksOthersAsOneOfItsUsers(t *testing.T) {
	u, path := open(t, "grace=hopper\nada=lovelace")
	if user, password := u.Any(); user != "ada" || password != "lovelace" {
		t.Errorf("%s %s", user, password)
	}
	write(t, path, "grace=hopper")
	if user, password := u.Any(); user != "grace" || password != "hopper" {
		t.Errorf("%s %s", user, password)
	}
	if u, _ := open(t, ""); !u.Open() {
		t.Error("an empty file")
	} else if user, password := u.Any(); user != "" || password != "" {
		t.Errorf("%s %s", user, password)
	}
}

func TestAnEmptyFileLetsEverybodyIn(t *testing.T) {
	u, path := open(t, "# nobody\n")
	if !u.Allow("", "") || !u.Allow("ada", "x") {
		t.Error("not everybody")
	}
	write(t, path, "ada=lovelace")
	if u.Allow("", "") || u.Allow("ada", "x") || !u.Allow("ada", "lovelace") {
		t.Error("the file has users now")
	}
}

func TestTheFileIsReadAgainAndNeverOpensTheWorker(t *testing.T) {
	u, path := open(t, "ada=lovelace")
	write(t, path, "ada=byron\ngrace=hopper")
	if u.Allow("ada", "lovelace") || !u.Allow("ada", "byron") || !u.Allow("grace", "hopper") {
		t.Error("the changed file is not read")
	}
	for _, broken := range []string{"", "# nothing", "ada=\\u12"} {
		write(t, path, broken)
		if u.Allow("", "") || !u.Allow("ada", "byron") {
			t.Errorf("%q in the file changes who may come in", broken)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if u.Allow("", "") || !u.Allow("ada", "byron") {
		t.Error("a missing file changes who may come in")
	}
}

func TestWrongConfigurationsAreRefused(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"":                        "No LoginModules configured for KafkaConnect",
		"Client { M required; };": "No LoginModules configured for KafkaConnect",
		"KafkaConnect { };":       "No LoginModules configured for KafkaConnect",
		"KafkaConnect { com.example.Ldap required; };":                                "com.example.Ldap of section KafkaConnect is a Java class",
		"KafkaConnect { A required; B required; };":                                   "has 2 login modules",
		"KafkaConnect { " + moduleClass + " required; };":                             "file must be specified",
		"other { " + moduleClass + " required file=\"/nowhere/users\"; };":            "/nowhere/users",
		"KafkaConnect { " + moduleClass + " required file=\"${user.home}/users\"; };": "Write the path out",
		"KafkaConnect {": "section KafkaConnect",
	} {
		file := write(t, filepath.Join(dir, "jaas"), text)
		if _, err := Open(file, zap.NewNop()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Open(filepath.Join(dir, "none"), zap.NewNop()); err == nil || !strings.HasPrefix(err.Error(), "Failed to retrieve JAAS configuration") {
		t.Error(err)
	}
}

func TestTheJVMsOptionNamesTheFile(t *testing.T) {
	for options, want := range map[string]string{
		"":           "",
		"-Xmx1g -ea": "",
		"-Xmx1g -Djava.security.auth.login.config=/etc/jaas.conf -Dx=y":                         "/etc/jaas.conf",
		"-Djava.security.auth.login.config==/etc/jaas.conf":                                     "/etc/jaas.conf",
		`"-Djava.security.auth.login.config=/etc/jaas.conf"`:                                    "/etc/jaas.conf",
		`-Djava.security.auth.login.config="/etc/jaas.conf"`:                                    "/etc/jaas.conf",
		"-Djava.security.auth.login.config=/a -Djava.security.auth.login.config=/etc/jaas.conf": "/etc/jaas.conf",
		"-Djava.security.auth.login.configx=/a":                                                 "",
	} {
		if got := JAASFile(options); got != want {
			t.Errorf("%s: %q", options, got)
		}
	}
}
