package httpapi

import (
	_ "embed"
	"net/http"
)

// openAPIPath is where the description of /api/admin is.
const openAPIPath = "/api/admin/openapi.json"

// openAPIText is the description, in OpenAPI 3.1. The tests make it of the types of the bodies, and hold the handlers against it.
//
//go:embed openapi.json
var openAPIText []byte

func (a *Admin) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(openAPIText)
}
