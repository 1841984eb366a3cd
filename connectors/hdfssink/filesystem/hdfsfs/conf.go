package hdfsfs

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Conf holds the settings of a Hadoop configuration directory, variables resolved.
type Conf map[string]string

// LoadConf reads core-site.xml and hdfs-site.xml of dir, the later one winning except
// over a <final> property. ${name} is replaced by the setting of that name, ${env.X}
// by the environment variable and ${user.name} by the process's user; what is unknown
// stays as it is, as in Hadoop. xi:include is not followed.
func LoadConf(dir string) (Conf, error) {
	raw, final := map[string]string{}, map[string]bool{}
	found := false
	for _, name := range []string{"core-site.xml", "hdfs-site.xml"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read Hadoop configuration: %w", err)
		}
		found = true
		if err := parseSite(b, raw, final); err != nil {
			return nil, fmt.Errorf("read Hadoop configuration %s: %w", filepath.Join(dir, name), err)
		}
	}
	if !found {
		return nil, fmt.Errorf("no core-site.xml or hdfs-site.xml in the Hadoop configuration directory %q", dir)
	}
	conf := Conf{}
	for k := range raw {
		conf[k] = expand(raw, raw[k])
	}
	return conf, nil
}

func parseSite(b []byte, raw map[string]string, final map[string]bool) error {
	var site struct {
		XMLName    xml.Name `xml:"configuration"`
		Properties []struct {
			Name  string `xml:"name"`
			Value string `xml:"value"`
			Final string `xml:"final"`
		} `xml:"property"`
	}
	if err := xml.Unmarshal(b, &site); err != nil {
		return err
	}
	fixed := map[string]bool{}
	for _, p := range site.Properties {
		name := strings.TrimSpace(p.Name)
		if name == "" || final[name] {
			continue
		}
		raw[name] = strings.TrimSpace(p.Value)
		if strings.TrimSpace(p.Final) == "true" {
			fixed[name] = true
		}
	}
	for name := range fixed {
		final[name] = true
	}
	return nil
}

// maxSubstitutions bounds expand as Hadoop's Configuration does; settings may refer to
// each other in a circle.
const maxSubstitutions = 20

func expand(raw map[string]string, value string) string {
	from := 0
	for range maxSubstitutions {
		start := strings.Index(value[from:], "${")
		if start < 0 {
			return value
		}
		start += from
		end := strings.IndexByte(value[start:], '}')
		if end < 0 {
			return value
		}
		end += start
		with, ok := variable(raw, value[start+2:end])
		if !ok {
			from = end + 1
			continue
		}
		value = value[:start] + with + value[end+1:]
	}
	return value
}

func variable(raw map[string]string, name string) (string, bool) {
	if env, ok := strings.CutPrefix(name, "env."); ok {
		return os.LookupEnv(env)
	}
	if v, ok := raw[name]; ok {
		return v, true
	}
	if name == "user.name" {
		u, err := osUser()
		return u, err == nil
	}
	return "", false
}

// list splits a comma-separated setting.
func (c Conf) list(key string) []string {
	var items []string
	for item := range strings.SplitSeq(c[key], ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// replication is dfs.replication, Hadoop's default 3.
func (c Conf) replication() (int, error) {
	v := c["dfs.replication"]
	if v == "" {
		return 3, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 512 {
		return 0, fmt.Errorf("invalid value %q for dfs.replication: must be a number of 1 to 512", v)
	}
	return n, nil
}

// blockSize is dfs.blocksize in bytes (suffixes k, m, g, t, p, e), Hadoop's default 128 MiB.
func (c Conf) blockSize() (int64, error) {
	v := strings.ToLower(c["dfs.blocksize"])
	if v == "" {
		return 128 << 20, nil
	}
	digits, shift := v, 0
	if i := strings.IndexByte("kmgtpe", v[len(v)-1]); i >= 0 {
		digits, shift = v[:len(v)-1], 10*(i+1)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
	// DataNodes check sums over 512 bytes, so a block is a multiple of that.
	if err != nil || n < 1 || n > 1<<62>>shift || n<<shift%512 != 0 {
		return 0, fmt.Errorf("invalid value %q for dfs.blocksize: must be a positive multiple of 512, such as 134217728 or 128m", v)
	}
	return n << shift, nil
}

// umask is fs.permissions.umask-mode, octal ("022") or symbolic ("u=rwx,g=rx,o=rx",
// which names what is allowed), Hadoop's default 022.
func (c Conf) umask() (uint32, error) {
	v := c["fs.permissions.umask-mode"]
	if v == "" {
		return 0o022, nil
	}
	if n, err := strconv.ParseUint(v, 8, 32); err == nil && n <= 0o1777 {
		return uint32(n) & 0o777, nil
	}
	mask := uint32(0o777)
	for clause := range strings.SplitSeq(v, ",") {
		who, bits, ok := strings.Cut(strings.TrimSpace(clause), "=")
		if !ok || who == "" || strings.Trim(who, "ugoa") != "" || strings.Trim(bits, "rwx") != "" {
			return 0, fmt.Errorf("invalid value %q for fs.permissions.umask-mode: must be octal such as 022, or u=rwx,g=rx,o=rx", v)
		}
		var allow uint32
		for i, bit := range []string{"x", "w", "r"} {
			if strings.Contains(bits, bit) {
				allow |= 1 << i
			}
		}
		for i, class := range []string{"o", "g", "u"} {
			if strings.Contains(who, class) || strings.Contains(who, "a") {
				mask = mask&^(0o7<<(3*i)) | (0o7&^allow)<<(3*i)
			}
		}
	}
	return mask, nil
}
