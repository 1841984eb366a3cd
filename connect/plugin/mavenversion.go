package plugin

import (
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// The order of versions is Maven's (ComparableVersion of maven-artifact 3.9, which Kafka
// Connect uses): a version is a list of numbers and words, with a list within the list after
// a dash and between letters and digits. Parts are compared one after the other; where one
// version has no part, the other one's is compared with nothing.

// versionItem is a part of a version.
type versionItem interface {
	// compare returns how the part is ordered next to another one; nil stands for nothing.
	compare(other versionItem) int
	// void reports whether the part means nothing at the end of a list.
	void() bool
}

type (
	numberItem struct{ n *big.Int }
	wordItem   struct{ rank string }
	listItem   struct{ items []versionItem }
)

// compareVersions orders two versions.
func compareVersions(a, b string) int { return parseVersion(a).compare(parseVersion(b)) }

// versionParser is the state of parseVersion: the list that is being filled, behind those
// around it.
type versionParser struct {
	lists []*listItem
	start int  // of the part being read
	digit bool // the last letter or digit was a digit
}

func parseVersion(text string) *listItem {
	text = strings.ToLower(text)
	p := versionParser{lists: []*listItem{{}}}
	for i := 0; i < len(text); i++ {
		part, more := text[p.start:i], i > p.start
		switch c := text[i]; {
		case c == '.', c == '-':
			p.add(part, false)
			if p.start = i + 1; c == '-' {
				p.open()
			}
		case c >= '0' && c <= '9':
			if more && !p.digit {
				p.nest()
				p.add(part, true)
				p.start = i
				p.open()
			}
			p.digit = true
		default:
			if more && p.digit {
				p.add(part, false)
				p.start = i
				p.open()
			}
			p.digit = false
		}
	}
	if p.start < len(text) {
		if !p.digit {
			p.nest()
		}
		p.add(text[p.start:], false)
	}
	for _, l := range slices.Backward(p.lists) {
		l.normalise()
	}
	return p.lists[0]
}

// nest goes on in a list within the list, unless that has nothing yet.
func (p *versionParser) nest() {
	if len(p.lists[len(p.lists)-1].items) > 0 {
		p.open()
	}
}

func (p *versionParser) open() {
	inner := &listItem{}
	p.append(inner)
	p.lists = append(p.lists, inner)
}

func (p *versionParser) append(item versionItem) {
	top := p.lists[len(p.lists)-1]
	top.items = append(top.items, item)
}

// add adds a number or word; an empty part is a zero.
func (p *versionParser) add(part string, beforeNumber bool) {
	switch {
	case part == "":
		p.append(numberItem{new(big.Int)})
	case p.digit:
		n, _ := new(big.Int).SetString(part, 10) // it is digits
		p.append(numberItem{n})
	default:
		p.append(wordItem{rankOf(part, beforeNumber)})
	}
}

// qualifiers in their order; the release itself is the empty one.
var qualifiers = []string{"alpha", "beta", "milestone", "rc", "snapshot", "", "sp"}

var releaseRank = strconv.Itoa(slices.Index(qualifiers, ""))

// rankOf makes qualifiers comparable as text; unknown ones come last, by name. a, b and m
// are short forms only before a number.
func rankOf(word string, beforeNumber bool) string {
	switch {
	case word == "cr":
		word = "rc"
	case word == "ga", word == "final", word == "release":
		word = ""
	case beforeNumber && word == "a":
		word = "alpha"
	case beforeNumber && word == "b":
		word = "beta"
	case beforeNumber && word == "m":
		word = "milestone"
	}
	if at := slices.Index(qualifiers, word); at >= 0 {
		return strconv.Itoa(at)
	}
	return strconv.Itoa(len(qualifiers)) + "-" + word
}

func (w wordItem) void() bool { return w.rank == releaseRank }

func (w wordItem) compare(other versionItem) int {
	switch o := other.(type) {
	case nil:
		return strings.Compare(w.rank, releaseRank)
	case wordItem:
		return strings.Compare(w.rank, o.rank)
	}
	return -1 // 1.any < 1.1, 1.any < 1-1
}

func (n numberItem) void() bool { return n.n.Sign() == 0 }

func (n numberItem) compare(other versionItem) int {
	switch o := other.(type) {
	case nil:
		return n.n.Sign() // 1.0 is 1
	case numberItem:
		return n.n.Cmp(o.n)
	}
	return 1 // 1.1 > 1-1, 1.1 > 1-sp
}

func (l *listItem) void() bool { return len(l.items) == 0 }

// normalise drops what means nothing, from the end up to a number or word that does.
func (l *listItem) normalise() {
	for i, item := range slices.Backward(l.items) {
		if item.void() {
			l.items = slices.Delete(l.items, i, i+1)
		} else if _, isList := item.(*listItem); !isList {
			return
		}
	}
}

func (l *listItem) compare(other versionItem) int {
	switch o := other.(type) {
	case numberItem:
		return -1 // 1-1 < 1.0.x
	case wordItem:
		return 1 // 1-1 > 1-sp
	case *listItem:
		return l.compareEach(o.items)
	}
	return l.compareEach(nil)
}

func (l *listItem) compareEach(others []versionItem) int {
	for i := range max(len(l.items), len(others)) {
		c := 0
		switch {
		case i >= len(others):
			c = l.items[i].compare(nil)
		case i >= len(l.items):
			c = -others[i].compare(nil)
		default:
			c = l.items[i].compare(others[i])
		}
		if c != 0 {
			return c
		}
	}
	return 0
}
