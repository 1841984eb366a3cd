package hdfsfs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/penstock-io/penstock/connectors/hdfssink/filesystem/hdfsfs/namenode"
)

// Options configure New.
type Options struct {
	// URL is hdfs://host[:port][/base] or hdfs://nameservice[/base]. The base directory
	// is checked, not prepended: paths given to the FS start at the root of HDFS.
	URL string
	// ConfDir is hadoop.conf.dir, with core-site.xml and hdfs-site.xml; empty is none.
	ConfDir string
	// User is who acts in HDFS; empty is HADOOP_USER_NAME, else the process's user.
	User string
	// Logger gets changes of state, such as a NameNode that does not answer; nil is none.
	Logger *zap.Logger

	// IOTimeout bounds each connect, read and write on a socket: a silent DataNode
	// fails a file after it. 0 is 30 s.
	IOTimeout time.Duration
	// CallTimeout bounds a call whose context has no deadline. 0 is 2 min.
	CallTimeout time.Duration
	// FileTimeout bounds each Write, Sync, Read and Close of a file, which have no
	// context; it is how long they wait for a NameNode that is down. 0 is 1 min.
	FileTimeout time.Duration
}

// settings are Options with everything looked up.
type settings struct {
	Options
	target
	replication int
	blockSize   int64
	filePerm    uint32
	dirPerm     uint32
	byHostname  bool // connect to DataNodes by host name
}

func (o Options) settings() (settings, error) {
	s := settings{Options: o}
	if s.Logger == nil {
		s.Logger = zap.NewNop()
	}
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{{&s.IOTimeout, 30 * time.Second}, {&s.CallTimeout, 2 * time.Minute}, {&s.FileTimeout, time.Minute}} {
		if *d.value <= 0 {
			*d.value = d.def
		}
	}
	conf := Conf{}
	var err error
	if o.ConfDir != "" {
		if conf, err = LoadConf(o.ConfDir); err != nil {
			return s, err
		}
	}
	if s.target, err = resolve(o.URL, conf); err != nil {
		return s, err
	}
	if strings.EqualFold(conf["hadoop.security.authentication"], "kerberos") {
		return s, errors.New("hadoop.security.authentication is kerberos in the Hadoop configuration, which this version does not support")
	}
	if s.User == "" {
		if s.User, err = userName(); err != nil {
			return s, err
		}
	}
	if s.replication, err = conf.replication(); err != nil {
		return s, err
	}
	if s.blockSize, err = conf.blockSize(); err != nil {
		return s, err
	}
	umask, err := conf.umask()
	if err != nil {
		return s, err
	}
	s.filePerm, s.dirPerm = 0o666&^umask, 0o777&^umask
	s.byHostname = conf["dfs.client.use.datanode.hostname"] == "true"
	return s, nil
}

// New connects to HDFS and checks that the URL's base directory, when it exists, is one
// that we can write: neither erasure-coded nor encrypted. It waits for a NameNode that
// does not answer until ctx ends, 2 minutes at most without a deadline.
func New(ctx context.Context, o Options) (*FS, error) {
	s, err := o.settings()
	if err != nil {
		return nil, err
	}
	nn, err := namenode.New(namenode.Options{Addresses: s.addresses, User: s.User, Logger: s.Logger,
		AttemptTimeout: min(s.IOTimeout, 15*time.Second)})
	if err != nil {
		return nil, err
	}
	fs := newFS(s, nn)
	if err := fs.CheckDirectory(ctx, s.base); err != nil {
		nn.Close() //nolint:errcheck // the first error says it all
		return nil, fmt.Errorf("open %s: %w", o.URL, err)
	}
	return fs, nil
}
