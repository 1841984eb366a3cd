package partitioner

import (
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
)

// texts are the names of a language in the CLDR data of Java 17. What is nil is not known,
// and a pattern that needs it is refused.
type texts struct {
	eras         []string // BC, AD
	days, months []string
	short        bool // the long forms are the short ones
	zones        bool // time zones are called by the names of the zone database
}

const shortName = 3 // letters, in English

var (
	englishDays   = []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	englishMonths = []string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
)

// languages that have names of their own. root is what Java takes for a locale that it
// does not know; that includes en-US, because the whole text is taken for a language.
var (
	languages = map[string]*texts{
		"en": {eras: []string{"BC", "AD"}, days: englishDays, months: englishMonths, zones: true},
		"de": {eras: []string{"v. Chr.", "n. Chr."}},
		"fr": {eras: []string{"av. J.-C.", "ap. J.-C."}},
	}
	root = &texts{days: englishDays, months: englishMonths, short: true}
)

// textsOf returns the names of a locale, nil for a language that is not known here.
func textsOf(locale string) *texts {
	language := strings.ToLower(locale)
	if t := languages[language]; t != nil {
		return t
	}
	for _, c := range []byte(language) {
		if !letter(c) {
			return root
		}
	}
	if len(language) == 2 || len(language) == 3 {
		return nil // Java may know it
	}
	return root
}

// localize gives the pattern the names of a locale. The error is a *config.Error: a name
// that would differ from the JVM's is refused rather than guessed.
func (p *layout) localize(locale string, zone Zone) error {
	p.texts = textsOf(locale)
	for i := range p.parts {
		x := &p.parts[i]
		what, instead := "", ""
		switch {
		case x.letter == 'G' && (p.texts == nil || p.texts.eras == nil):
			what, instead = "eras (G)", ""
		case x.letter == 'a' && p.texts == nil:
			what, instead = "halves of the day (a)", " or HH instead"
		case x.letter == 'E' && (p.texts == nil || p.texts.days == nil):
			what, instead = "days (E)", " or e, the day's number, instead"
		case x.letter == 'M' && x.count >= 3 && (p.texts == nil || p.texts.months == nil):
			what, instead = "months (MMM)", " or MM instead"
		case x.letter == 'z' && !zone.fixed && (p.texts == nil || !p.texts.zones):
			what, instead = "time zones (z)", " or ZZ, the offset, instead"
		}
		if what != "" {
			return config.Invalid(KeyLocale, locale, "The names of "+what+" that "+KeyPathFormat+" asks for are not known in this locale. Use en"+instead+".")
		}
		if x.letter == 'z' && !zone.fixed && !named(zone) {
			return config.Invalid(KeyTimezone, zone.id, "The short name (z) that "+KeyPathFormat+" asks for is not known for this zone. Use ZZZ, its id, or ZZ, its offset, instead.")
		}
	}
	return nil
}

// named reports whether the zone database has letters for the zone's names, in both halves
// of a year; elsewhere it has numbers, where Java has names.
func named(zone Zone) bool {
	if zone.loc == nil {
		return true // the zone is refused anyway
	}
	for _, month := range []time.Month{time.January, time.July} {
		name, _ := time.Date(2020, month, 1, 0, 0, 0, 0, zone.loc).Zone()
		if name == "" || !letter(name[0]) {
			return false
		}
	}
	return true
}

func (t *texts) day(d time.Weekday, long bool) string { return t.name(t.days[d], long) }

func (t *texts) month(m time.Month, long bool) string { return t.name(t.months[m-1], long) }

func (t *texts) name(full string, long bool) string {
	if long && !t.short {
		return full
	}
	return full[:shortName]
}
