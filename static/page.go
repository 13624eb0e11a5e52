package static

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
)

const (
	// prefix leads to the page's files of one make, which its name tells: prefix + hash + the file's path.
	prefix = "/a/"
	// styles is the one file that all of the page's style sheets are there, in their order.
	styles = "/css/page.css"
	// hashBytes of SHA-256 tell files apart.
	hashBytes = 12
)

// page is what there is to serve.
type page struct {
	// plain has the files as they are, by path, and "/"; lean those that "/" leads to.
	plain, lean map[string]*asset
	// hash is of all files.
	hash string
}

var (
	styleLinks  = regexp.MustCompile(`(?m)^ *<link rel="stylesheet" href="(css/[^"]+)">\n`)
	ownScripts  = regexp.MustCompile(`<script type="module"( async)? src="(js/[^"]+)">`)
	preloads    = regexp.MustCompile(`(?m)^ *<!-- modulepreload -->\n`)
	staticParts = regexp.MustCompile(`(?m)^(?:import|export) (?:[\w$*{},\s]+ from )?'(\.[^']+)';`)
)

// load reads the page, which lies in a folder of that name.
func load(fsys fs.FS) (*page, error) {
	contents := make(map[string][]byte)
	err := fs.WalkDir(fsys, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		contents[strings.TrimPrefix(name, "page")] = content
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		_, _ = fmt.Fprintf(all, "%s %d\n", name, len(contents[name])) // a hash takes whatever comes
		_, _ = all.Write(contents[name])
	}
	p := &page{plain: make(map[string]*asset), lean: make(map[string]*asset), hash: encoded(all.Sum(nil))}
	index := contents["/index.html"]
	delete(contents, "/index.html")
	sheet, err := oneSheet(index, contents)
	if err != nil {
		return nil, err
	}
	index, err = p.lead(index, contents)
	if err != nil {
		return nil, err
	}
	p.plain["/"] = newAsset("text/html; charset=utf-8", index)
	p.lean[styles] = newAsset("text/css; charset=utf-8", lean(".css", sheet))
	for name, content := range contents {
		contentType, ok := contentTypeOf(name)
		if !ok {
			return nil, fmt.Errorf("%s: no content type for this extension", name)
		}
		p.plain[name] = newAsset(contentType, content)
		if strings.HasPrefix(name, "/js/") { // what is others' keeps its licence
			content = lean(path.Ext(name), content)
			contentType = strings.TrimSuffix(contentType, "; charset=utf-8") // modules are never anything else
		}
		p.lean[name] = newAsset(contentType, content)
	}
	return p, nil
}

// oneSheet puts the style sheets after each other: each request has its price.
func oneSheet(index []byte, contents map[string][]byte) ([]byte, error) {
	var sheet bytes.Buffer
	for _, link := range styleLinks.FindAllSubmatch(index, -1) {
		content, ok := contents["/"+string(link[1])]
		if !ok {
			return nil, fmt.Errorf("index.html: there is no %s", link[1])
		}
		sheet.Write(content)
		sheet.WriteByte('\n')
	}
	return sheet.Bytes(), nil
}

// lead has index.html lead to the files of this make, and to all modules at once instead of by one round trip for each level of
// imports.
func (p *page) lead(index []byte, contents map[string][]byte) ([]byte, error) {
	here := strings.TrimPrefix(prefix, "/") + p.hash
	at := styleLinks.FindIndex(index)
	scripts := ownScripts.FindAllSubmatch(index, -1)
	if at == nil || len(scripts) == 0 || !preloads.Match(index) {
		return nil, errors.New("index.html has no style sheets, no scripts, or no place for what is to be loaded before")
	}
	var links strings.Builder
	modules := make(map[string]bool)
	for _, script := range scripts {
		if err := reach(modules, "/"+string(script[2]), contents); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		fmt.Fprintf(&links, "<link rel=\"modulepreload\" href=\"%s%s\">\n", here, name)
	}
	sheet := fmt.Sprintf("<link rel=\"stylesheet\" href=\"%s%s\">\n", here, styles)
	index = slices.Concat(index[:at[0]], []byte(sheet), styleLinks.ReplaceAll(index[at[0]:], nil))
	index = preloads.ReplaceAllLiteral(index, []byte(links.String()))
	return ownScripts.ReplaceAll(index, []byte(`<script type="module"$1 src="`+here+`/$2">`)), nil
}

// reach adds a module, and all that it imports at its beginning.
func reach(modules map[string]bool, name string, contents map[string][]byte) error {
	if modules[name] {
		return nil
	}
	content, ok := contents[name]
	if !ok {
		return fmt.Errorf("there is no module %s", name)
	}
	modules[name] = true
	for _, part := range staticParts.FindAllSubmatch(content, -1) {
		if err := reach(modules, path.Join(path.Dir(name), string(part[1])), contents); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// find returns what stands at a path, nil for nothing, and whether it will be the same for good. A page of another make, which was
// loaded before the server was updated, gets what there is now of what it had not loaded by then.
func (p *page) find(name string) (a *asset, forGood bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return p.plain[name], false
	}
	hash, rest, _ := strings.Cut(rest, "/")
	return p.lean["/"+rest], hash == p.hash
}

// encoded is a hash, or the beginning of one, as it stands in addresses and headers.
func encoded(sum []byte) string {
	return base64.RawURLEncoding.EncodeToString(sum[:hashBytes])
}

// spareHeaders takes away what only counts in documents, where a hundred answers would say it again. What may be one keeps them.
func (a *asset) spareHeaders(header http.Header) {
	if strings.HasPrefix(a.contentType, "text/javascript") || strings.HasPrefix(a.contentType, "text/css") {
		for _, name := range []string{"Content-Security-Policy", "Referrer-Policy", "Permissions-Policy", "Cross-Origin-Opener-Policy"} {
			header.Del(name)
		}
	}
}
