package redact

// hiddenError is an error whose text has no secrets.
type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }

// Unwrap returns the error as it was, for errors.As: its text is not to be shown.
func (e *hiddenError) Unwrap() error { return e.err }

// Error returns an error with the text that hide makes of its own; nil stays nil.
func Error(err error, hide func(text string) string) error {
	if err == nil {
		return nil
	}
	if text := hide(err.Error()); text != err.Error() {
		return &hiddenError{text, err}
	}
	return err
}
