// Package api holds the JSON types of the REST interface and its errors. It is a
// leaf: the router, the herder and the client all use it.
package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// ServerInfo answers GET /.
type ServerInfo struct {
	Version        string `json:"version"`
	Commit         string `json:"commit"`
	KafkaClusterID string `json:"kafka_cluster_id"`
}

// TaskRef names a task in JSON.
type TaskRef struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// ConnectorInfo is a connector with its raw config.
type ConnectorInfo struct {
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
	Tasks  []TaskRef         `json:"tasks"`
	Type   string            `json:"type"` // source, sink, unknown
}

// TaskInfo is a task with its raw config.
type TaskInfo struct {
	ID     TaskRef           `json:"id"`
	Config map[string]string `json:"config"`
}

// InstanceStatus is the status of a connector instance. Version: nil is written as
// null, "undefined" leaves the field out.
type InstanceStatus struct {
	State    string
	WorkerID string
	Version  *string
	Trace    string // "" leaves the field out
}

// TaskStatus is the status of a task.
type TaskStatus struct {
	ID int
	InstanceStatus
}

// ConnectorStatus answers GET /connectors/{c}/status.
type ConnectorStatus struct {
	Name      string         `json:"name"`
	Connector InstanceStatus `json:"connector"`
	Tasks     []TaskStatus   `json:"tasks"`
	Type      string         `json:"type"`
}

// ConnectorOffsets answers GET /connectors/{c}/offsets and is the body of PATCH.
type ConnectorOffsets struct {
	Offsets []ConnectorOffset `json:"offsets"`
}

// ConnectorOffset is the offset of one partition of a source, or of a Kafka topic, as JSON
// objects. null, or nothing, is no offset.
type ConnectorOffset struct {
	Partition json.RawMessage `json:"partition"`
	Offset    json.RawMessage `json:"offset"`
}

// Message tells a user what was done.
type Message struct {
	Message string `json:"message"`
}

// CreateConnectorRequest is the body of POST /connectors.
type CreateConnectorRequest struct {
	Name         string            `json:"name"`
	Config       map[string]string `json:"config"`
	InitialState string            `json:"initial_state,omitempty"`
}

// PluginInfo is an entry of GET /connector-plugins.
type PluginInfo struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version,omitempty"`
}

// ConfigDefinition describes a key (Java: ConfigKeyInfo, Kafka 4.3).
type ConfigDefinition struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Required      bool     `json:"required"`
	DefaultValue  *string  `json:"default_value"`
	Importance    string   `json:"importance"`
	Documentation string   `json:"documentation"`
	Group         *string  `json:"group"`
	OrderInGroup  int      `json:"order_in_group"`
	Width         string   `json:"width"`
	DisplayName   string   `json:"display_name"`
	Dependents    []string `json:"dependents"`
}

// ConfigValue is the value part of a validation result.
type ConfigValue struct {
	Name        string   `json:"name"`
	Value       *string  `json:"value"`
	Recommended []string `json:"recommended_values"`
	Errors      []string `json:"errors"`
	Visible     bool     `json:"visible"`
}

// ConfigInfo is one key of a validation result.
type ConfigInfo struct {
	Definition *ConfigDefinition `json:"definition"`
	Value      ConfigValue       `json:"value"`
}

// ConfigInfos answers PUT /connector-plugins/{p}/config/validate.
type ConfigInfos struct {
	Name       string       `json:"name"`
	ErrorCount int          `json:"error_count"`
	Groups     []string     `json:"groups"`
	Configs    []ConfigInfo `json:"configs"`
	// Hide takes secrets out of the text of Err; nil leaves them. The answer itself shows them,
	// as the JVM's does.
	Hide func(text string) string `json:"-"`
}

// Err returns an *Error with status 400 that lists the errors in order, or nil.
func (c *ConfigInfos) Err() error {
	if c.ErrorCount == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Connector configuration is invalid and contains the following %d error(s):", c.ErrorCount)
	for i := range c.Configs {
		for _, msg := range c.Configs[i].Value.Errors {
			b.WriteString("\n" + msg)
		}
	}
	b.WriteString("\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`")
	text := b.String()
	if c.Hide != nil {
		text = c.Hide(text)
	}
	return &Error{Status: http.StatusBadRequest, Message: text}
}

// Error is a failure with its HTTP status. Any other error becomes a 500.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return e.Message }

// Errorf returns an *Error.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// ForwardError tells that another worker must answer: the leader, or the owner of a
// connector or task. URL is "" while it is not known.
type ForwardError struct {
	URL    string
	Reason string
}

func (e *ForwardError) Error() string { return e.Reason }

// Signature is what came with an internal request.
type Signature struct {
	Body      []byte
	MAC       string // X-Connect-Authorization, base64; "" = absent
	Algorithm string // X-Connect-Request-Signature-Algorithm; "" = absent
	// Given tells that both headers were there, though one may be empty: that is wrong, not
	// absent.
	Given bool
}
