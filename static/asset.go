package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"io"
	"math/bits"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

// Bounds of Brotli's window, as base-2 logarithms. What is much larger than a file costs time only.
const (
	minWindow = 10
	maxWindow = 18
)

// asset is one file of the page, ready to be served.
type asset struct {
	contentType string
	tag         string
	content     []byte
	// Compressed when it is first asked for, as well as can be; nil where that makes it no smaller.
	brotli, gzip func() []byte
}

func newAsset(contentType string, content []byte) *asset {
	sum := sha256.Sum256(content)
	a := &asset{contentType: contentType, tag: encoded(sum[:]), content: content}
	a.brotli = sync.OnceValue(func() []byte {
		return a.smaller(func(w io.Writer) io.WriteCloser {
			return brotli.NewWriterOptions(w, brotli.WriterOptions{Quality: brotli.BestCompression, LGWin: min(max(bits.Len(uint(len(content))), minWindow), maxWindow)})
		})
	})
	a.gzip = sync.OnceValue(func() []byte {
		return a.smaller(func(w io.Writer) io.WriteCloser {
			z, _ := gzip.NewWriterLevel(w, gzip.BestCompression) // which is a level that there is
			return z
		})
	})
	return a
}

func (a *asset) smaller(compressor func(io.Writer) io.WriteCloser) []byte {
	var short bytes.Buffer
	w := compressor(&short)
	_, err := w.Write(a.content)
	if err != nil || w.Close() != nil || short.Len() >= len(a.content) {
		return nil
	}
	return bytes.Clone(short.Bytes())
}

// write answers a GET or HEAD with the file in the best form that the browser takes, or says that it has it (RFC 9110, sections 12
// and 13), unless there will never be another one to be told from.
func (a *asset) write(w http.ResponseWriter, r *http.Request, changes bool) {
	header := w.Header()
	header.Add("Vary", "Accept-Encoding")
	content, tag := a.content, a.tag
	accepted := strings.Join(r.Header.Values("Accept-Encoding"), ",")
	for _, form := range []struct {
		name string
		of   func() []byte
	}{{"br", a.brotli}, {"gzip", a.gzip}} {
		if !accepts(accepted, form.name) {
			continue
		}
		if short := form.of(); short != nil {
			content, tag = short, tag+"-"+form.name
			header.Set("Content-Encoding", form.name)
			break
		}
	}
	tag = `"` + tag + `"`
	if changes {
		header.Set("ETag", tag)
	}
	if changes && matches(strings.Join(r.Header.Values("If-None-Match"), ","), tag) {
		header.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", a.contentType)
	header.Set("Content-Length", strconv.Itoa(len(content)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) //nolint:gosec // it is a file of ours; an error is a browser that has gone
	}
}

// accepts reports whether an Accept-Encoding header names a coding, and not only to say that it is not wanted.
func accepts(header, coding string) bool {
	for one := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			_, q, given := strings.Cut(weight, "=")
			value, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return !given || err != nil || value > 0
		}
	}
	return false
}

// matches compares weakly, as If-None-Match is.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}
