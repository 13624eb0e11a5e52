package cluster

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
)

// MinSecretBytes is the least that a cluster secret has, as one that signs tokens.
const MinSecretBytes = 32

// proofBytes is how much is shown as proof of the cluster secret.
const proofBytes = 16

// secret is the one thing that all nodes have, and from which all else that they must have in common is made.
type secret []byte

// key returns key material for a purpose (HKDF, RFC 5869, with SHA-256). What two purposes get has nothing in common.
func (s secret) key(purpose string, length int) []byte {
	key, err := hkdf.Key(sha256.New, s, nil, "livechat cluster "+purpose, length)
	if err != nil {
		panic(err) // only for a length that is a constant of the program's
	}
	return key
}

// proof shows which secret it is, and nothing of it.
func (s secret) proof() string { return hex.EncodeToString(s.key("proof", proofBytes)) }

// identity is the key by which nodes know each other.
func (s secret) identity() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(s.key("identity", ed25519.SeedSize))
}
