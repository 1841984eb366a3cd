package writer

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"path"
	"strconv"
	"strings"
)

// Dirs says where the files of a topic are. The texts are kept as they were configured,
// since the write-ahead log holds full URLs and the JVM compares them as texts.
type Dirs struct {
	URL    string // store.url, e.g. hdfs://nn:8020 or hdfs://ns/base
	Topics string // topics.dir for the topic
	Logs   string // logs.dir for the topic
	Delim  string // directory.delim between topic and encoded partition
}

func (d Dirs) committed(topic, encoded string) string {
	return d.URL + "/" + d.Topics + "/" + topic + d.Delim + encoded
}

// temp: the double slash is in the JVM's names too.
func (d Dirs) temp(topic, encoded string) string {
	return d.URL + "/" + d.Topics + "//+tmp/" + topic + d.Delim + encoded
}

func (d Dirs) log(topic string, partition int32) string {
	return pathOf(d.URL + "/" + d.Logs + "/" + topic + "/" + strconv.Itoa(int(partition)) + "/log")
}

func (d Dirs) committedRoot(topic string) string {
	return pathOf(d.URL + "/" + d.Topics + "/" + topic)
}

func (d Dirs) tempRoot(topic string) string {
	return pathOf(d.URL + "/" + d.Topics + "/+tmp/" + topic)
}

// pathOf returns the clean path of a URL. Scheme and host are dropped: a log stays
// good when store.url changes from a host to a nameservice.
func pathOf(url string) string {
	if i := strings.Index(url, "://"); i >= 0 {
		url = url[i+3:]
		slash := strings.IndexByte(url, '/')
		if slash < 0 {
			return "/"
		}
		url = url[slash:]
	}
	return path.Clean("/" + url)
}

// Temp files are called <uuid>_tmp<extension> as in the JVM, but by UUIDs of version 8
// that tell whose they are: 32 bits of partition, 28 bits of a hash of the log's path,
// 62 random bits. So the next owner of a partition knows the orphans of the former one.
// A name is used once: what a log says of it stays true.

// owner identifies a partition's log in temp names.
func owner(logPath string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(logPath)) //nolint:errcheck // never fails
	return h.Sum32() >> 4
}

func tempName(partition int32, owner uint32, extension string) string {
	r := rand.Uint64()
	return fmt.Sprintf("%08x-%04x-8%03x-%04x-%012x_tmp%s", uint32(partition), owner>>12, owner&0xfff,
		0x8000|r>>50, r&(1<<48-1), extension)
}

// parseTempName is the reverse; ok is false for names that are not ours.
func parseTempName(name string) (partition int32, own uint32, ok bool) {
	uuid, _, found := strings.Cut(name, "_tmp")
	if !found || len(uuid) != 36 || uuid[14] != '8' {
		return 0, 0, false
	}
	p, err1 := strconv.ParseUint(uuid[:8], 16, 31)
	hi, err2 := strconv.ParseUint(uuid[9:13], 16, 16)
	lo, err3 := strconv.ParseUint(uuid[15:18], 16, 12)
	return int32(p), uint32(hi<<12 | lo), err1 == nil && err2 == nil && err3 == nil
}

// ownTemp reports whether a temp file, by URL or path, was named by us.
func ownTemp(url string) bool {
	_, _, ok := parseTempName(path.Base(url))
	return ok
}
