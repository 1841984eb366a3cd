package hdfssink

import (
	"strings"

	"github.com/penstock-io/penstock/connectors/hdfssink/partitioner"
)

// FileFormat is what format.class chooses.
type FileFormat string

// The file formats.
const (
	Avro    FileFormat = "Avro"
	JSON    FileFormat = "JSON"
	Text    FileFormat = "String"
	Parquet FileFormat = "Parquet" // known, not supported yet
	ORC     FileFormat = "ORC"     // known, not supported yet
)

// Class names that stand in configurations. Those of the HDFS 3 connector are the same
// with hdfs3 instead of hdfs.
const (
	hdfsPackage  = "io.confluent.connect.hdfs."
	hdfs3Package = "io.confluent.connect.hdfs3."

	avroFormat       = hdfsPackage + "avro.AvroFormat"
	defaultPartition = "io.confluent.connect.storage.partitioner.DefaultPartitioner"
	hdfsStorage      = hdfsPackage + "storage.HdfsStorage"
)

// formats has the class names without hdfsPackage, in the order in which they are recommended.
var formats = []struct {
	class  string
	format FileFormat
}{
	{"avro.AvroFormat", Avro},
	{"json.JsonFormat", JSON},
	{"orc.OrcFormat", ORC},
	{"parquet.ParquetFormat", Parquet},
	{"string.StringFormat", Text},
}

// inPackage cuts the package of either connector off a class name.
func inPackage(class string) (rest string, ok bool) {
	if rest, ok = strings.CutPrefix(class, hdfsPackage); ok {
		return rest, true
	}
	return strings.CutPrefix(class, hdfs3Package)
}

func formatOf(class string) (FileFormat, bool) {
	rest, ok := inPackage(class)
	if !ok {
		return "", false
	}
	for _, f := range formats {
		if f.class == rest {
			return f.format, true
		}
	}
	return "", false
}

// knownClass resolves values of type CLASS: formats, partitioners and storages.
func knownClass(name string) (string, bool) {
	if _, ok := formatOf(name); ok {
		return name, true
	}
	if _, ok := partitioner.KindOf(name); ok {
		return name, true
	}
	rest, ok := inPackage(name)
	return name, ok && rest == "storage.HdfsStorage"
}
