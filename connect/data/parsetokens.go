package data

// tokens splits a text at the unescaped delimiters : , { } [ ] and ". One token can be
// looked at before it is taken; the text between start and pos is that token.
type tokens struct {
	text   string
	pos    int  // behind the peeked token
	start  int  // of the peeked token
	peeked bool // text[start:pos] was looked at, not yet taken
}

// mark returns the position to come back to with rewind.
func (t *tokens) mark() int {
	if t.peeked {
		return t.start
	}
	return t.pos
}

func (t *tokens) rewind(pos int) { t.pos, t.peeked = pos, false }

func (t *tokens) hasNext() bool { return t.peeked || t.pos < len(t.text) }

func (t *tokens) next() string {
	if !t.peeked {
		t.scan()
	}
	t.peeked = false
	return t.text[t.start:t.pos]
}

// nextN takes n tokens, or none if there are fewer.
func (t *tokens) nextN(n int) (string, bool) {
	start := t.mark()
	for range n {
		if !t.hasNext() {
			t.rewind(start)
			return "", false
		}
		t.next()
	}
	return t.text[start:t.pos], true
}

// accept takes the next token that is not blank if it is the expected one, blanks
// around it aside. If it is another one, the blanks are skipped all the same.
func (t *tokens) accept(expected string) bool {
	if !t.peeked {
		if !t.hasNext() {
			return false
		}
		t.scan()
		t.peeked = true
	}
	for isBlank(t.text[t.start:t.pos]) && t.pos < len(t.text) {
		t.scan()
	}
	if javaTrim(t.text[t.start:t.pos]) != expected {
		return false
	}
	t.peeked = false
	return true
}

// scan moves to the next token: one delimiter, or what comes before the next one.
func (t *tokens) scan() {
	t.start = t.pos
	escaped := false
	for ; t.pos < len(t.text); t.pos++ {
		switch t.text[t.pos] {
		case '\\':
			escaped = !escaped
		case ':', ',', '{', '}', '[', ']', '"':
			if escaped {
				escaped = false
				continue
			}
			if t.pos == t.start {
				t.pos++
			}
			return
		default:
			escaped = false
		}
	}
}

func isBlank(s string) bool { return javaTrim(s) == "" }
