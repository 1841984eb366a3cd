package tlsstore

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format's
	"crypto/subtle"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// A JKS file, numbers big-endian (sun.security.provider.JavaKeyStore):
//
//	magic int32 FEEDFEED, version int32 (1, 2), entries int32
//	entry: tag int32 (1 = key, 2 = certificate), alias, created int64 (ms), then
//	  key:         length int32, EncryptedPrivateKeyInfo; certificates int32, certificate...
//	  certificate: type (from version 2 on: "X.509"), length int32, DER
//	digest: 20 bytes, SHA-1 of password, "Mighty Aphrodite" and all before
//
// Texts have a length int16. Passwords are digested as UTF-16.
var jksMagic = []byte{0xfe, 0xed, 0xfe, 0xed}

// oidJKSKey names the way in which JKS encrypts keys.
var oidJKSKey = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 42, 2, 17, 1, 1}

var errJKS = errors.New("the JKS store is damaged: it ends too early or holds what does not belong there")

func readJKS(b []byte, p passwords, trust bool) (contents, error) {
	var store contents
	if len(b) < 12+sha1.Size {
		return store, errJKS
	}
	body, digest := b[:len(b)-sha1.Size], b[len(b)-sha1.Size:]
	// As in Java, a store without given password is read and not checked.
	if p.store != "" {
		h := sha1.New() //nolint:gosec // the format's
		h.Write(utf16BE(p.store))
		h.Write([]byte("Mighty Aphrodite"))
		h.Write(body)
		if subtle.ConstantTimeCompare(h.Sum(nil), digest) == 0 {
			return store, errStorePassword
		}
	}
	r := &jksReader{b: body[4:]}
	version := r.int32()
	if version != 1 && version != 2 {
		return store, fmt.Errorf("version %d of JKS is not known", version)
	}
	r.typed = version == 2
	for n := r.int32(); n > 0 && !r.bad; n-- {
		if err := r.entry(&store, p, trust); err != nil {
			return store, err
		}
	}
	if r.bad {
		return store, errJKS
	}
	return store, nil
}

func utf16BE(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return b
}

// jksReader remembers that something was missing; what it returns then is empty.
type jksReader struct {
	b     []byte
	typed bool
	bad   bool
}

func (r *jksReader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *jksReader) int32() int {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return int(int32(binary.BigEndian.Uint32(b)))
}

func (r *jksReader) text() string {
	b := r.take(2)
	if b == nil {
		return ""
	}
	return string(r.take(int(binary.BigEndian.Uint16(b))))
}

func (r *jksReader) certificate() (*x509.Certificate, error) {
	if r.typed {
		if t := r.text(); !r.bad && t != "X.509" {
			return nil, fmt.Errorf("it contains a certificate of type %q; only X.509 is known", t)
		}
	}
	der := r.take(r.int32())
	if r.bad {
		return nil, errJKS
	}
	return x509.ParseCertificate(der)
}

func (r *jksReader) entry(store *contents, p passwords, trust bool) error {
	const tagKey, tagCertificate = 1, 2
	tag := r.int32()
	alias := r.text()
	r.take(8)
	switch {
	case r.bad:
		return errJKS
	case tag == tagCertificate:
		cert, err := r.certificate()
		if err != nil {
			return err
		}
		store.trusted = append(store.trusted, cert)
		return nil
	case tag != tagKey:
		return fmt.Errorf("the entry %q is neither a key nor a certificate", alias)
	}
	sealed := r.take(r.int32())
	var chain []*x509.Certificate
	for n := r.int32(); n > 0; n-- {
		cert, err := r.certificate()
		if err != nil {
			return err
		}
		chain = append(chain, cert)
	}
	switch {
	case r.bad:
		return errJKS
	case len(chain) == 0:
		return nil
	case trust:
		store.trusted = append(store.trusted, chain[0])
		return nil
	}
	plain, err := openJKSKey(sealed, p.forKey())
	if err != nil {
		return err
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	if err != nil {
		return fmt.Errorf("the key %q is of a kind that is not known: %w", alias, err)
	}
	store.keys = append(store.keys, identity(key, chain))
	return nil
}

// openJKSKey undoes Java's KeyProtector: salt, the key XORed with a chain of digests, and a
// digest of the key.
func openJKSKey(sealed []byte, password string) ([]byte, error) {
	var info encryptedKey
	if _, err := asn1.Unmarshal(sealed, &info); err != nil {
		return nil, errJKS
	}
	if !info.Algorithm.Algorithm.Equal(oidJKSKey) {
		return nil, fmt.Errorf("a key is encrypted in a way that JKS does not have: %s", info.Algorithm.Algorithm)
	}
	if len(info.Data) < 2*sha1.Size {
		return nil, errJKS
	}
	secret := utf16BE(password)
	n := len(info.Data) - sha1.Size
	mask, plain, check := info.Data[:sha1.Size], bytes.Clone(info.Data[sha1.Size:n]), info.Data[n:]
	for i := range plain {
		if i%sha1.Size == 0 {
			sum := sha1.Sum(append(bytes.Clone(secret), mask...)) //nolint:gosec // the format's
			mask = sum[:]
		}
		plain[i] ^= mask[i%sha1.Size]
	}
	sum := sha1.Sum(append(bytes.Clone(secret), plain...)) //nolint:gosec // the format's
	if subtle.ConstantTimeCompare(sum[:], check) == 0 {
		return nil, errKeyPassword
	}
	return plain, nil
}
