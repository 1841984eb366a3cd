package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Realm is that of the KDC.
const Realm = "PENSTOCK.TEST"

// KDC is a Kerberos key distribution centre.
type KDC struct {
	*Process
	Config string // krb5.conf
	Keytab string // with the keys of all principals
}

// StartKDC starts a KDC with principals, named without realm.
func StartKDC(ctx context.Context, dir string, principals ...string) (*KDC, error) {
	lib, err := Jars(ctx, KDCJars)
	if err != nil {
		return nil, err
	}
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	work := filepath.Join(dir, "work")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return nil, err
	}
	k := &KDC{Config: filepath.Join(dir, "krb5.conf"), Keytab: filepath.Join(dir, "all.keytab")}
	err = writeFiles(dir, map[string]string{
		"kdc.properties": fmt.Sprintf("org.name=PENSTOCK\norg.domain=TEST\nkdc.bind.address=127.0.0.1\nkdc.port=%d\ntransport=TCP\ninstance=PenstockKrbServer\n"+
			"max.ticket.lifetime=86400000\nmax.renewable.lifetime=604800000\nmin.ticket.lifetime=60000\ndebug=false\n", ports[0]),
		"krb5.conf": fmt.Sprintf("[libdefaults]\n  default_realm = %s\n  udp_preference_limit = 1\n  dns_lookup_kdc = false\n"+
			"[realms]\n  %s = {\n    kdc = 127.0.0.1:%d\n  }\n", Realm, Realm, ports[0]),
		"log4j.properties": "log4j.rootLogger=WARN,out\nlog4j.appender.out=org.apache.log4j.ConsoleAppender\nlog4j.appender.out.layout=org.apache.log4j.SimpleLayout\n",
	})
	if err != nil {
		return nil, err
	}
	args := append([]string{"org.apache.hadoop.minikdc.MiniKdc", work, filepath.Join(dir, "kdc.properties"), k.Keytab}, principals...)
	k.Process = &Process{
		Name: "KDC", LogPath: filepath.Join(dir, "kdc.log"), dir: dir,
		args: java(lib, 128, []string{dir}, args...),
		// The keytab is written when all principals are known.
		Ready: func() bool {
			info, err := os.Stat(k.Keytab)
			return err == nil && info.Size() > 0 && accepts(ports[0])
		},
	}
	return k, k.Start(ctx)
}
