package partitioner

import "bytes"

// memberAt finds the value at a path in a checked JSON object, without decoding anything
// else. Of several members of a name the last one counts, as in a map. false means that it
// cannot tell, or that there is none: names with escapes are left to the decoder.
func memberAt(b []byte, path []string) (token []byte, ok bool) {
	for _, name := range path {
		if b, ok = member(b, name); !ok {
			return nil, false
		}
	}
	return b, len(b) > 0
}

func member(b []byte, name string) (value []byte, ok bool) {
	if len(b) == 0 || b[0] != '{' {
		return nil, false
	}
	i := 1
	for {
		i = skipTo(b, i) // a quote, or the end of the object
		if i >= len(b) || b[i] != '"' {
			return value, value != nil
		}
		start := i + 1
		n := bytes.IndexByte(b[start:], '"')
		if n < 0 || bytes.IndexByte(b[start:start+n], '\\') >= 0 {
			return nil, false
		}
		found := string(b[start:start+n]) == name
		i = skipTo(b, start+n+1)
		end := skipValue(b, i)
		if end <= i {
			return nil, false
		}
		if found {
			value = b[i:end]
		}
		i = end
	}
}

// skipTo skips white space, commas and colons.
func skipTo(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ' ', '\n', '\r', '\t', ',', ':':
			i++
		default:
			return i
		}
	}
	return i
}

// skipValue returns the position behind the value at i.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		for depth := 0; i < len(b); {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return i
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			return i
		}
		i++
	}
	return i
}

// skipString returns the position behind the string whose opening quote is at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(b)
}
