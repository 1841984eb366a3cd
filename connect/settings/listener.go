package settings

import (
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-io/penstock/connect/config"
)

// Listener is one address of the REST interface.
type Listener struct {
	Scheme string // http or https
	Host   string // "" = all interfaces; an IPv6 address without brackets
	Port   int    // 0 = any free port
}

// Address returns host:port for net.Listen.
func (l Listener) Address() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// String returns the listener as a URL.
func (l Listener) String() string { return l.Scheme + "://" + l.Address() }

// listenerPattern is RestServer.LISTENER_PATTERN.
var listenerPattern = regexp.MustCompile(`^(.*)://\[?([0-9a-zA-Z\-%._:]*)\]?:(-?[0-9]+)$`)

// ParseListener reads protocol://host:port.
func ParseListener(text string) (Listener, error) {
	m := listenerPattern.FindStringSubmatch(text)
	if m == nil {
		return Listener{}, errors.New("Listener doesn't have the right format (protocol://hostname:port).")
	}
	l := Listener{Scheme: strings.ToLower(m[1]), Host: m[2]}
	if l.Scheme != "http" && l.Scheme != "https" {
		return Listener{}, errors.New(`Listener protocol must be either "http" or "https".`)
	}
	port, err := strconv.Atoi(m[3])
	if err != nil || port < 0 || port > 65535 {
		return Listener{}, errors.New("Listener port must be from 0 to 65535.")
	}
	l.Port = port
	return l, nil
}

func parseListeners(key string, texts []string) ([]Listener, error) {
	listeners := make([]Listener, 0, len(texts))
	var problems []error
	for _, text := range texts {
		l, err := ParseListener(text)
		if err != nil {
			problems = append(problems, &config.Error{Key: key, Msg: err.Error() + " It is " + strconv.Quote(text) + " in " + key + ". Write e.g. http://0.0.0.0:8083."})
			continue
		}
		listeners = append(listeners, l)
	}
	return listeners, errors.Join(problems...)
}

func checkListeners(key string, v any) error {
	list, _ := v.([]string)
	if len(list) == 0 {
		return &config.Error{Key: key, Msg: "Invalid value for listeners, at least one URL is expected, ex: http://localhost:8080,https://localhost:8443."}
	}
	for _, l := range list {
		if strings.TrimSpace(l) == "" {
			return &config.Error{Key: key, Msg: "Empty URL found when parsing listeners list."}
		}
	}
	return nil
}

func checkAdvertisedListener(_ string, v any) error {
	if s := strings.ToLower(v.(string)); s == "http" || s == "https" {
		return nil
	}
	return errors.New(`Listener protocol must be either "http" or "https".`)
}

// REST holds the settings of the HTTP interface.
type REST struct {
	Listeners []Listener
	// AdminListeners serve /admin alone. AdminOff: nothing does. Neither: Listeners do.
	AdminListeners []Listener
	AdminOff       bool

	AdvertisedHost     string // "" = not set
	AdvertisedPort     int    // 0 = not set
	AdvertisedListener string // "" = not set, else http or https

	// Origins may call from browsers (CORS); nil = CORS is off.
	Origins      *Origins
	AllowMethods string
	HeaderRules  []HeaderRule
	Extensions   []string
	// JAASFile is penstock.rest.jaas.config.file, the login configuration of the REST
	// interface; "" = not set.
	JAASFile string
	// Access is who may do what, if that is more than the JVM can say.
	Access Access

	rawListeners string
}

// AdvertisedScheme returns the protocol with which other workers reach this one.
func (r *REST) AdvertisedScheme() string {
	raw := strings.ToLower(r.rawListeners)
	switch {
	case r.AdvertisedListener != "":
		return r.AdvertisedListener
	case !strings.Contains(raw, "http://") && strings.Contains(raw, "https://"):
		return "https"
	}
	return "http"
}

// Advertised returns how other workers reach this one: the URL, with a trailing slash,
// and the worker id, which is its host:port. boundPort returns the port that
// Listeners[i] got; localHost stands in when no host is configured.
func (r *REST) Advertised(boundPort func(i int) int, localHost string) (url, workerID string) {
	scheme := r.AdvertisedScheme()
	host, port := r.AdvertisedHost, r.AdvertisedPort
	for i, l := range r.Listeners {
		if l.Scheme != scheme {
			continue
		}
		if host == "" {
			host = l.Host
		}
		if port == 0 {
			port = l.Port
		}
		if port == 0 {
			port = boundPort(i)
		}
		break
	}
	if host == "" {
		host = localHost
	}
	if port == 0 {
		port = boundPort(0) // no listener of that protocol: a proxy must stand before us
	}
	workerID = net.JoinHostPort(host, strconv.Itoa(port))
	return scheme + "://" + workerID + "/", workerID
}

// HeaderRule adds a header to every answer (Jetty's HeaderFilter).
type HeaderRule struct {
	Action string // set, add, setDate, addDate
	Name   string
	Value  string // of a date, the milliseconds from now
}

// Offset is the value of setDate and addDate.
func (h HeaderRule) Offset() time.Duration {
	ms, _ := strconv.ParseInt(h.Value, 10, 64) // checked when the rule was read
	return time.Duration(ms) * time.Millisecond
}

// maxOffset is ten years, in milliseconds.
const maxOffset = 10 * 366 * 24 * 3600 * 1000

var headerActions = []string{"set", "add", "setDate", "addDate"}

func checkHeaderRules(_ string, v any) error {
	s, _ := v.(string)
	_, err := ParseHeaderRules(s)
	return err
}

// ParseHeaderRules reads response.http.headers.config.
func ParseHeaderRules(text string) ([]HeaderRule, error) {
	const key = "response.http.headers.config"
	fail := func(msg string) ([]HeaderRule, error) { return nil, &config.Error{Key: key, Msg: msg} }
	var rules []HeaderRule
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for _, item := range splitQuoted(text) {
		action, rest, ok := cutSpace(strings.TrimSpace(item))
		if !ok {
			return fail("Invalid format of header config '" + item + "'. Expected: '[action] [header name]:[header value]'")
		}
		known := ""
		for _, a := range headerActions {
			if strings.EqualFold(a, action) {
				known = a
			}
		}
		if known == "" {
			return fail("Invalid header config action: '" + action + "'. Expected one of [" + strings.Join(headerActions, ", ") + "]")
		}
		name, value, ok := strings.Cut(rest, ":")
		if !ok || value == "" || strings.Contains(value, ":") {
			return fail("Invalid format of header name and header value pair '" + rest + "'. Expected: '[header name]:[header value]'")
		}
		name = strings.TrimSpace(name)
		if name == "" || strings.ContainsAny(name, " \t\n\f\r\v") {
			return fail("Invalid header name '" + name + "'. The '[header name]' cannot contain whitespace")
		}
		value = strings.TrimSpace(value)
		if known == "setDate" || known == "addDate" {
			if ms, err := strconv.ParseInt(value, 10, 64); err != nil || ms > maxOffset || ms < -maxOffset {
				return fail("Invalid value '" + value + "' of header " + name + ". The value of " + known + " is a number, the milliseconds from now, at most ten years")
			}
		}
		rules = append(rules, HeaderRule{Action: known, Name: name, Value: value})
	}
	return rules, nil
}

func cutSpace(s string) (first, rest string, ok bool) {
	i := strings.IndexAny(s, " \t\n\f\r\v")
	if i < 0 {
		return s, "", false
	}
	rest = strings.TrimSpace(s[i:])
	return s[:i], rest, rest != ""
}

// splitQuoted splits at commas outside of double quotes and removes the quotes.
func splitQuoted(text string) []string {
	var items []string
	var item strings.Builder
	quoted := false
	for _, r := range text {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ',' && !quoted:
			items = append(items, strings.TrimSpace(item.String()))
			item.Reset()
		default:
			item.WriteRune(r)
		}
	}
	return append(items, strings.TrimSpace(item.String()))
}
