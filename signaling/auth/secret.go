package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrSecretFile says that a file of secrets cannot be used; the text around it says which
// file is meant and what to do.
var ErrSecretFile = errors.New("the secret cannot be used")

const (
	// secretFile is the file below the data directory that keeps a generated secret.
	secretFile = "secret"
	// secretRandomBytes is how much randomness a generated secret has: as much as HS256
	// can use.
	secretRandomBytes = 32

	// maxSecretFileBytes is the most that a file of several secrets may have, line ends and all.
	maxSecretFileBytes = MaxSecrets * (MaxSecretBytes + 2)

	secretFileMode fs.FileMode = 0o600
	secretDirMode  fs.FileMode = 0o700
	// othersMayUse are the bits that let anyone but the owner at the secret.
	othersMayUse fs.FileMode = 0o077
	// othersMayWrite lets anyone on the machine put a secret of theirs into the directory.
	othersMayWrite fs.FileMode = 0o002
)

// SecretFile is the path of the secret kept in dir.
func SecretFile(dir string) string { return filepath.Join(dir, secretFile) }

// LoadOrCreateSecret returns the secret kept in dir, which it generates when there is
// none. The file is one line of text that may be passed on as it stands. Processes that
// start together end up with the same secret. Errors about what is there wrap
// ErrSecretFile.
func LoadOrCreateSecret(dir string) ([]byte, error) {
	if err := os.MkdirAll(dir, secretDirMode); err != nil {
		return nil, fmt.Errorf("create the data directory: %w", err)
	}
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	path := SecretFile(dir)
	secret, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := createSecret(dir, path); err != nil {
		return nil, err
	}
	// Read back what is there: another process may have been first.
	return readSecret(path)
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at the data directory: %w", err)
	}
	if unixModes() && info.Mode()&othersMayWrite != 0 {
		return fmt.Errorf("%w: everyone may write to the directory %s (mode %04o): choose another, or chmod o-w it",
			ErrSecretFile, dir, info.Mode().Perm())
	}
	return nil
}

func readSecret(path string) ([]byte, error) {
	const remedy = ", or delete it to have a new one made"
	data, err := ReadPrivate(path, MaxSecretBytes+2)
	if errors.Is(err, errOthersMayUse) {
		return nil, fmt.Errorf("%w%s", err, remedy)
	}
	if err != nil {
		return nil, err
	}
	secret := strings.TrimRight(string(data), "\r\n")
	if n := len(secret); n < MinSecretBytes || n > MaxSecretBytes || strings.ContainsAny(secret, "\r\n\x00") {
		return nil, fmt.Errorf("%w: %s should hold one line of %d to %d bytes: delete it to have a new one made",
			ErrSecretFile, path, MinSecretBytes, MaxSecretBytes)
	}
	return []byte(secret), nil
}

// ReadSecrets returns the secrets in a file of the operator's: one a line, empty lines apart. As with the kept secret nobody
// else may use the file, or put another in its place. Errors about what is there wrap ErrSecretFile, and show nothing of it.
func ReadSecrets(path string) ([][]byte, error) {
	// A directory of all, such as one that an orchestrator mounts, may have the sticky bit: then nobody else may exchange the
	// file.
	if info, err := os.Stat(filepath.Dir(path)); err == nil && info.Mode()&fs.ModeSticky == 0 {
		if err := checkDir(filepath.Dir(path)); err != nil {
			return nil, err
		}
	}
	data, err := ReadPrivate(path, maxSecretFileBytes+1)
	switch {
	case err != nil:
		return nil, err
	case len(data) > maxSecretFileBytes:
		return nil, fmt.Errorf("%w: %s has more than %d bytes: is it another file?", ErrSecretFile, path, maxSecretFileBytes)
	}
	var secrets [][]byte
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSuffix(line, "\r")
		switch n := len(line); {
		case n == 0:
			continue
		case n < MinSecretBytes || n > MaxSecretBytes || strings.ContainsAny(line, "\r\x00"):
			return nil, fmt.Errorf("%w: line %d of %s should hold one secret of %d to %d bytes, and has %d",
				ErrSecretFile, i+1, path, MinSecretBytes, MaxSecretBytes, n)
		}
		secrets = append(secrets, []byte(line))
	}
	if _, err := newKeyring(secrets); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSecretFile, path, err)
	}
	return secrets, nil
}

// errOthersMayUse: the file is not its owner's alone.
var errOthersMayUse = fmt.Errorf("%w: others may use it", ErrSecretFile)

// ReadPrivate returns what a file holds, up to a limit, if nobody but its owner may use it. Otherwise the error wraps ErrSecretFile.
func ReadPrivate(path string, limit int64) ([]byte, error) {
	dir := os.DirFS(filepath.Dir(path))
	// Looked at before it is opened, since opening a pipe waits for who writes into it.
	if info, err := fs.Stat(dir, filepath.Base(path)); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrSecretFile, path)
	}
	file, err := dir.Open(filepath.Base(path))
	if err != nil {
		return nil, fmt.Errorf("read the secret in %s: %w", filepath.Dir(path), err)
	}
	defer file.Close() //nolint:errcheck // nothing was written
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if unixModes() && info.Mode()&othersMayUse != 0 {
		return nil, fmt.Errorf("%w, %s (mode %04o): chmod 600 it", errOthersMayUse, path, info.Mode().Perm())
	}
	data, err := io.ReadAll(io.LimitReader(file, limit))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return data, nil
}

// createSecret puts a new secret at path unless something is there already. The file
// appears complete or not at all: it is written under another name and then linked, and
// a link, unlike a rename, never replaces what another process has put there meanwhile.
func createSecret(dir, path string) error {
	random := make([]byte, secretRandomBytes)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	line := base64.RawURLEncoding.EncodeToString(random) + "\n"

	file, err := os.CreateTemp(dir, "."+secretFile+"-*")
	if err != nil {
		return fmt.Errorf("keep a new secret: %w", err)
	}
	defer os.Remove(file.Name()) //nolint:errcheck // at worst a stray file that holds no secret in use
	_, err = file.WriteString(line)
	err = errors.Join(err, file.Chmod(secretFileMode), file.Sync(), file.Close())
	if err == nil {
		err = os.Link(file.Name(), path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keep a new secret: %w", err)
	}
	return nil
}

// unixModes reports whether permission bits mean anything on this system.
func unixModes() bool { return runtime.GOOS != "windows" && runtime.GOOS != "plan9" }
