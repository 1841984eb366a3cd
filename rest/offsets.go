package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/rest/api"
)

// getOffsets answers GET /connectors/{c}/offsets (KIP-875).
func (s *Server) getOffsets(r *http.Request) (result, error) {
	offsets, err := s.herder.ConnectorOffsets(r.Context(), param(r, "connector"))
	return ok(offsets), err
}

// alterOffsets answers PATCH /connectors/{c}/offsets (KIP-875).
func (s *Server) alterOffsets(r *http.Request, body []byte) (result, error) {
	offsets, err := readOffsets(withBody(r, body))
	if err != nil {
		return result{}, err
	}
	message, err := s.herder.AlterConnectorOffsets(r.Context(), param(r, "connector"), offsets)
	return ok(message), err
}

// resetOffsets answers DELETE /connectors/{c}/offsets (KIP-875).
func (s *Server) resetOffsets(r *http.Request, _ []byte) (result, error) {
	message, err := s.herder.ResetConnectorOffsets(r.Context(), param(r, "connector"))
	return ok(message), err
}

// readOffsets reads {"offsets":[{"partition":{…},"offset":{…}},…]}. As in the JVM a body of
// another shape is a 500, and one without offsets a 400.
func readOffsets(r *http.Request) (offsets api.ConnectorOffsets, err error) {
	var body map[string]json.RawMessage
	if err := readJSON(r, &body); err != nil {
		return offsets, err
	}
	if err := knownFields(body, "offsets"); err != nil {
		return offsets, err
	}
	var list []map[string]json.RawMessage
	if raw := body["offsets"]; raw != nil {
		if err := json.Unmarshal(raw, &list); err != nil {
			return offsets, fmt.Errorf(`"offsets" must be an array of objects: %w`, err)
		}
	}
	if len(list) == 0 {
		return offsets, api.Errorf(http.StatusBadRequest, "Partitions / offsets need to be provided for an alter offsets request")
	}
	for _, item := range list {
		if item == nil {
			return offsets, errors.New(`"offsets" holds a null: send {"partition":{…},"offset":{…}}`)
		}
		if err := knownFields(item, "partition", "offset"); err != nil {
			return offsets, err
		}
		o := api.ConnectorOffset{Partition: item["partition"], Offset: item["offset"]}
		for name, v := range map[string]json.RawMessage{"partition": o.Partition, "offset": o.Offset} {
			if text := string(v); len(v) > 0 && text != "null" && !strings.HasPrefix(text, "{") {
				return offsets, fmt.Errorf("%q must be an object or null, not %s", name, text)
			}
		}
		offsets.Offsets = append(offsets.Offsets, o)
	}
	return offsets, nil
}

func knownFields(object map[string]json.RawMessage, known ...string) error {
	for _, field := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(known, field) {
			return fmt.Errorf("unknown field %q: known here: %s", field, strings.Join(known, ", "))
		}
	}
	return nil
}
