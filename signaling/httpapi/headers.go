package httpapi

import "net/http"

// What every answer says, whatever it is.
const (
	// strictTransport has browsers come by HTTPS for a year (RFC 6797). The names below this one are not ours to speak for.
	strictTransport = "max-age=31536000"
	// permissions are what the page needs, and what it never will whatever ran in it.
	permissions = "microphone=(self), autoplay=(self), camera=(), geolocation=(), display-capture=(), payment=(), usb=(), serial=(), hid=(), midi=()"
)

// Headers returns next with the headers that have browsers be strict; secure says that it is served over TLS. Of what the page is
// made of, package static says more.
func Headers(next http.Handler, secure bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Permissions-Policy", permissions)
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if secure {
			header.Set("Strict-Transport-Security", strictTransport)
		}
		next.ServeHTTP(w, r)
	})
}
