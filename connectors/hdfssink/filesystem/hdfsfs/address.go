package hdfsfs

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/user"
	"slices"
	"strings"
)

// defaultPort is dfs.namenode.rpc-address's default port.
const defaultPort = "8020"

// target is where a URL points to.
type target struct {
	addresses []string // NameNodes, host:port
	base      string   // the URL's path, "/" when it has none
}

// resolve finds the NameNodes of a URL: hdfs://host[:port], hdfs://<nameservice> with
// dfs.ha.namenodes.<nameservice> in conf, or hdfs:/// for the authority of fs.defaultFS.
func resolve(raw string, conf Conf) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, fmt.Errorf("HDFS URL %q: %w", raw, err)
	}
	if u.Scheme != "hdfs" {
		return target{}, fmt.Errorf("URL %q has the scheme %q, which is not supported: use hdfs://host:port or hdfs://nameservice", raw, u.Scheme)
	}
	t := target{base: Clean(u.Path)}
	authority := u.Host
	if authority == "" {
		def, err := url.Parse(conf["fs.defaultFS"])
		if err != nil || def.Scheme != "hdfs" || def.Host == "" {
			return target{}, fmt.Errorf("URL %q names no NameNode, and fs.defaultFS is %q: use hdfs://host:port", raw, conf["fs.defaultFS"])
		}
		authority = def.Host
	}
	if t.addresses, err = namenodes(authority, conf); err != nil {
		return target{}, fmt.Errorf("URL %q: %w", raw, err)
	}
	return t, nil
}

func namenodes(authority string, conf Conf) ([]string, error) {
	ids := conf.list("dfs.ha.namenodes." + authority)
	if len(ids) == 0 {
		if !slices.Contains(conf.list("dfs.nameservices"), authority) {
			return []string{withPort(authority)}, nil
		}
		// A nameservice without HA.
		if a := conf["dfs.namenode.rpc-address."+authority]; a != "" {
			return []string{withPort(a)}, nil
		}
		return nil, fmt.Errorf("nameservice %q has neither dfs.ha.namenodes.%s nor dfs.namenode.rpc-address.%s in hdfs-site.xml",
			authority, authority, authority)
	}
	var addresses []string
	for _, id := range ids {
		key := "dfs.namenode.rpc-address." + authority + "." + id
		if conf[key] == "" {
			return nil, fmt.Errorf("NameNode %q of nameservice %q has no %s in hdfs-site.xml", id, authority, key)
		}
		addresses = append(addresses, withPort(conf[key]))
	}
	return addresses, nil
}

func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), defaultPort)
}

// userName is the user without Kerberos: HADOOP_USER_NAME, else the process's user.
func userName() (string, error) {
	if u := os.Getenv("HADOOP_USER_NAME"); u != "" {
		return u, nil
	}
	return osUser()
}

func osUser() (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("find the user for HDFS (set HADOOP_USER_NAME): %w", err)
	}
	return u.Username, nil
}
