package tlsstore

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// contents are what a store holds.
type contents struct {
	keys    []tls.Certificate
	trusted []*x509.Certificate
}

// trustPool returns what a store vouches for: its trusted certificates, and those of its
// keys (Java: TrustManagerFactory takes the first of a key's chain).
func (c contents) trustPool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range c.trusted {
		pool.AddCert(cert)
	}
	for _, key := range c.keys {
		pool.AddCert(key.Leaf)
	}
	return pool
}

// passwords of a store; key is the store's when it is empty.
type passwords struct{ store, key string }

func (p passwords) forKey() string {
	if p.key != "" {
		return p.key
	}
	return p.store
}

var (
	errStorePassword = errors.New("this is not the password of the store, or the store is damaged:")
	errKeyPassword   = errors.New("this is not the password of the private key (without it the one of the store is tried):")
)

// open reads a store. As in Java since 9, JKS and PKCS12 stand for one another: the bytes
// decide. The keys of a trust store are left closed, for which no password is given.
func open(format string, b []byte, p passwords, trust bool) (contents, error) {
	switch {
	case format == "PEM" && trust:
		certs, err := pemCertificates(string(b))
		if err == nil && len(certs) == 0 {
			err = errors.New("it contains no PEM certificate")
		}
		return contents{trusted: certs}, err
	case format == "PEM":
		cert, err := pemKeyPair(string(b), string(b), p.key)
		return contents{keys: []tls.Certificate{cert}}, err
	case bytes.HasPrefix(b, jksMagic):
		return readJKS(b, p, trust)
	case bytes.HasPrefix(b, []byte{0x30}):
		return readPKCS12(b, p, trust)
	case bytes.Contains(b, []byte("-----BEGIN ")):
		return contents{}, errors.New("this is a PEM file, but its type is " + format + ". Set the store's type to PEM")
	}
	return contents{}, errors.New("it is neither a JKS nor a PKCS12 store")
}

// identity joins a key and its chain, which starts with the key's own certificate.
func identity(key crypto.PrivateKey, chain []*x509.Certificate) tls.Certificate {
	cert := tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert
}

// belongs tells whether a certificate is that of a key.
func belongs(key crypto.PrivateKey, cert *x509.Certificate) bool {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(cert.PublicKey)
}

func pemCertificates(text string) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for rest := []byte(unfoldPEM(text)); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return certs, nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("it contains a certificate that cannot be read: %w", err)
		}
		certs = append(certs, cert)
	}
}

// pemKeyPair reads a chain and its key, which may be encrypted (PKCS#8 with PBES2).
func pemKeyPair(chain, key, password string) (tls.Certificate, error) {
	chain, key = unfoldPEM(chain), unfoldPEM(key)
	for rest := []byte(key); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "ENCRYPTED PRIVATE KEY" {
			continue
		}
		if password == "" {
			return tls.Certificate{}, errors.New("the private key is encrypted. Set ssl.key.password")
		}
		plain, err := decryptKey(block.Bytes, password)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("the private key cannot be opened with ssl.key.password: %w", err)
		}
		key = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}))
		break
	}
	cert, err := tls.X509KeyPair([]byte(chain), []byte(key))
	if err != nil {
		return cert, fmt.Errorf("not a PEM certificate chain with its private key: %w", err)
	}
	return cert, nil
}

// unfoldPEM puts line ends back into PEM text that was written on one line of a
// properties file, which Java accepts: the markers stand alone on their lines.
func unfoldPEM(text string) string {
	if strings.Count(text, "\n") > 1 {
		return text
	}
	var b strings.Builder
	for text != "" {
		begin := strings.Index(text, "-----BEGIN ")
		if begin < 0 {
			break
		}
		text = text[begin:]
		head := strings.Index(text[11:], "-----")
		end := strings.Index(text, "-----END ")
		if head < 0 || end < head+16 {
			break
		}
		tail := strings.Index(text[end+9:], "-----")
		if tail < 0 {
			break
		}
		stop := end + 9 + tail + 5
		b.WriteString(text[:head+16] + "\n")
		b.WriteString(strings.Join(strings.Fields(text[head+16:end]), "\n"))
		b.WriteString("\n" + text[end:stop] + "\n")
		text = text[stop:]
	}
	if b.Len() == 0 {
		return text
	}
	return b.String()
}
