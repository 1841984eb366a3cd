// Package protocol is the byte codec of the "connect" group protocol: what a worker
// tells when it joins, and what the leader assigns. It is compatible with the JVM
// worker (Java: ConnectProtocol, IncrementalCooperativeConnectProtocol).
//
// All integers are big-endian. STRING is an INT16 length and UTF-8, NULLABLE_BYTES an
// INT32 length (-1 = null) and bytes, ARRAY an INT32 count (-1 = null) and elements.
//
//	member metadata              v0   v1   v2
//	  version        INT16        0    1    2
//	  url            STRING       x    x    x
//	  config-offset  INT64        x    x    x
//	  allocation     NULL_BYTES        x    x    an assignment, or null
//
//	assignment                   v0   v1   v2
//	  version        INT16        0    1    2
//	  error          INT16        x    x    x
//	  leader         STRING       x    x    x    member id
//	  leader-url     STRING       x    x    x
//	  config-offset  INT64        x    x    x
//	  assignment     ARRAY        x    x    x    of { connector STRING, tasks ARRAY of INT32 }
//	  revoked        ARRAY             x    x    of the same
//	  delay          INT32             x    x    milliseconds
//
// Among tasks, -1 is the connector instance itself. The readers take every version:
// fields missing at the end are null, empty or 0.
package protocol
