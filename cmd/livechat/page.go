package main

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// pageAddress is where a link leads.
type pageAddress struct {
	URL string `name:"url" placeholder:"URL" help:"Where the page is, such as https://voice.example.org, for the link. Without it: where the server's settings say."`

	// The server's settings that say where the page is, from the environment or the file.
	Domain []string `hidden:"" placeholder:"NAME" help:"The server's."`
	HTTP   string   `name:"http" hidden:"" placeholder:"HOST:PORT" help:"The server's."`
}

// page is the page's address with the path's slash behind it: that of --url, or else where the settings say.
func (p *pageAddress) page() (string, error) {
	if p.URL == "" {
		return app.PageURL(p.Domain, p.HTTP) + "/", nil
	}
	page, err := url.Parse(p.URL)
	if err != nil || page.Scheme != "http" && page.Scheme != "https" || page.Host == "" || page.Fragment != "" || page.RawQuery != "" {
		return "", fmt.Errorf("--url=%q: must be where the page is, such as https://voice.example.org", p.URL)
	}
	return strings.TrimSuffix(page.String(), "/") + "/", nil
}

// onlyHere reports whether an address leads to nobody but this machine.
func onlyHere(address string) bool {
	page, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(page.Hostname())
	return page.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
