package sasl

import (
	"encoding/binary"

	"github.com/jcmturner/gokrb5/v8/asn1tools"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"
)

// gssExchange is SASL's GSSAPI (RFC 4752) with Kerberos: an AP_REQ, to which the broker answers
// with what it offers to protect the messages that follow, signed with the ticket's key – so it
// is the broker –, and our choice: nothing, as TLS does that.
type gssExchange struct {
	request []byte // nil: sent
	key     types.EncryptionKey
}

// oidKerberos is Kerberos 5 among GSS mechanisms, 1.2.840.113554.1.2.2 in DER.
var oidKerberos = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}

func newGSSExchange(who *credentials.Credentials, t krbTicket) (*gssExchange, error) {
	auth, err := types.NewAuthenticator(who.Domain(), who.CName())
	if err != nil {
		return nil, err
	}
	auth.Cksum = types.Checksum{CksumType: chksumtype.GSSAPI, Checksum: contextFlags(gssapi.ContextFlagInteg)}
	req, err := messages.NewAPReq(t.ticket, t.key, auth)
	if err != nil {
		return nil, err
	}
	body, err := req.Marshal()
	if err != nil {
		return nil, err
	}
	// RFC 2743, 3.1: the token's tag and length, the mechanism, AP_REQ's id (RFC 4121, 4.1), AP_REQ.
	inner := append(append(oidKerberos[:len(oidKerberos):len(oidKerberos)], 0x01, 0x00), body...)
	token := append([]byte{0x60}, asn1tools.MarshalLengthBytes(len(inner))...)
	return &gssExchange{request: append(token, inner...), key: t.key}, nil
}

// contextFlags is the "checksum" of RFC 4121, 4.1.1: no channel binding, and flags.
func contextFlags(flags uint32) []byte {
	b := make([]byte, 24)
	binary.LittleEndian.PutUint32(b, 16)
	binary.LittleEndian.PutUint32(b[20:], flags)
	return b
}

// noProtection is the layer "none" of RFC 4752, 3.1, and in a choice the whole of it: no
// messages are wrapped, so their largest size is 0, and no other identity is asked for.
const noProtection = 1

// Step implements Exchange.
func (x *gssExchange) Step(challenge []byte) (answer []byte, done bool, err error) {
	if x.request != nil {
		answer, x.request = x.request, nil
		return answer, false, nil
	}
	var offer gssapi.WrapToken
	if err := offer.Unmarshal(challenge, true); err != nil {
		return nil, true, refuse("An error occurred when evaluating SASL token received from the Kafka Broker: %v", err)
	}
	if ok, err := offer.Verify(x.key, keyusage.GSSAPI_ACCEPTOR_SEAL); !ok {
		return nil, true, refuse("An error occurred when evaluating SASL token received from the Kafka Broker: it is not signed with the ticket's key (%v)", err)
	}
	if len(offer.Payload) < 4 || offer.Payload[0]&noProtection == 0 {
		return nil, true, refuse("the broker demands a security layer of SASL; use security.protocol=SASL_SSL with a broker that does not")
	}
	choice, err := gssapi.NewInitiatorWrapToken([]byte{noProtection, 0, 0, 0}, x.key)
	if err != nil {
		return nil, true, err
	}
	answer, err = choice.Marshal()
	return answer, true, err
}
