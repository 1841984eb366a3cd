package namenode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// Hadoop IPC: the client sends `hrpc`, version, service class and auth method, then
// frames of an int32 length and length-delimited messages. The first frame is the
// connection context, each further one a request; responses come as frames too.
const (
	ipcVersion    = 9
	authSimple    = 0x00 // 0xDF is SASL: its negotiation frames follow the preamble
	protocolClass = "org.apache.hadoop.hdfs.protocol.ClientProtocol"

	contextCallID = -3

	// maxFrame bounds a response. A listing page is under 1 MB (1000 entries), so this
	// only stops garbage; the JVM's bound is 128 MiB.
	maxFrame = 32 << 20
)

func preamble() []byte { return []byte{'h', 'r', 'p', 'c', ipcVersion, 0, authSimple} }

// requestHeader: 1 rpcKind (2 = protobuf), 2 rpcOp (0 = final packet), 3 callId,
// 4 clientId, 5 retryCount (-1 = none).
func requestHeader(callID int32, clientID []byte, retry int32) message {
	return message(nil).uint(1, 2).uint(2, 0).sint(3, int64(callID)).bytes(4, clientID).sint(5, int64(retry))
}

// contextFrame: IpcConnectionContextProto 2 userInfo{1 effectiveUser}, 3 protocol.
func contextFrame(clientID []byte, user string) []byte {
	return frame(requestHeader(contextCallID, clientID, -1),
		message(nil).bytes(2, message(nil).str(1, user)).str(3, protocolClass))
}

// callFrame: RequestHeaderProto 1 methodName, 2 declaringClassProtocolName, 3 clientProtocolVersion.
func callFrame(callID int32, clientID []byte, retry int32, method string, params message) []byte {
	return frame(requestHeader(callID, clientID, retry),
		message(nil).str(1, method).str(2, protocolClass).uint(3, 1), params)
}

func frame(messages ...message) []byte {
	b := make([]byte, 4, 256)
	for _, m := range messages {
		b = appendDelimited(b, m)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// readFrame reads one frame of at most maxFrame bytes. It allocates as the bytes
// arrive, so that a wrong length costs nothing.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if string(head[:]) == "HTTP" {
		return nil, fmt.Errorf("the server speaks HTTP: this is not the NameNode's RPC port (fs.defaultFS, usually 8020)")
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > maxFrame {
		return nil, fmt.Errorf("response of %d bytes: not a Hadoop IPC version %d server, or a broken stream", n, ipcVersion)
	}
	var buf bytes.Buffer
	got, err := io.CopyN(&buf, r, int64(n))
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("response cut off after %d of %d bytes: %w", got, n, err)
	}
	return buf.Bytes(), nil
}

// response is a decoded frame: body is the delimited result's bytes.
type response struct {
	callID int32
	status uint64 // 0 success, 1 error, 2 fatal
	class  string
	text   string
	body   []byte
}

// parseResponse decodes RpcResponseHeaderProto (1 callId, 2 status,
// 4 exceptionClassName, 5 errorMsg) and, after success, the result behind it.
func parseResponse(b []byte) (response, error) {
	var r response
	head, rest, err := takeDelimited(b)
	if err != nil {
		return r, fmt.Errorf("response header: %w", err)
	}
	var hasID, hasStatus bool
	err = eachField(head, func(n protowire.Number, f field) error {
		switch n {
		case 1:
			r.callID, hasID = int32(uint32(f.num)), true
		case 2:
			r.status, hasStatus = f.num, true
		case 4:
			r.class = f.text()
		case 5:
			r.text = f.text()
		}
		return nil
	})
	if err != nil {
		return r, fmt.Errorf("response header: %w", err)
	}
	if !hasID || !hasStatus || r.status > 2 {
		return r, fmt.Errorf("response header: %w: call id or status missing", errMalformed)
	}
	if r.status != 0 {
		return r, nil
	}
	if r.body, rest, err = takeDelimited(rest); err != nil {
		return r, fmt.Errorf("response body: %w", err)
	}
	if len(rest) != 0 {
		return r, fmt.Errorf("response body: %w: %d bytes behind it", errMalformed, len(rest))
	}
	return r, nil
}
