package partitioner

// maxNames bounds how many directory names a partitioner remembers; beyond it the memory
// starts anew, which costs an allocation per name.
const maxNames = 4096

// names makes strings of directory names, one per name, so that naming a record again
// allocates nothing. A name is checked when it is new.
type names struct {
	known map[string]string
	last  string
	check func(encoded string) error
}

func (n *names) of(b []byte) (string, error) {
	if string(b) == n.last {
		return n.last, nil
	}
	name, ok := n.known[string(b)]
	if !ok {
		name = string(b)
		if n.check != nil {
			if err := n.check(name); err != nil {
				return "", fatal(illegalArgument, "Invalid path name "+name,
					err.Error()+" Change the value, or partition by something else.")
			}
		}
		if n.known == nil || len(n.known) >= maxNames {
			n.known = make(map[string]string)
		}
		n.known[name] = name
	}
	n.last = name
	return name, nil
}
