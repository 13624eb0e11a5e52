package static

import (
	"bytes"
	"regexp"
)

// lean returns a file of the page as browsers get it: without comments and indentation, which nobody reads there and which are a
// third of what would be sent. Nothing else changes, lines neither, so that errors can be found.
func lean(ext string, content []byte) []byte {
	switch ext {
	case ".js":
		if short, ok := leanScript(content); ok {
			return short
		}
	case ".css":
		return leanStyle(content)
	}
	return content
}

var (
	styleComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	indentation  = regexp.MustCompile(`(?m)^\s+`)
	// beforeRegex are the words after which a slash begins a regular expression (ECMA-262, section 12).
	beforeRegex = regexp.MustCompile(`^(?:return|typeof|case|in|of|delete|void|throw|new|instanceof|yield|await|else|do|default)$`)
)

func leanStyle(content []byte) []byte {
	return indentation.ReplaceAll(styleComment.ReplaceAll(content, nil), nil)
}

// scriptReader copies a script word by word.
type scriptReader struct {
	in  []byte
	out bytes.Buffer
	// operand: what comes next is one, so that a slash begins a regular expression.
	operand bool
	// depth counts open braces, templates has at which depth each template goes on that is in the midst of ${…}.
	depth     int
	templates []int
}

// leanScript reports false for what it does not understand.
func leanScript(content []byte) ([]byte, bool) {
	r := &scriptReader{in: content, operand: true}
	r.out.Grow(len(content))
	for len(r.in) > 0 {
		if !r.next() {
			return nil, false
		}
	}
	return r.out.Bytes(), len(r.templates) == 0 && r.depth == 0
}

func (r *scriptReader) next() bool {
	switch c := r.in[0]; {
	case bytes.HasPrefix(r.in, []byte("//")):
		end := bytes.IndexByte(r.in, '\n')
		if end < 0 {
			end = len(r.in)
		}
		r.in = r.in[end:]
	case bytes.HasPrefix(r.in, []byte("/*")):
		end := bytes.Index(r.in, []byte("*/"))
		if end < 0 {
			return false
		}
		r.gap(bytes.IndexByte(r.in[:end], '\n') >= 0)
		r.in = r.in[end+2:]
	case c == '/' && r.operand:
		return r.regex()
	case c == '\'' || c == '"':
		return r.quoted(c)
	case c == '`':
		return r.template(1)
	case c == ' ' || c == '\t' || c == '\r' || c == '\n':
		r.gap(c == '\n')
		r.in = r.in[1:]
	case isWord(c):
		r.word()
	default:
		return r.punctuation(c)
	}
	return true
}

// gap keeps one space, or one end of a line, of all that is between two words.
func (r *scriptReader) gap(newline bool) {
	last := byte('\n')
	if r.out.Len() > 0 {
		last = r.out.Bytes()[r.out.Len()-1]
	}
	switch {
	case last == '\n':
	case newline && last == ' ':
		r.out.Truncate(r.out.Len() - 1)
		r.out.WriteByte('\n')
	case newline:
		r.out.WriteByte('\n')
	case last != ' ':
		r.out.WriteByte(' ')
	}
}

// copy takes so many bytes as they are.
func (r *scriptReader) copy(n int, operand bool) {
	r.out.Write(r.in[:n])
	r.in = r.in[n:]
	r.operand = operand
}

func (r *scriptReader) regex() bool {
	class := false
	for i := 1; i < len(r.in); i++ {
		switch c := r.in[i]; {
		case c == '\n':
			return false
		case c == '\\':
			i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			r.copy(i+1, false)
			return true
		}
	}
	return false
}

func (r *scriptReader) quoted(quote byte) bool {
	for i := 1; i < len(r.in); i++ {
		switch r.in[i] {
		case '\\':
			i++
		case '\n':
			return false
		case quote:
			r.copy(i+1, false)
			return true
		}
	}
	return false
}

// template takes a template, or the rest of one, up to its end or to what is put in.
func (r *scriptReader) template(from int) bool {
	for i := from; i < len(r.in); i++ {
		switch {
		case r.in[i] == '\\':
			i++
		case r.in[i] == '`':
			r.copy(i+1, false)
			return true
		case bytes.HasPrefix(r.in[i:], []byte("${")):
			r.templates = append(r.templates, r.depth)
			r.copy(i+2, true)
			return true
		}
	}
	return false
}

func (r *scriptReader) word() {
	end := 1
	for end < len(r.in) && isWord(r.in[end]) {
		end++
	}
	r.copy(end, beforeRegex.Match(r.in[:end]))
}

func (r *scriptReader) punctuation(c byte) bool {
	switch c {
	case '{':
		r.depth++
	case '}':
		if n := len(r.templates); n > 0 && r.templates[n-1] == r.depth {
			r.templates = r.templates[:n-1]
			return r.template(1)
		}
		r.depth--
	case '+', '-':
		if len(r.in) > 1 && r.in[1] == c { // i++ / 2, and ++i
			r.copy(2, r.operand)
			return true
		}
	}
	r.copy(1, c != ')' && c != ']')
	return r.depth >= 0
}

// isWord reports whether a byte may be part of a name, a keyword or a number. All beyond ASCII may.
func isWord(c byte) bool {
	return c == '_' || c == '$' || c == '#' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
