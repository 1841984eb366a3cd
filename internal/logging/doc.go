// Package logging makes the worker's logger, whose level can be changed at run time per
// name, as /admin/loggers demands (KIP-495).
package logging
