package stack

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed pom
var poms embed.FS

// Component names a set of jars: a folder of pom/.
type Component string

// The components.
const (
	Kafka   Component = "kafka"
	HDFS    Component = "hdfs"
	Connect Component = "connect"
	Client  Component = "client"
	KDCJars Component = "kdc"
)

// Jars returns the folder that holds the jars of a component. The first call on a
// machine fetches them with Maven; the folder's name is the hash of the pom, so a
// changed pom is fetched again. Concurrent processes wait for each other.
func Jars(ctx context.Context, c Component) (string, error) {
	pom, err := poms.ReadFile("pom/" + string(c) + "/pom.xml")
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(pom)
	dir := filepath.Join(cacheDir(), "jars", string(c)+"-"+hex.EncodeToString(sum[:6]))
	lib := filepath.Join(dir, "lib")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	unlock, err := lockFile(filepath.Join(dir, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return lib, nil
	}
	if err := RequireTools(ctx); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "mvn", "-q", "-B", "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+lib)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch the jars of %s with Maven: %w\n%s", c, err, out)
	}
	return lib, os.WriteFile(done, nil, 0o644)
}

// RequireTools checks that java and mvn are there. When they are missing it says
// which package to install, and as root on Debian with CI=true it installs them.
func RequireTools(ctx context.Context) error {
	packages := map[string]string{"java": "openjdk-17-jdk-headless", "mvn": "maven"}
	var missing, names []string
	for tool, pkg := range packages {
		if _, err := exec.LookPath(tool); err != nil {
			missing, names = append(missing, pkg), append(names, tool)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	hint := fmt.Sprintf("%s not found: install with apt-get install %s", strings.Join(names, " and "), strings.Join(missing, " "))
	if os.Getenv("CI") != "true" || os.Geteuid() != 0 {
		return errors.New(hint)
	}
	for _, args := range [][]string{{"update"}, append([]string{"install", "-y", "--no-install-recommends"}, missing...)} {
		if out, err := exec.CommandContext(ctx, "apt-get", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: apt-get %s: %w\n%s", hint, args[0], err, out)
		}
	}
	return nil
}

func cacheDir() string {
	if d := os.Getenv("XDG_CACHE_HOME"); d != "" {
		return filepath.Join(d, "penstock")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = os.TempDir()
	}
	return filepath.Join(home, ".cache", "penstock")
}

func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
