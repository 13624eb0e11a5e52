package store

import (
	"embed"
	"fmt"
	"time"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// schemas are what leads from each schema to the next, the first from nothing.
func schemas() []string {
	files, err := schemaFiles.ReadDir("schema")
	if err != nil {
		panic(err) // it is part of the program
	}
	all := make([]string, len(files))
	for i, file := range files {
		text, err := schemaFiles.ReadFile("schema/" + file.Name())
		if err != nil {
			panic(err)
		}
		all[i] = string(text)
	}
	return all
}

// migrate brings the file to the newest schema, one step and transaction after the other, after a copy of it.
func migrate(w *writer, path string, schemas []string) error {
	var version int
	if err := w.one("PRAGMA user_version", nil, &version); err != nil {
		return err
	}
	if version > len(schemas) {
		return newer(version, len(schemas))
	}
	if version > 0 && version < len(schemas) && path != "" {
		to := fmt.Sprintf("%s.before-%d-%s", path, len(schemas), time.Now().UTC().Format(timeInNames))
		if _, err := w.exec("VACUUM INTO ?", to); err != nil {
			return fmt.Errorf("copy to %s before the schema changes: %w", to, err)
		}
	}
	for ; version < len(schemas); version++ {
		step := fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
			schemas[version], applicationID, version+1)
		if _, err := w.script(step); err != nil {
			_, _ = w.exec("ROLLBACK")
			return fmt.Errorf("to schema %d: %w", version+1, err)
		}
	}
	return nil
}

func newer(version, known int) error {
	return fmt.Errorf("%w: it has schema %d, and this program knows %d; use the newer version", ErrNewer, version, known)
}
