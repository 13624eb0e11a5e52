package doctor

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestForbiddingPolicy(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("https://voice.example.org")
	require.NoError(t, err)
	const permissions, feature = "Permissions-Policy", "Feature-Policy"
	for name, test := range map[string]struct {
		header http.Header
		want   string
	}{
		"none":            {http.Header{}, ""},
		"others":          {http.Header{permissions: {"camera=(), geolocation=()"}}, ""},
		"nobody":          {http.Header{permissions: {"camera=(), microphone=(), geolocation=()"}}, "Permissions-Policy: microphone=()"},
		"in a line alone": {http.Header{permissions: {"camera=()", "microphone=()"}}, "Permissions-Policy: microphone=()"},
		"itself":          {http.Header{permissions: {"camera=(),microphone=(self)"}}, ""},
		"itself, bare":    {http.Header{permissions: {"microphone=self"}}, ""},
		"everybody":       {http.Header{permissions: {"microphone=*"}}, ""},
		"some and itself": {http.Header{permissions: {`microphone=("https://a.example" self)`}}, ""},
		"by its name":     {http.Header{permissions: {`microphone=("https://voice.example.org")`}}, ""},
		"another":         {http.Header{permissions: {`microphone=("https://a.example")`}}, `Permissions-Policy: microphone=("https://a.example")`},
		"the last counts": {http.Header{permissions: {"microphone=(self)", "microphone=()"}}, "Permissions-Policy: microphone=()"},
		"and frees":       {http.Header{permissions: {"microphone=(), microphone=(self)"}}, ""},
		"longer name":     {http.Header{permissions: {"x-microphone=()"}}, ""},
		"the old one":     {http.Header{feature: {"camera 'none'; microphone 'none'"}}, "Feature-Policy: microphone 'none'"},
		"the old, itself": {http.Header{feature: {"microphone 'self' https://a.example"}}, ""},
		"the old, bare":   {http.Header{feature: {"microphone; camera 'none'"}}, ""},
		"the new is more": {http.Header{permissions: {"microphone=(self)"}, feature: {"microphone 'none'"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.want, forbiddingPolicy(test.header, base))
		})
	}
}
