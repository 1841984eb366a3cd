package tlsstore

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // older stores use it
	"crypto/pbkdf2"
	_ "crypto/sha1" //nolint:gosec // older stores use it
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
)

// encryptedKey is PKCS#8's EncryptedPrivateKeyInfo.
type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

// maxIterations bounds the time that a damaged store can take; keytool uses 10,000.
const maxIterations = 10_000_000

var (
	errDecrypt    = errors.New("wrong password, or damaged")
	errIterations = errors.New("the store demands a number of iterations that is out of range")
)

var (
	oidPBES2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidTripleDES = asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}
)

// hashes are the digests by their own name and by that of their HMAC.
var hashes = map[string]crypto.Hash{
	"1.3.14.3.2.26": crypto.SHA1, "1.2.840.113549.2.7": crypto.SHA1,
	"2.16.840.1.101.3.4.2.4": crypto.SHA224, "1.2.840.113549.2.8": crypto.SHA224,
	"2.16.840.1.101.3.4.2.1": crypto.SHA256, "1.2.840.113549.2.9": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384, "1.2.840.113549.2.10": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512, "1.2.840.113549.2.11": crypto.SHA512,
}

// aesKeySizes are the key sizes of AES-CBC by its name, in bytes.
var aesKeySizes = map[string]int{"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}

// oldScheme is one of PKCS#12's own ways to encrypt, all with SHA-1 (RFC 7292, appendix C).
type oldScheme struct {
	keySize int // bytes
	cipher  func(key []byte) (cipher.Block, error)
}

var oldSchemes = map[string]oldScheme{
	"1.2.840.113549.1.12.1.3": {24, des.NewTripleDESCipher},
	"1.2.840.113549.1.12.1.4": {16, func(key []byte) (cipher.Block, error) {
		return des.NewTripleDESCipher(append(bytes.Clone(key), key[:8]...)) //nolint:gosec // older stores use it
	}},
	"1.2.840.113549.1.12.1.5": {16, newRC2},
	"1.2.840.113549.1.12.1.6": {5, newRC2},
}

func hashOf(oid asn1.ObjectIdentifier) (crypto.Hash, error) {
	h, ok := hashes[oid.String()]
	if !ok {
		return 0, notKnown(oid)
	}
	return h, nil
}

func notKnown(oid asn1.ObjectIdentifier) error {
	return fmt.Errorf("it uses the algorithm %s, which is not known here. Write it anew, e.g. with keytool -importkeystore -deststoretype PKCS12", oid)
}

// decryptKey opens an EncryptedPrivateKeyInfo; errDecrypt tells of a wrong password.
func decryptKey(der []byte, password string) ([]byte, error) {
	var e encryptedKey
	if err := unmarshal(der, &e); err != nil {
		return nil, err
	}
	plain, err := decrypt(e.Algorithm, password, e.Data)
	if err != nil {
		return nil, err
	}
	// A wrong password leaves a valid padding once in 256 times.
	var any asn1.RawValue
	if rest, err := asn1.Unmarshal(plain, &any); err != nil || len(rest) > 0 || any.Tag != asn1.TagSequence {
		return nil, errDecrypt
	}
	return plain, nil
}

// decrypt undoes a password based encryption; errDecrypt tells of a wrong password.
func decrypt(algorithm pkix.AlgorithmIdentifier, password string, data []byte) ([]byte, error) {
	block, iv, err := pbeCipher(algorithm, password)
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(iv) != size || len(data) == 0 || len(data)%size != 0 {
		return nil, errors.New("the store is damaged: an encrypted part has a wrong length")
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > size || !bytes.Equal(plain[len(plain)-padding:], bytes.Repeat([]byte{byte(padding)}, padding)) {
		return nil, errDecrypt
	}
	return plain[:len(plain)-padding], nil
}

func pbeCipher(algorithm pkix.AlgorithmIdentifier, password string) (cipher.Block, []byte, error) {
	if algorithm.Algorithm.Equal(oidPBES2) {
		return pbes2Cipher(algorithm.Parameters.FullBytes, password)
	}
	scheme, ok := oldSchemes[algorithm.Algorithm.String()]
	if !ok {
		return nil, nil, notKnown(algorithm.Algorithm)
	}
	var params struct {
		Salt       []byte
		Iterations int
	}
	if err := unmarshal(algorithm.Parameters.FullBytes, &params); err != nil {
		return nil, nil, err
	}
	if params.Iterations < 1 || params.Iterations > maxIterations {
		return nil, nil, errIterations
	}
	const idKey, idIV = 1, 2
	secret := bmpPassword(password)
	block, err := scheme.cipher(pkcs12Key(crypto.SHA1, secret, params.Salt, params.Iterations, idKey, scheme.keySize))
	return block, pkcs12Key(crypto.SHA1, secret, params.Salt, params.Iterations, idIV, 8), err
}

// pbes2Cipher reads the parameters of PBES2 (RFC 8018).
func pbes2Cipher(der []byte, password string) (cipher.Block, []byte, error) {
	var params struct{ KDF, Scheme pkix.AlgorithmIdentifier }
	if err := unmarshal(der, &params); err != nil {
		return nil, nil, err
	}
	if !params.KDF.Algorithm.Equal(oidPBKDF2) {
		return nil, nil, notKnown(params.KDF.Algorithm)
	}
	var kdf struct {
		Salt       []byte
		Iterations int
		KeyLength  int                      `asn1:"optional"`
		PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
	}
	if err := unmarshal(params.KDF.Parameters.FullBytes, &kdf); err != nil {
		return nil, nil, err
	}
	if kdf.Iterations < 1 || kdf.Iterations > maxIterations {
		return nil, nil, errIterations
	}
	h := crypto.SHA1
	if kdf.PRF.Algorithm != nil {
		var err error
		if h, err = hashOf(kdf.PRF.Algorithm); err != nil {
			return nil, nil, err
		}
	}
	var iv []byte
	if err := unmarshal(params.Scheme.Parameters.FullBytes, &iv); err != nil {
		return nil, nil, err
	}
	size, newCipher := aesKeySizes[params.Scheme.Algorithm.String()], aes.NewCipher
	switch {
	case size > 0:
	case params.Scheme.Algorithm.Equal(oidTripleDES):
		size, newCipher = 24, des.NewTripleDESCipher
	default:
		return nil, nil, notKnown(params.Scheme.Algorithm)
	}
	key, err := pbkdf2.Key(h.New, password, kdf.Salt, kdf.Iterations, size)
	if err != nil {
		return nil, nil, err
	}
	block, err := newCipher(key)
	return block, iv, err
}

// bmpPassword is a password as PKCS#12 digests it: UTF-16 with a zero at the end.
func bmpPassword(password string) []byte { return append(utf16BE(password), 0, 0) }

// pkcs12Key derives size bytes for a purpose (RFC 7292, appendix B.2).
func pkcs12Key(h crypto.Hash, password, salt []byte, iterations int, purpose byte, size int) []byte {
	v := h.New().BlockSize()
	input := append(repeatTo(salt, v), repeatTo(password, v)...)
	var key []byte
	for {
		d := h.New()
		d.Write(bytes.Repeat([]byte{purpose}, v))
		d.Write(input)
		a := d.Sum(nil)
		for range iterations - 1 {
			d.Reset()
			d.Write(a)
			a = d.Sum(a[:0])
		}
		if key = append(key, a...); len(key) >= size {
			return key[:size]
		}
		b := repeatTo(a, v)[:v]
		for start := 0; start < len(input); start += v {
			carry := uint16(1)
			for i := v - 1; i >= 0; i-- {
				carry += uint16(input[start+i]) + uint16(b[i])
				input[start+i] = byte(carry)
				carry >>= 8
			}
		}
	}
}

// repeatTo repeats b to a multiple of n bytes.
func repeatTo(b []byte, n int) []byte {
	if len(b) == 0 {
		return nil
	}
	size := (len(b) + n - 1) / n * n
	return bytes.Repeat(b, (size+len(b)-1)/len(b))[:size]
}
