package herder

import (
	"errors"
	"net/http"
	"testing"

	"github.com/penstock-io/penstock/rest/api"
)

// In a group without session keys nobody can sign; where users have roles an unsigned request
// must not get in for that reason.
func TestUnsignedRequestsAreRefusedWhereSignaturesAreRequired(t *testing.T) {
	for _, required := range []bool{false, true} {
		h := &Herder{Options: Options{RequireSignatures: required}}
		h.view.Store(&view{})
		err := h.verify(api.Signature{})
		var refused *api.Error
		if required && (!errors.As(err, &refused) || refused.Status != http.StatusBadRequest) || !required && err != nil {
			t.Errorf("required %v: %v", required, err)
		}
	}
}
