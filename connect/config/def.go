package config

// Type is the type of a configuration value (Java: ConfigDef.Type).
type Type string

// The types.
const (
	TypeBoolean  Type = "BOOLEAN"
	TypeString   Type = "STRING"
	TypeInt      Type = "INT"
	TypeShort    Type = "SHORT"
	TypeLong     Type = "LONG"
	TypeDouble   Type = "DOUBLE"
	TypeList     Type = "LIST"
	TypeClass    Type = "CLASS"
	TypePassword Type = "PASSWORD"
)

// Importance is shown to users next to a key.
type Importance string

// The importances.
const (
	High   Importance = "HIGH"
	Medium Importance = "MEDIUM"
	Low    Importance = "LOW"
)

// Width is a hint for forms.
type Width string

// The widths.
const (
	WidthNone   Width = "NONE"
	WidthShort  Width = "SHORT"
	WidthMedium Width = "MEDIUM"
	WidthLong   Width = "LONG"
)

// NoDefault is the Default of a key that is required.
var NoDefault any = noDefault{}

type noDefault struct{}

// Validator checks a parsed value (Go types as in Values). It returns the text
// after "Invalid value <v> for configuration <k>: ", or a full *Error. Validate also
// calls it with nil for a value that could not be parsed or is missing.
type Validator func(key string, value any) error

// Recommender offers values and visibility that depend on other values
// (Java: ConfigDef.Recommender).
type Recommender interface {
	ValidValues(key string, parsed Values) []any
	Visible(key string, parsed Values) bool
}

// Key defines one configuration key (Java: ConfigDef.ConfigKey).
type Key struct {
	Name        string
	Type        Type
	Default     any // Go value as in Values; nil = null; NoDefault = required
	Validator   Validator
	Importance  Importance
	Doc         string
	Group       string // "" = none (null in REST)
	Order       int    // within Group; -1 = none
	Width       Width  // "" = NONE
	DisplayName string // "" = Name
	Dependents  []string
	Recommender Recommender
	// Internal keys are parsed and checked but neither listed nor documented.
	Internal bool
	// List holds the checks of a LIST (Java: ConfigDef.ValidList); nil = none.
	List *ListRule
	// Hint is a sentence that tells how to mend a wrong or missing value. Parse ends
	// its errors with it; Validate does not, because clients match those texts.
	Hint string
	// Valid describes the accepted values in generated documentation.
	Valid string
}

// ListRule tells what a LIST may be. Parse drops duplicates before it checks; for
// Validate a duplicate is an error, so an old stored config keeps running while the
// same text is refused when it is sent again.
type ListRule struct {
	AllowEmpty, AllowNull bool
	name                  string // of an embedded key, without prefix
}

// Values holds parsed values: bool, string, int (INT), int16 (SHORT), int64,
// float64, []string (LIST), Password, string (CLASS: the name as given), or nil
// for null.
type Values map[string]any

// Value is one key's part of a validation result (Java: ConfigValue).
type Value struct {
	Name        string
	Value       any
	Recommended []any
	Errors      []string
	Visible     bool
}

// Password is a value that is never shown; String and formatting give [hidden].
type Password string

// String hides the password.
func (Password) String() string { return "[hidden]" }

// GoString hides the password from %#v.
func (Password) GoString() string { return "[hidden]" }

// Error is a wrong or missing configuration value (Java: ConfigException). Its
// text starts with the JVM's wording, which clients match.
type Error struct {
	Key string // "" when it is about no single key
	Msg string
}

func (e *Error) Error() string { return e.Msg }
