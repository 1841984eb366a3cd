package group

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-io/penstock/connect/group/assignor"
)

func TestConnectorsGoWhereTheirVersionIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["a"], p.has["b"], p.has["c"] = []string{hdfs + "@1.9", files}, []string{hdfs + "@2.1", hdfs + "@1.9"}, []string{hdfs}
		config := classed(5, map[string]string{"one": hdfs, "two": "HdfsSink", "any": hdfs, "latest": hdfs, "bad": hdfs, "none": hdfs})
		for name, version := range map[string]string{"one": "1.9", "two": "[2.0,3)", "latest": "latest", "bad": "[1", "none": "[7,)"} {
			config.ByName[name].Config["connector.plugin.version"] = version
		}
		a := s.join("a", "sessioned", config)
		s.join("b", "sessioned", config)
		s.join("c", "sessioned", config)
		s.settle()
		for connector, want := range map[string][]string{"one": {"a", "b"}, "two": {"b"}} {
			for _, w := range s.board.where(connector) {
				if !slices.Contains(want, w) {
					t.Errorf("%s runs on %v, it can on %v", connector, s.board.where(connector), want)
				}
			}
		}
		if n := len(s.board.by); n != 18 {
			t.Errorf("%d items run", n)
		}
		for version, want := range map[string]Holders{
			"1.9":    {Have: []string{"http://a/", "http://b/"}, Lack: []string{"http://c/"}},
			"[2,)":   {Have: []string{"http://b/"}, Lack: []string{"http://a/", "http://c/"}},
			"[7,)":   {Lack: []string{"http://a/", "http://b/", "http://c/"}},
			"latest": {Have: []string{"http://a/", "http://b/", "http://c/"}},
			"[1":     {Have: []string{"http://a/", "http://b/", "http://c/"}},
		} {
			if h, _ := a.member.Holders(hdfs, version); !cmp.Equal(h, want) {
				t.Errorf("%s: %+v", version, h)
			}
		}
	})
}

func TestWhoHasAClassIsKnownWhenTheFirstHasAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p := placing(t)
		p.has["b"], p.has["c"] = []string{files}, []string{hdfs}
		p.late["b"], p.late["c"], p.silent["d"] = time.Second, 2*time.Second, true
		a := s.join("a", "sessioned", classed(5, nil))
		for _, id := range []string{"b", "c", "d"} {
			s.join(id, "sessioned", a.worker.config)
		}
		s.rebalance()
		await := func(class string, limit, want time.Duration) Holders {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			began := time.Now()
			h, known := a.member.AwaitHolders(ctx, class, "")
			if got := time.Since(began); !known || got != want {
				t.Errorf("%s: known %v after %v, want %v", class, known, got, want)
			}
			return h
		}
		if h := await(hdfs, 4*time.Second, 2*time.Second-firstAnswers); !slices.Equal(h.Have, []string{"http://c/"}) {
			t.Errorf("%+v", h)
		}
		if h := await(hdfs, time.Second, 0); len(h.Have) != 1 {
			t.Errorf("%+v", h)
		}
		if h := await("com.example.Nobody", time.Second, time.Second); len(h.Have) != 0 || len(h.Unknown) != 1 {
			t.Errorf("%+v", h)
		}
		if _, known := s.peers[1].member.AwaitHolders(t.Context(), hdfs, ""); known {
			t.Error("a follower claims to know")
		}
	})
}

func TestCatalogsKnowAliases(t *testing.T) {
	c := newCatalog(infos(hdfs, "io.other.JdbcSinkConnector", "io.third.JdbcSinkConnector", hdfs, "io.example.Outer$InnerConnector", "io.example.Connector"))
	for name, want := range map[string]bool{
		hdfs: true, "HdfsSinkConnector": true, "HdfsSink": true, "Hdfs": false, "io.example.HdfsSink": false,
		"JdbcSink": false, "JdbcSinkConnector": false, "io.third.JdbcSinkConnector": true,
		"Inner": true, "InnerConnector": true, "Connector": true, "": false, "org.example.Other": false,
	} {
		if got := c.has(needOf(name, "")); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	for _, blank := range []string{" ", "\n", " HdfsSink", hdfs + " "} {
		if got := c.canRun(needOf(blank, "")); got != assignor.No {
			t.Errorf("%q: %v: the leader would ask itself to check the config, and answer 500", blank, got)
		}
	}
	if (*catalog)(nil).canRun(needOf("anything", "")) != assignor.Unsure {
		t.Error("of a worker that is not known nothing is known")
	}
}
