package config

// Def is an ordered set of keys. It is built once and then only read.
type Def struct {
	keys   []Key
	index  map[string]int
	groups []string
}

// NewDef returns a definition of the given keys.
func NewDef(keys ...Key) *Def { return (&Def{index: map[string]int{}}).Add(keys...) }

// Add appends keys and returns d. A name that is defined twice is a programming error and panics.
func (d *Def) Add(keys ...Key) *Def {
	for _, k := range keys {
		if _, ok := d.index[k.Name]; ok {
			panic("config: key " + k.Name + " is defined twice")
		}
		d.index[k.Name] = len(d.keys)
		d.keys = append(d.keys, k)
	}
	return d
}

// Keys returns the keys in order; the caller must not change them.
func (d *Def) Keys() []Key { return d.keys }

// Parse turns the text of every defined key into its value, fills in defaults and
// runs the validators. All problems are returned together (errors.Join of *Error).
// Keys that are not defined are left alone.
func (d *Def) Parse(props map[string]string) (Values, error) { panic("not written yet") }

// Validate is Parse for a form: it returns a Value for every key, with its errors.
func (d *Def) Validate(props map[string]string) []Value { panic("not written yet") }
