package namenode

import (
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// hadoopMessages are Hadoop's messages as its .proto files declare them, with enums as
// uint32 and messages that we never look into as bytes. The fake NameNode reads and
// writes with these, and with the protobuf library, so that a wrong field number, a wrong
// wire type or a missing required field of the client is found.
const hadoopMessages = `
RpcRequestHeaderProto
  optional uint32 rpcKind 1
  optional uint32 rpcOp 2
  required sint32 callId 3
  required bytes clientId 4
  optional sint32 retryCount 5
UserInformationProto
  optional string effectiveUser 1
  optional string realUser 2
IpcConnectionContextProto
  optional UserInformationProto userInfo 2
  optional string protocol 3
RequestHeaderProto
  required string methodName 1
  required string declaringClassProtocolName 2
  required uint64 clientProtocolVersion 3
RpcResponseHeaderProto
  required uint32 callId 1
  required uint32 status 2
  optional uint32 serverIpcVersionNum 3
  optional string exceptionClassName 4
  optional string errorMsg 5
  optional uint32 errorDetail 6
  optional bytes clientId 7
  optional sint32 retryCount 8
FsPermissionProto
  required uint32 perm 1
ExtendedBlockProto
  required string poolId 1
  required uint64 blockId 2
  required uint64 generationStamp 3
  optional uint64 numBytes 4
HdfsFileStatusProto
  required uint32 fileType 1
  required bytes path 2
  required uint64 length 3
  required FsPermissionProto permission 4
  required string owner 5
  required string group 6
  required uint64 modification_time 7
  required uint64 access_time 8
  optional bytes symlink 9
  optional uint32 block_replication 10
  optional uint64 blocksize 11
  optional bytes locations 12
  optional uint64 fileId 13
  optional int32 childrenNum 14
  optional bytes fileEncryptionInfo 15
  optional uint32 storagePolicy 16
  optional bytes ecPolicy 17
  optional uint32 flags 18
DirectoryListingProto
  repeated HdfsFileStatusProto partialListing 1
  required uint32 remainingEntries 2
LocatedBlockProto
  required ExtendedBlockProto b 1
  required uint64 offset 2
  repeated bytes locs 3
  required bool corrupt 4
  required bytes blockToken 5
LocatedBlocksProto
  required uint64 fileLength 1
  repeated LocatedBlockProto blocks 2
  required bool underConstruction 3
  optional LocatedBlockProto lastBlock 4
  required bool isLastBlockComplete 5
recoverLease
  required string src 1
  required string clientName 2
isFileClosed
  required string src 1
rename2
  required string src 1
  required string dst 2
  required bool overwriteDest 3
  optional bool moveToTrash 4
delete
  required string src 1
  required bool recursive 2
mkdirs
  required string src 1
  required FsPermissionProto masked 2
  required bool createParent 3
  optional FsPermissionProto unmasked 4
fsync
  required string src 1
  required string client 2
  optional sint64 lastBlockLength 3
  optional uint64 fileId 4
complete
  required string src 1
  required string clientName 2
  optional ExtendedBlockProto last 3
  optional uint64 fileId 4
getFileInfo
  required string src 1
getListing
  required string src 1
  required bytes startAfter 2
  required bool needLocation 3
getBlockLocations
  required string src 1
  required uint64 offset 2
  required uint64 length 3
BoolReply
  required bool result 1
VoidReply
FileInfoReply
  optional HdfsFileStatusProto fs 1
ListingReply
  optional DirectoryListingProto dirList 1
BlocksReply
  optional LocatedBlocksProto locations 1
`

var hadoop = describe(hadoopMessages)

func describe(text string) protoreflect.MessageDescriptors {
	file := &descriptorpb.FileDescriptorProto{Name: proto.String("hadoop.proto"), Syntax: proto.String("proto2")}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch len(words) {
		case 1:
			file.MessageType = append(file.MessageType, &descriptorpb.DescriptorProto{Name: &words[0]})
		case 4:
			last := file.MessageType[len(file.MessageType)-1]
			last.Field = append(last.Field, describeField(words))
		}
	}
	d, err := protodesc.NewFile(file, nil)
	if err != nil {
		panic(err) // the text above is wrong
	}
	return d.Messages()
}

func describeField(words []string) *descriptorpb.FieldDescriptorProto {
	number, err := strconv.Atoi(words[3])
	if err != nil {
		panic(err)
	}
	label := descriptorpb.FieldDescriptorProto_Label(descriptorpb.FieldDescriptorProto_Label_value["LABEL_"+strings.ToUpper(words[0])])
	f := &descriptorpb.FieldDescriptorProto{Name: &words[2], Number: proto.Int32(int32(number)), Label: &label}
	if kind, ok := descriptorpb.FieldDescriptorProto_Type_value["TYPE_"+strings.ToUpper(words[1])]; ok {
		f.Type = descriptorpb.FieldDescriptorProto_Type(kind).Enum()
	} else {
		f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), &words[1]
	}
	return f
}

// build makes a message from its text form; required fields must be there.
func build(t testing.TB, name, text string) *dynamicpb.Message {
	t.Helper()
	m := dynamicpb.NewMessage(hadoop.ByName(protoreflect.Name(name)))
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatalf("%s %q: %v", name, text, err)
	}
	return m
}

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// get reads a field of a message.
func get(m *dynamicpb.Message, name string) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
}
