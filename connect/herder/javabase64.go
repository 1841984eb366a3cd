package herder

import (
	"errors"
	"fmt"
	"strings"
)

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// decodeBase64 accepts and refuses what java.util.Base64's basic decoder does, with its
// words: padding may be left out, and bits that are left over do not matter. Its errors
// are what a client of the JVM worker reads.
func decodeBase64(s string) ([]byte, error) {
	if len(s) == 1 {
		return nil, errors.New("Input byte[] should at least have 2 bytes for base64 bytes") //nolint:revive // the JVM's words
	}
	out := make([]byte, 0, len(s)/4*3+2)
	bits, have, at := 0, 0, 0 // have: characters of the unit under way
	for ; at < len(s) && s[at] != '='; at++ {
		v := strings.IndexByte(base64Alphabet, s[at])
		if v < 0 {
			return nil, fmt.Errorf("Illegal base64 character %x", s[at]) //nolint:revive // the JVM's words
		}
		bits, have = bits<<6|v, have+1
		if have == 4 {
			out = append(out, byte(bits>>16), byte(bits>>8), byte(bits))
			bits, have = 0, 0
		}
	}
	if at < len(s) { // padding
		at++
		missing := have == 2 && (at == len(s) || s[at] != '=')
		if have == 0 || missing {
			return nil, errors.New("Input byte array has wrong 4-byte ending unit") //nolint:revive // the JVM's words
		}
		if have == 2 {
			at++
		}
	}
	switch have {
	case 1:
		return nil, errors.New("Last unit does not have enough valid bits") //nolint:revive // the JVM's words
	case 2:
		out = append(out, byte(bits>>4))
	case 3:
		out = append(out, byte(bits>>10), byte(bits>>2))
	}
	if at < len(s) {
		return nil, fmt.Errorf("Input byte array has incorrect ending byte at %d", at) //nolint:revive // the JVM's words
	}
	return out, nil
}

// javaMACs are the names, in lower case, of the algorithms that a JVM has besides those
// that a worker can be configured with: such a signature is refused as not permitted here.
var javaMACs = map[string]bool{
	"hmacsha512/224": true, "hmacsha512/256": true, "hmacsha3-224": true, "hmacsha3-256": true, "hmacsha3-384": true, "hmacsha3-512": true,
}

// knownToJava reports whether a JVM finds an algorithm. It does not care for case.
func knownToJava(algorithm string) bool {
	if javaMACs[strings.ToLower(algorithm)] {
		return true
	}
	for name := range macs {
		if strings.EqualFold(name, algorithm) {
			return true
		}
	}
	return false
}
