package access

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Role is what a user may do with a connector; each one includes those before it.
type Role uint8

// The roles.
const (
	None    Role = iota
	View         // see it: config without secrets, status, tasks, offsets, topics
	Operate      // pause, resume, stop, restart, reset its topics
	Edit         // create, change and delete it, see its whole config, change its offsets
)

var roleNames = []string{"none", "view", "operate", "edit"}

// String returns the name by which the role is granted.
func (r Role) String() string { return roleNames[r] }

// Keys of the assignments, see Parse.
const (
	userKey      = "user."
	groupKey     = "group."
	anonymousKey = "anonymous"
	// everyUser in the place of a name is every user who is not anonymous.
	everyUser = "*"
)

// Roles are the assignments of roles to users and groups. They are not changed after Parse, and
// safe for concurrent use. Nobody has a role in the zero value.
type Roles struct {
	users, groups map[string]grants
	anonymous     *grants // nil: who is not known stays out
}

// grants are those of one user, group or of anonymous users.
type grants struct {
	admin      bool
	connectors []grant
}

type grant struct {
	role    Role
	pattern Pattern
}

// Parse reads assignments: user.<name>, group.<name> or anonymous, each with a list such as
//
//	view:*, edit:team-a-*, admin
//
// The name * is every user who has logged in. All problems are returned together, by key.
func Parse(assignments map[string]string) (*Roles, error) {
	r := &Roles{users: map[string]grants{}, groups: map[string]grants{}}
	var problems []error
	for _, key := range slices.Sorted(maps.Keys(assignments)) {
		g, err := parseGrants(assignments[key])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", key, err))
			continue
		}
		user, isUser := strings.CutPrefix(key, userKey)
		group, isGroup := strings.CutPrefix(key, groupKey)
		switch {
		case key == anonymousKey:
			r.anonymous = &g
		case isUser && user != "":
			r.users[user] = g
		case isGroup && group != "":
			r.groups[group] = g
		default:
			problems = append(problems, fmt.Errorf("%s is no assignment of roles: write user.<name>, group.<name> or anonymous", key))
		}
	}
	return r, errors.Join(problems...)
}

func parseGrants(text string) (g grants, err error) {
	for _, item := range splitList(text) {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		role, pattern, hasPattern := strings.Cut(item, ":")
		role = strings.ToLower(strings.TrimSpace(role))
		if role == "admin" && !hasPattern {
			g.admin = true
			continue
		}
		i := slices.Index(roleNames, role)
		if i <= int(None) || !hasPattern {
			return g, fmt.Errorf("%q is no role: write view, operate or edit with a pattern of connector names, such as edit:team-a-*, or admin", item)
		}
		p, err := ParsePattern(strings.TrimSpace(pattern))
		if err != nil {
			return g, err
		}
		g.connectors = append(g.connectors, grant{Role(i), p})
	}
	return g, nil
}

// splitList splits at commas that have no backslash before them.
func splitList(text string) (items []string) {
	start := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ',':
			items, start = append(items, text[start:i]), i+1
		}
	}
	return append(items, text[start:])
}

// Empty tells that nobody has a role, and nobody comes in without being known.
func (r *Roles) Empty() bool { return len(r.users)+len(r.groups) == 0 && r.anonymous == nil }

// Anonymous tells whether requests without credentials are let in at all.
func (r *Roles) Anonymous() bool { return r.anonymous != nil }

// of calls back for all grants that a user has: own ones, those of groups, of every user, and
// what is granted to anonymous users, which nobody loses by logging in.
func (r *Roles) of(u User, yield func(grants)) {
	if r.anonymous != nil {
		yield(*r.anonymous)
	}
	if u.Method == Anonymous || u.Method == Worker || u.Name == "" {
		return
	}
	yield(r.users[everyUser])
	if u.Name != everyUser {
		yield(r.users[u.Name])
	}
	for _, group := range u.Groups {
		yield(r.groups[group])
	}
}

// On returns the highest role that a user has on a connector.
func (r *Roles) On(u User, connector string) Role {
	highest := None
	r.of(u, func(g grants) {
		for _, c := range g.connectors {
			if c.role > highest && c.pattern.Match(connector) {
				highest = c.role
			}
		}
	})
	return highest
}

// Anywhere returns the highest role that a user has on connectors of some name.
func (r *Roles) Anywhere(u User) Role {
	highest := None
	r.of(u, func(g grants) {
		for _, c := range g.connectors {
			highest = max(highest, c.role)
		}
	})
	return highest
}

// Admin tells whether a user may see and change log levels.
func (r *Roles) Admin(u User) bool {
	admin := false
	r.of(u, func(g grants) { admin = admin || g.admin })
	return admin
}
