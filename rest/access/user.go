package access

// Method is how a user was recognised, as the audit log shows it.
type Method string

// The methods.
const (
	Basic       Method = "basic"       // user and password
	Certificate Method = "certificate" // a client's verified TLS certificate
	Bearer      Method = "bearer"      // a token of an OpenID Connect issuer
	Extension   Method = "extension"   // a REST extension told it
	Anonymous   Method = "anonymous"   // nobody: no credentials were sent
	Worker      Method = "worker"      // another worker of the group asks for itself
)

// User is who sent a request. The name alone counts for roles, however it became known.
type User struct {
	Name   string   `json:"user"` // "" for Anonymous and Worker
	Groups []string `json:"groups,omitempty"`
	Method Method   `json:"auth"`
}

// String names the user in a sentence.
func (u User) String() string {
	switch u.Method {
	case Anonymous:
		return "an anonymous user"
	case Worker:
		return "a worker"
	default:
		return "user " + u.Name
	}
}
