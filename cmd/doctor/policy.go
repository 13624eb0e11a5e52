package doctor

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	permissionsMicrophone = regexp.MustCompile(`^microphone\s*=`)
	// permissionsOpen finds * and self, bare or in an inner list.
	permissionsOpen   = regexp.MustCompile(`[=(\s](\*|self)([)\s]|$)`)
	featureMicrophone = regexp.MustCompile(`^microphone(\s|$)`)
	featureOpen       = regexp.MustCompile(`^microphone$|\s(\*|'self')(\s|$)`)
)

// forbiddingPolicy returns the header, name and value, that forbids browsers the microphone on
// the page of base, "" for none: Permissions-Policy, or its forerunner Feature-Policy, which
// counts where the first says nothing. The page's static/page/js/policy.js reads them likewise.
func forbiddingPolicy(header http.Header, base *url.URL) string {
	origin := base.Scheme + "://" + base.Host
	// A dictionary (RFC 9651, section 3.2): of equal names the last one counts.
	permissions := slices.DeleteFunc(policyParts(header.Values("Permissions-Policy"), ","), func(part string) bool {
		return !permissionsMicrophone.MatchString(part)
	})
	if n := len(permissions); n > 0 {
		if last := permissions[n-1]; !permissionsOpen.MatchString(last) && !strings.Contains(last, `"`+origin+`"`) {
			return "Permissions-Policy: " + last
		}
		return ""
	}
	for _, part := range policyParts(header.Values("Feature-Policy"), ",;") {
		if featureMicrophone.MatchString(part) {
			if !featureOpen.MatchString(part) && !strings.Contains(part, origin) {
				return "Feature-Policy: " + part
			}
			return ""
		}
	}
	return ""
}

// policyParts splits header lines at any of the separators.
func policyParts(lines []string, separators string) []string {
	parts := strings.FieldsFunc(strings.Join(lines, ","), func(r rune) bool { return strings.ContainsRune(separators, r) })
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
