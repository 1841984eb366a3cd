package tlsstore

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
)

// The parts of a PKCS#12 file (RFC 7292): authSafe holds a list of contents, plain or
// encrypted with the store's password, each a list of bags; macData proves the password.
type (
	pfx struct {
		Version  int
		AuthSafe contentInfo
		MacData  macData `asn1:"optional"`
	}
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
	}
	macData struct {
		Mac        digestInfo
		Salt       []byte
		Iterations int `asn1:"optional,default:1"`
	}
	digestInfo struct {
		Algorithm pkix.AlgorithmIdentifier
		Digest    []byte
	}
	encryptedData struct {
		Version int
		Info    struct {
			Type      asn1.ObjectIdentifier
			Algorithm pkix.AlgorithmIdentifier
			Content   asn1.RawValue `asn1:"tag:0,optional"`
		}
	}
	safeBag struct {
		Type       asn1.ObjectIdentifier
		Value      asn1.RawValue  `asn1:"tag:0,explicit"`
		Attributes []bagAttribute `asn1:"set,optional"`
	}
	bagAttribute struct {
		Type   asn1.ObjectIdentifier
		Values asn1.RawValue
	}
	certBag struct {
		Type  asn1.ObjectIdentifier
		Value []byte `asn1:"tag:0,explicit"`
	}
)

var (
	oidData          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidEncryptedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 6}
	oidKeyBag        = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 1}
	oidShroudedKey   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 2}
	oidCertBag       = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}
	oidX509          = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}
	// oidTrusted marks Java's trusted certificates (ORACLE_TrustedKeyUsage).
	oidTrusted = asn1.ObjectIdentifier{2, 16, 840, 1, 113894, 746875, 1, 1}
)

// bags are what was found in a PKCS12 store.
type bags struct {
	keys   []crypto.PrivateKey
	certs  []*x509.Certificate
	marked []*x509.Certificate // those of certs that Java calls trusted
	sealed bool                // there are keys, opened or not
}

func readPKCS12(b []byte, p passwords, trust bool) (contents, error) {
	var file pfx
	if err := unmarshal(b, &file); err != nil || !file.AuthSafe.Type.Equal(oidData) {
		return contents{}, errors.New("it is no PKCS12 store that can be read here. Write it anew, e.g. with keytool -importkeystore -deststoretype PKCS12")
	}
	safe, err := octets(file.AuthSafe.Content.Bytes)
	if err != nil {
		return contents{}, err
	}
	if file.MacData.Mac.Digest != nil && (p.store != "" || !trust) {
		if err := checkMAC(file.MacData, safe, p.store); err != nil {
			return contents{}, err
		}
	}
	var parts []contentInfo
	if err := unmarshal(safe, &parts); err != nil {
		return contents{}, err
	}
	var found bags
	for _, part := range parts {
		if err := found.read(part, p, trust); err != nil {
			return contents{}, err
		}
	}
	return found.contents(trust)
}

func (f *bags) read(part contentInfo, p passwords, trust bool) error {
	var plain []byte
	var err error
	switch {
	case part.Type.Equal(oidData):
		plain, err = octets(part.Content.Bytes)
	case part.Type.Equal(oidEncryptedData):
		var e encryptedData
		if err = unmarshal(part.Content.Bytes, &e); err == nil {
			if plain, err = decrypt(e.Info.Algorithm, p.store, e.Info.Content.Bytes); errors.Is(err, errDecrypt) {
				err = errStorePassword
			}
		}
	default:
		err = errors.New("it holds a part that is encrypted in a way that is not known: " + part.Type.String())
	}
	if err != nil {
		return err
	}
	var list []safeBag
	if err := unmarshal(plain, &list); err != nil {
		return err
	}
	for _, bag := range list {
		if err := f.bag(bag, p, trust); err != nil {
			return err
		}
	}
	return nil
}

// bag takes a key or certificate; other bags (secrets, CRLs) are passed over, and so are
// the keys of a trust store that its password does not open.
func (f *bags) bag(bag safeBag, p passwords, trust bool) error {
	switch {
	case bag.Type.Equal(oidCertBag):
		var c certBag
		if err := unmarshal(bag.Value.Bytes, &c); err != nil {
			return err
		}
		if !c.Type.Equal(oidX509) {
			return nil
		}
		cert, err := x509.ParseCertificate(c.Value)
		if err != nil {
			return fmt.Errorf("it contains a certificate that cannot be read: %w", err)
		}
		f.certs = append(f.certs, cert)
		if slices.ContainsFunc(bag.Attributes, func(a bagAttribute) bool { return a.Type.Equal(oidTrusted) }) {
			f.marked = append(f.marked, cert)
		}
	case bag.Type.Equal(oidKeyBag):
		f.sealed = true
		return f.addKey(bag.Value.Bytes)
	case bag.Type.Equal(oidShroudedKey):
		f.sealed = true
		plain, err := decryptKey(bag.Value.Bytes, p.forKey())
		switch {
		case err != nil && trust:
		case errors.Is(err, errDecrypt):
			return errKeyPassword
		case err != nil:
			return err
		default:
			return f.addKey(plain)
		}
	}
	return nil
}

func (f *bags) addKey(der []byte) error {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return fmt.Errorf("it contains a key of a kind that is not known: %w", err)
	}
	f.keys = append(f.keys, key)
	return nil
}

// contents puts keys and certificates together. Java trusts only certificates with its mark
// and those of keys; trust stores of other tools have neither, and there all count.
func (f *bags) contents(trust bool) (contents, error) {
	store := contents{trusted: f.marked}
	if trust && !f.sealed && len(f.marked) == 0 {
		store.trusted = f.certs
	}
	for _, key := range f.keys {
		i := slices.IndexFunc(f.certs, func(c *x509.Certificate) bool { return belongs(key, c) })
		if i >= 0 {
			store.keys = append(store.keys, identity(key, f.chain(f.certs[i])))
		}
	}
	return store, nil
}

// chain follows the issuers within the store.
func (f *bags) chain(cert *x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{cert}
	for len(chain) <= len(f.certs) {
		last := chain[len(chain)-1]
		i := slices.IndexFunc(f.certs, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && !bytes.Equal(last.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil
		})
		if i < 0 {
			break
		}
		chain = append(chain, f.certs[i])
	}
	return chain
}

func checkMAC(m macData, safe []byte, password string) error {
	h, err := hashOf(m.Mac.Algorithm.Algorithm)
	if err != nil {
		return err
	}
	if m.Iterations < 1 || m.Iterations > maxIterations {
		return errIterations
	}
	const idMAC = 3
	mac := hmac.New(h.New, pkcs12Key(h, bmpPassword(password), m.Salt, m.Iterations, idMAC, h.Size()))
	mac.Write(safe)
	if !hmac.Equal(mac.Sum(nil), m.Mac.Digest) {
		return errStorePassword
	}
	return nil
}

// unmarshal reads one DER value that is all there is.
func unmarshal(b []byte, into any) error {
	rest, err := asn1.Unmarshal(b, into)
	if err == nil && len(rest) > 0 {
		err = errors.New("bytes after the end")
	}
	if err != nil {
		return fmt.Errorf("the PKCS12 store is damaged or not in DER: %w", err)
	}
	return nil
}

// octets returns the bytes of an OCTET STRING.
func octets(b []byte) ([]byte, error) {
	var text []byte
	err := unmarshal(b, &text)
	return text, err
}
